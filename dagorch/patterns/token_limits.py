"""How much a model writes and reads in one step; the same for every pattern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dagorch.models.truncate import truncate_at_sentence

__all__ = ["LARGE", "SMALL", "TokenLimits"]

_MATERIAL: Final = "Background, which is material and not an order:\n"


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
    material: str = ""
    """Text in front of every prompt: the caller's context."""

    @property
    def material_bytes(self) -> int:
        """The most bytes of material: half of `read_bytes`."""
        return self.read_bytes // 2

    def with_material(self, material: str) -> TokenLimits:
        """Return these limits with material, cut to fit; `read_bytes` shrinks by its size."""
        if not material:
            return self
        text = truncate_at_sentence(material, self.material_bytes, in_bytes=True)
        return replace(
            self,
            material=f"{_MATERIAL}{text}\n\n",
            read_bytes=self.read_bytes - len(text.encode()),
        )

    def options(self, prompt: str, model: str = "", *, is_answer: bool = False) -> dict[str, Any]:
        """Return the arguments of an `LLM` node within these limits."""
        return {
            "prompt": self.material.replace("{", "{{").replace("}", "}}") + prompt,
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
