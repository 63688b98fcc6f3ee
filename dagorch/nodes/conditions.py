"""
Conditions as data: a field of a value, and a test of it.

Branches and loops of graph files use them, because a file holds no code. There are no expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.nodes.fields import get_field

__all__ = ["TESTS", "Condition", "Label", "pick", "strictly_equal"]


def strictly_equal(part: Any, wanted: Any) -> bool:
    """Tell whether two plain values are equal; unlike `==`, True is not equal to 1."""
    return bool(part == wanted) and isinstance(part, bool) == isinstance(wanted, bool)


TESTS: Final[Mapping[str, Callable[[Any, Any], bool]]] = MappingProxyType(
    {
        "is": strictly_equal,
        "is_not": lambda part, wanted: not strictly_equal(part, wanted),
        "one_of": lambda part, wanted: any(strictly_equal(part, one) for one in wanted),
        "at_least": lambda part, bound: bool(part >= bound),
        "at_most": lambda part, bound: bool(part <= bound),
        "contains": lambda part, item: item in part,
    }
)
"""The tests of a value by name; each takes the value and what to compare it with."""


@dataclass(frozen=True, slots=True)
class Condition:
    """
    Tests a value, or a field of it; for `graph.branch` and a loop's `until`.

    Args:
        field: The field to test, see `get_field`; empty for the whole value.
        test: A name of `TESTS`; empty: the value counts as true or false, as in Python.
        than: What the test compares with.

    Raises (when called):
        LookupError: The value has no such field; the message names those that it has.
        TypeError: The two values cannot be compared.

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
        part = get_field(value, self.field)
        return TESTS[self.test](part, self.than) if self.test else bool(part)


@dataclass(frozen=True, slots=True)
class Label:
    """
    Picks the label that equals a value, or a field of it; for `graph.branch`.

    Args:
        field: The field with the label, see `get_field`; empty for the whole value.
        labels: The known labels; needed with `otherwise`.
        otherwise: The label for any other value; None: another value is an error.

    Example:
        >>> Label("kind", ("bug", "praise"), "other")({"kind": "riddle"})
        'other'
    """

    field: str = ""
    labels: tuple[str, ...] = ()
    otherwise: str | None = None

    def __call__(self, value: Any) -> Any:
        part = get_field(value, self.field)
        if self.otherwise is None or isinstance(part, bool):
            return part
        several = part if isinstance(part, (list, tuple)) else (part,)
        return part if several and all(one in self.labels for one in several) else self.otherwise


async def pick(value: Any, field: str) -> Any:
    """Return a field of a value; the function of nodes that read a field."""
    return get_field(value, field)
