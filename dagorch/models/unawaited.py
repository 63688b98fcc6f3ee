"""Finds values that should have been awaited, where a value enters the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from types import AsyncGeneratorType
from typing import Any, Final

__all__ = ["SCALARS", "unawaited"]

SCALARS: Final = frozenset({bool, bytes, float, int, str, type(None)})
"""Types whose values need no look at all."""
_CONTAINERS: Final = frozenset({dict, list, tuple})


def unawaited(value: object) -> str:
    """
    Describe a value that is a coroutine, another awaitable or an async generator, or holds one.

    Lists, tuples and dicts are looked into at any depth, up to 32 values. Coroutines are closed,
    so that Python does not warn of them as well.

    Returns:
        A description and the remedy; empty for an ordinary value.

    Example:
        >>> async def fetch(): ...
        >>> unawaited(fetch())
        "the coroutine of 'fetch'; await it"
        >>> unawaited({"pages": [fetch(), fetch()]})
        "a dict with the coroutine of 'fetch'; await it"
        >>> unawaited("text")
        ''
    """
    kind = type(value)
    if kind in SCALARS:
        return ""
    if kind not in _CONTAINERS:  # a subclass has its own methods
        return _describe(value)
    found = next(filter(None, map(_describe, _held_by(value, 32))), "")
    if not found:
        return ""
    for item in _held_by(value, 100_000):  # close the others
        _describe(item)
    return f"a {kind.__name__} with {found}"


def _held_by(value: Any, limit: int) -> Iterator[object]:
    """Yield the values in a container, and in those in it, the nearest ones first."""
    containers = deque([value])
    while containers and limit > 0:
        container = containers.popleft()
        values = container.values() if type(container) is dict else container
        for item in islice(values, limit):
            limit -= 1
            if type(item) in _CONTAINERS:
                containers.append(item)
            elif type(item) not in SCALARS:
                yield item


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
