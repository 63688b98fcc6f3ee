"""How much a model writes and reads in one step; the same for every pattern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["LARGE", "SMALL", "TokenLimits"]


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """How much a model writes in a step, and how much it reads of earlier steps."""

    write_tokens: int
    """For an intermediate step: a finding, an analysis."""
    answer_tokens: int
    """For the final answer."""
    read_bytes: int
    exact_plan: bool = False
    """Whether the schema of a plan requires the exact number; not every service supports that."""
    temperature: float | None = None
    """None is the default of the service; some models accept no other."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Additional fields of the service."""

    def options(self, prompt: str, model: str = "", *, is_answer: bool = False) -> dict[str, Any]:
        """Return the arguments of an `LLM` node within these limits."""
        return {
            "prompt": prompt,
            "model": model,
            "max_tokens": self.answer_tokens if is_answer else self.write_tokens,
            "temperature": self.temperature,
            "extra": self.extra or None,
        }


LARGE: Final = TokenLimits(1_500, 3_000, 60_000)
SMALL: Final = TokenLimits(
    250, 450, 4_000, exact_plan=True, temperature=0.2, extra={"repeat_penalty": 1.1}
)
"""For a small llama.cpp model: its context is 4,096 tokens, and it tends to repeat itself."""
