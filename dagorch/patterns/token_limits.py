"""How much a model may write and read; the same for every pattern. No model's name is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["LARGE", "SMALL", "TokenLimits"]


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """How much a step's model may write, and read of the steps before."""

    write_tokens: int
    """Of a part of the work: a finding, an analysis, a step on the way."""
    answer_tokens: int
    read_bytes: int
    exact_plan: bool = False
    """Whether a plan's schema demands the very number of questions; not every service can."""
    temperature: float | None = None
    """None is the service's own; some models take no other."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the service's own."""


LARGE: Final = TokenLimits(1_500, 3_000, 60_000)
SMALL: Final = TokenLimits(
    250, 450, 4_000, exact_plan=True, temperature=0.2, extra={"repeat_penalty": 1.1}
)
"""For a small model of llama.cpp's: its context is 4,096 tokens, and it likes to repeat itself."""
