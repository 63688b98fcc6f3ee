"""Values that should have been awaited: they are found where a value enters the engine."""

from __future__ import annotations

from types import AsyncGeneratorType
from typing import Any, Final

__all__ = ["SCALARS", "unawaited"]

SCALARS: Final = frozenset({bool, bytes, float, int, str, type(None)})
"""Types whose values need no look at all."""


def unawaited(value: object) -> str:
    """
    Describe a value that is a coroutine, another awaitable, an async generator, or a list of such.

    Coroutines are closed, so that Python does not warn of them as well.

    Returns:
        What the value is and what to do; empty if it is an ordinary value. Of a list or tuple,
        only the first item is looked at.

    Example:
        >>> async def fetch(): ...
        >>> unawaited(fetch())
        "the coroutine of 'fetch'; await it"
        >>> unawaited([fetch(), fetch()])
        "a list that begins with the coroutine of 'fetch'; await it, and every other item"
        >>> unawaited("text")
        ''
    """
    if type(value) in SCALARS:
        return ""
    if type(value) is not list and type(value) is not tuple:  # a subclass has its own methods
        return _describe(value)
    what = _describe(value[0]) if value else ""
    if not what:
        return ""
    for item in value[1:]:
        _describe(item)
    return f"a {type(value).__name__} that begins with {what}, and every other item"


def _describe(value: object) -> str:
    kind = type(value)
    if kind is AsyncGeneratorType:
        return f"the async generator of {_name(value)!r}; await its items with 'async for'"
    if not hasattr(kind, "__await__"):
        return ""
    if hasattr(kind, "cr_code"):
        value.close()  # type: ignore[attr-defined]  # coroutines have it, Cython's too
        return f"the coroutine of {_name(value)!r}; await it"
    return f"a {kind.__name__}, which is awaitable; await it"


def _name(value: Any) -> str:
    name: str = value.__qualname__
    return name.rpartition("<locals>.")[2]
