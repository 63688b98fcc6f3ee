"""
Conditions without a program: which part of a value, and what it must be.

For branches and loops that come from a file, which holds no code. No expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.nodes.types import type_name

__all__ = ["TESTS", "Condition", "Label", "part_of", "pick", "same"]


def same(part: Any, wanted: Any) -> bool:
    """Tell whether two plain values are equal, where true is not 1."""
    return bool(part == wanted) and isinstance(part, bool) == isinstance(wanted, bool)


TESTS: Final[Mapping[str, Callable[[Any, Any], bool]]] = MappingProxyType(
    {
        "is": same,
        "is_not": lambda part, wanted: not same(part, wanted),
        "one_of": lambda part, wanted: any(same(part, one) for one in wanted),
        "at_least": lambda part, least: bool(part >= least),
        "at_most": lambda part, most: bool(part <= most),
        "contains": lambda part, item: item in part,
    }
)
"""What can be asked of a value, by name."""


@dataclass(frozen=True, slots=True)
class Condition:
    """
    Tests a value, or a field of it; for `graph.branch` and a loop's `until`.

    Args:
        field: Which part, see `part_of`; empty is the whole.
        test: A name of `TESTS`; empty: it counts as true or false, as in Python.
        than: What the test compares with.

    Raises (when called):
        LookupError: The value has no such field; those that it has are named.
        TypeError: It cannot be compared so.

    Example:
        >>> good = Condition("score", "at_least", 8)
        >>> good({"score": 9}), good({"score": 3}), Condition(test="is", than="done")("done")
        (True, False, True)
    """

    field: str = ""
    test: str = ""
    than: Any = None

    def __post_init__(self) -> None:
        if self.test and self.test not in TESTS:
            raise DefinitionError(
                f"no test {self.test!r}"
                + (did_you_mean(self.test, TESTS) or f"; there are {', '.join(TESTS)}")
            )

    def __call__(self, value: Any) -> bool:
        part = part_of(value, self.field)
        return TESTS[self.test](part, self.than) if self.test else bool(part)


@dataclass(frozen=True, slots=True)
class Label:
    """
    Picks the label that a value is, or a field of it; for `graph.branch`.

    Args:
        field: Which part, see `part_of`; empty is the whole.
        labels: Those there are, where others are told by `otherwise`.
        otherwise: The label of whatever is none of them; None: that is an error.

    Example:
        >>> Label("kind", ("bug", "praise"), "other")({"kind": "riddle"})
        'other'
    """

    field: str = ""
    labels: tuple[str, ...] = ()
    otherwise: str | None = None

    def __call__(self, value: Any) -> Any:
        part = part_of(value, self.field)
        if self.otherwise is None or isinstance(part, bool):
            return part
        several = part if isinstance(part, (list, tuple)) else (part,)
        return part if several and all(one in self.labels for one in several) else self.otherwise


def part_of(value: Any, field: str) -> Any:
    """
    Give a field of a value: of a mapping, a model or a dataclass; `a.b` is a field of a field.

    No other attribute can be reached.

    Raises:
        LookupError: There is no such field.

    Example:
        >>> part_of({"review": {"score": 7}}, "review.score")
        7
    """
    for name in field.split(".") if field else ():
        if isinstance(value, Mapping):
            known: Any = value
        else:
            known = getattr(type(value), "model_fields", None) or getattr(
                value, "__dataclass_fields__", {}
            )
        if name not in known:
            names = [str(key) for key in known]
            raise LookupError(
                f"{type_name(type(value))} has no field {name!r}"
                + (did_you_mean(name, names) or (f"; it has {', '.join(names)}" if names else ""))
            )
        value = value[name] if isinstance(value, Mapping) else getattr(value, name)
    return value


async def pick(value: Any, field: str) -> Any:
    """Give a field of a value, as a function node does it."""
    return part_of(value, field)
