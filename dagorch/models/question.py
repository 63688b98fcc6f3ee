"""A question of a run that waits for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """One open question; see `RunHandle.questions`."""

    path: str
    """The path of the node run: `sure`, or `each[3]/sure` inside a map."""
    text: str
    """The question, rendered."""
    answer_type: Any
    """The type that the answer must have."""
