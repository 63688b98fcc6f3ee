"""Reducers: pure functions that fold the values of a merge, a list in edge order, into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set, ValuesView
from types import MappingProxyType
from typing import Any, Final

__all__ = [
    "REDUCERS",
    "Reducer",
    "concat",
    "first",
    "flatten",
    "joined_kind",
    "majority",
    "to_list",
    "union",
    "update",
]

Reducer = Callable[[list[Any]], Any]


def to_list(values: list[Any]) -> list[Any]:
    """Return the values as a list."""
    return list(values)


def first(values: list[Any]) -> Any:
    """Return the first value in edge order."""
    return values[0]


def flatten(values: list[Any]) -> list[Any]:
    """
    Join lists end to end. Texts, mappings and models are not lists: a `TypeError`.

    Example:
        >>> flatten([[1, 2], [3]])
        [1, 2, 3]
    """
    _check("flatten", values)
    return [item for value in values for item in value]


def union(values: list[Any]) -> list[Any]:
    """
    Join lists end to end and keep the first of equal items.

    Example:
        >>> union([[1, 2], [2, 3]])
        [1, 2, 3]
    """
    kept: list[Any] = []
    seen: set[Any] = set()
    _check("union", values)
    for item in flatten(values):
        try:
            new = item not in seen
            seen.add(item)
        except TypeError:  # an item that cannot be hashed is compared with every other
            new = item not in kept
        if new:
            kept.append(item)
    return kept


def concat(values: list[Any]) -> str:
    r"""
    Join texts with a blank line between them.

    Example:
        >>> concat(["a", "b"])
        'a\n\nb'
    """
    return "\n\n".join(str(value) for value in values)


def update(values: list[Any]) -> dict[Any, Any]:
    """
    Join mappings; of equal keys, the later edge wins.

    Example:
        >>> update([{"a": 1}, {"a": 2, "b": 3}])
        {'a': 2, 'b': 3}
    """
    _check("update", values)
    joined: dict[Any, Any] = {}
    for value in values:
        joined.update(value)
    return joined


def majority(values: list[Any]) -> Any:
    """
    Return the most frequent value; among equally frequent ones, the first in edge order.

    Values that cannot be hashed, such as models and lists, are compared with every other.

    Example:
        >>> majority(["yes", "no", "yes"])
        'yes'
    """
    try:
        return Counter(values).most_common(1)[0][0]
    except TypeError:
        return max(values, key=values.count)


_LISTS: Final = (Sequence, Set, Iterator, ValuesView)
_NOT_LISTS: Final = (str, bytes, bytearray)


def joined_kind(reducer: str, kind: type) -> str:
    """
    Return what a reducer joins if values of a class cannot be among it; empty if they can.

    Example:
        >>> joined_kind("union", str), joined_kind("update", dict), joined_kind("first", str)
        ('lists', '', '')
    """
    if reducer in ("flatten", "union"):
        fits = issubclass(kind, _LISTS) and not issubclass(kind, _NOT_LISTS)
        may_fit = any(issubclass(wanted, kind) for wanted in _LISTS)  # `Iterable`, `object`
        return "" if fits or may_fit else "lists"
    if reducer == "update":
        return "" if issubclass(kind, Mapping) or issubclass(Mapping, kind) else "mappings"
    return ""


def _check(reducer: str, values: list[Any]) -> None:
    for value in values:
        joins = joined_kind(reducer, type(value))
        if joins:
            raise TypeError(
                f"the reducer {reducer!r} joins {joins}, not {type(value).__name__}: {value!r:.60}"
            )


REDUCERS: Mapping[str, Reducer] = MappingProxyType(
    {
        "list": to_list,
        "first": first,
        "flatten": flatten,
        "union": union,
        "concat": concat,
        "update": update,
        "majority": majority,
    }
)
"""The reducers by the names that `Merge` and graph files use."""
