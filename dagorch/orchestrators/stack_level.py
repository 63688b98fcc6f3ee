"""Finds the line of the user that a warning is about."""

from __future__ import annotations

import inspect

__all__ = ["user_stack_level"]


def user_stack_level() -> int:
    """Return the `stacklevel` of the closest line outside of dagorch, for the caller."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals["__name__"].startswith("dagorch."):
        frame, level = frame.f_back, level + 1
    return level
