"""How many arguments a user's function takes, checked before anything is paid for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["takes"]


def takes(function: Callable[..., Any], count: int) -> bool:
    """
    Return whether a function can be called with `count` positional arguments.

    A callable without a readable signature, such as some built-ins, is assumed to take them.

    Example:
        >>> takes(lambda event: None, 1), takes(lambda: None, 1), takes(print, 1)
        (True, False, True)
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True
