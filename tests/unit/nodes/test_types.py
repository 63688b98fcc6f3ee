"""Annotations: which types match, how a type is named, and how a value is checked."""

from __future__ import annotations

import collections
import collections.abc as abc
import inspect
import sys
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Protocol,
    TypedDict,
    TypeVar,
    Union,
    runtime_checkable,
)

import pytest
from pydantic import BaseModel
from typing_extensions import TypeAliasType

from dagorch.nodes.types import can_flow, type_name, value_check

T = TypeVar("T")
U = TypeVar("U")
UserId = NewType("UserId", int)
AdminId = NewType("AdminId", UserId)


class Base: ...


class Derived(Base): ...


class Box(Generic[T]): ...


class Swapped(tuple[U, T], Generic[T, U]): ...


class Table(dict[str, T], Generic[T]): ...


class Report(BaseModel):
    title: str


class Page(BaseModel, Generic[T]):
    items: list[T]


class Row(TypedDict):
    name: str


class Point(NamedTuple):
    x: int
    y: int


class Colour(Enum):
    RED = "red"


@dataclass
class Source:
    url: str


class Searcher(ABC):
    @abstractmethod
    def search(self) -> str: ...


class Reader(ABC):
    @abstractmethod
    def read(self) -> str: ...


class Named(Protocol):
    def name(self) -> str: ...


@runtime_checkable
class Closable(Protocol):
    def close(self) -> None: ...


@runtime_checkable
class HasTitle(Protocol):
    title: str


# -------------------------------------------------------------------------- can_flow


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (Any, int),
        (int, Any),
        (object, int),
        (int, object),
        (inspect.Parameter.empty, int),
        (T, int),
        (int, T),
        ("Unknown", int),
        (typing.ForwardRef("Unknown"), int),
        (typing.Never, int),
        (typing.LiteralString, str),
        (int, int),
        (bool, int),
        (int, float),
        (bool, float),
        (float, complex),
        (Derived, Base),
        (Base, Derived),
        (None, type(None)),
        (None, Optional[int]),  # noqa: UP045 - the old spelling is another object
        (int, int | None),
        (int | None, int),
        (int | str, str | bytes),
        (Union[int, str], list[int] | str),  # noqa: UP007 - the same
        (Literal["a", "b"], Literal["b", "c"]),
        (Literal["a"], str),
        (str, Literal["a"]),
        (Literal[1], float),
        (Literal[1], T),
        (int, Literal[True]),
        (Named, Literal["a"]),
        (Literal[Colour.RED], Colour),
        (Annotated[int, "doc"], int),
        (Annotated[int, []], Annotated[float, []]),
        (UserId, int),
        (int, AdminId),
        (list, list[int]),
        (list[int], list),
        (list[int], typing.List),  # noqa: UP006 - the old names are types as well
        (list[str], Sequence[str]),
        (str, Sequence[str]),
        (Sequence[str], list[str]),
        (list[Any], list[int]),
        (list[int], list[float]),
        (list[int | str], list[int]),
        (list[list[str]], Sequence[Iterable[str]]),
        (dict[str, int], Mapping[str, float]),
        (dict[str, int], Iterable[str]),
        (collections.Counter[str], Mapping[str, int]),
        (abc.Generator[int, None, None], Iterator[int]),
        (abc.ItemsView[str, int], Iterable[tuple[str, int]]),
        (tuple[int, str], tuple[int, str]),
        (tuple[int, ...], tuple[int, int]),
        (tuple[int, int], tuple[int, ...]),
        (tuple[int, ...], tuple[float, ...]),
        (tuple[int, bool], Sequence[int]),
        (Sequence[int], tuple[int, int]),
        (tuple[int, *tuple[str, ...]], tuple[int, str, str]),
        (tuple, tuple[int, str]),
        (Point, tuple[int, int]),
        (Box[int], Box[bool]),
        (Swapped[int, str], tuple[str, int]),
        (Table[int], Mapping[str, int]),
        (Box, Box[int]),
        (Page[int], Page[Any]),
        (Page[int], Page[bool]),
        (Page, BaseModel),
        (type[Derived], type[Base]),
        (Row, dict),
        (dict[str, Any], Row),
        (Row, Mapping[str, str]),
        (Callable[[int], str], Callable[..., Any]),
        (Callable[[int], str], Callable[[str, str], int]),
        (type(len), Callable[[Any], int]),
        (str, Named),
        (Named, str),
        (list, HasTitle),
        (str, abc.Hashable),
        (Searcher, Reader),
        (Iterable[int], abc.Sized),
    ],
    ids=type_name,
)
def test_types_that_may_match_can_flow(source: Any, target: Any) -> None:
    assert can_flow(source, target)
    assert can_flow(source, target)  # and from the cache


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (str, int),
        (int, str),
        (float, int),
        (complex, float),
        (bytes, str),
        (None, int),
        (int, None),
        (int | None, str | bytes),
        (Base, Source),
        (Report, Source),
        (Report, dict),
        (dict[str, str], Report),
        (Source, Mapping),
        (Row, Report),
        (Row, dict[int, str]),
        (Literal["a"], Literal["b"]),
        (Literal[1], Literal[True]),
        (Literal["a"], int),
        (Literal[1], bool),
        (Literal["a"], Sequence[int]),
        (bool, Literal[1]),
        (float, Literal[1]),
        (int, Literal["a"]),
        (list[str], str),
        (str, Sequence[int]),
        (Sequence[int], str),
        (bytes, Iterable[str]),
        (list[str], list[int]),
        (Annotated[list[int], []], list[str]),
        (list[str], Sequence[int]),
        (list[list[str]], list[list[int]]),
        (list[str], tuple[str, ...]),
        (list, set),
        (list, Mapping),
        (Sequence, Mapping),
        (dict[str, int], Mapping[int, int]),
        (dict[str, int], Mapping[str, str]),
        (dict[str, int], Iterable[int]),
        (tuple[int, str], tuple[int, int]),
        (tuple[int], tuple[int, int]),
        (tuple[int, ...], tuple[int, str]),
        (tuple[int, str], tuple[int, ...]),
        (tuple[int, str], Sequence[int]),
        (tuple[str, ...], tuple[int, int]),
        (tuple[str, ...], tuple[int, ...]),
        (Iterable[str], tuple[int, int]),
        (Box[int], Box[str]),
        (Table[int], Sequence[str]),
        (Page[int], Page[str]),
        (UserId, str),
        (Callable[[], int], str),
        (str, Callable[[], int]),
        (int, Closable),
        (int, Iterable),
        (dict, abc.Hashable),
    ],
    ids=type_name,
)
def test_types_that_cannot_match_are_refused(source: Any, target: Any) -> None:
    assert not can_flow(source, target)
    assert not can_flow(source, target)


def test_very_deep_types_count_as_unknown() -> None:
    deep_int: Any = int
    deep_str: Any = str
    for _ in range(200):
        deep_int, deep_str = list[deep_int], list[deep_str]
    assert can_flow(deep_int, deep_str)


def test_aliases_equal_their_types() -> None:
    texts: Any = TypeAliasType("texts", list[str])
    assert can_flow(texts, Sequence[str])
    assert not can_flow(texts, list[int])
    assert type_name(texts) == "texts"
    fits = value_check(texts | None)
    assert fits is not None
    assert (fits([]), fits(None), fits("")) == (True, True, False)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement came with Python 3.12")
def test_aliases_may_name_themselves_or_nothing() -> None:
    scope: dict[str, Any] = {}
    exec(
        "type Json = dict[str, Json] | list[Json] | str\n"
        "type Other = dict[str, Other] | list[Other] | bytes\n"
        "type Loop = Loop\n"
        "type Bad = Undefined\n",
        scope,
    )
    json, other, loop, bad = (scope[name] for name in ("Json", "Other", "Loop", "Bad"))
    assert can_flow(json, other)
    assert can_flow(str, json)
    assert not can_flow(int, json)
    for unknown in (loop, bad):
        assert can_flow(unknown, int)
        assert value_check(unknown) is None


# ------------------------------------------------------------------------- type_name


@pytest.mark.parametrize(
    ("t", "name"),
    [
        (int, "int"),
        (None, "None"),
        (type(None), "None"),
        (Any, "Any"),
        (inspect.Parameter.empty, "Any"),
        (Report, "Report"),
        (Page[int], "Page[int]"),
        (Box[int], "Box[int]"),
        (list[str], "list[str]"),
        (typing.List[str], "list[str]"),  # noqa: UP006
        (typing.List, "list"),  # noqa: UP006
        (Sequence[str], "Sequence[str]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (dict[str, list[int]], "dict[str, list[int]]"),
        (Optional[str], "str | None"),  # noqa: UP045
        (str | None, "str | None"),
        (Literal["a", None], "Literal['a', None]"),
        (Annotated[int, "doc"], "int"),
        (UserId, "UserId"),
        (T, "T"),
        (Callable[[int, str], None], "Callable[[int, str], None]"),
        (Callable[..., int], "Callable[..., int]"),
        (typing.ForwardRef("Later"), "Later"),
        ("Later", "Later"),
        (list["Later"], "list[Later]"),  # noqa: F821
        (list[list[list[list[list[int]]]]], "list[list[list[list[...]]]]"),
        (3, "3"),
    ],
)
def test_names_are_short_and_readable(t: Any, name: str) -> None:
    assert type_name(t) == name


def test_names_are_bounded() -> None:
    name = type_name(Literal[tuple(range(1000))])  # type: ignore[misc]
    assert len(name) == 120
    assert name.endswith("…")


# ----------------------------------------------------------------------- value_check


class Reply:
    title = "x"

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("t", "fitting", "other"),
    [
        (str, ["", "a"], [1, None, b""]),
        (int, [1, True], [1.0, "1", None]),
        (bool, [True], [1]),
        (float, [1.0, 1, True], ["1", 1j]),
        (complex, [1j, 1.0, 1], ["1"]),
        (None, [None], [0, ""]),
        (Base, [Base(), Derived()], [Base, Source("u")]),
        (type, [int, Base], [Base()]),
        (type[Base], [Base], [Base()]),
        (Report, [Report(title="x")], [{"title": "x"}]),
        (Page[int], [Page[int](items=[]), Page[Any](items=[])], [Report(title="x")]),
        (Row, [{"name": "x"}, {}], ["x"]),
        (Colour, [Colour.RED], ["red"]),
        (UserId, [1], ["1"]),
        (Annotated[str, []], ["a"], [1]),
        (list[str], [["a"], [1], []], [("a",), "a"]),
        (Sequence[str], [["a"], ("a",), "a"], [{"a"}, {}]),
        (dict[str, int], [{}, {1: 1}], [[]]),
        (tuple[int, str], [(1, "a")], [[1, "a"]]),
        (Box[int], [Box()], [1]),
        (str | None, ["a", None], [1]),
        (int | list[str] | None, [1, [], None], ["a"]),
        (float | None, [1, None], ["a"]),
        (Literal["a", "b"], ["a"], ["c", 1, None, []]),
        (Literal[1, "a"], [1, "a"], [True, 2, 1.0, []]),
        (Literal[True, None], [True, None], [1, False]),
        (Literal["a"] | int | None, ["a", 1, None], ["b", 1.0]),
        (Literal["a"] | Callable[..., Any], ["a", len], ["b"]),
        (Callable[[int], str], [len, str, lambda: 1], [1]),
        (Closable, [Reply()], [1]),
        (HasTitle, [Reply()], [1]),
    ],
    ids=lambda value: "" if isinstance(value, list) else type_name(value),
)
def test_values_are_checked(t: Any, fitting: list[object], other: list[object]) -> None:
    fits = value_check(t)
    assert fits is not None
    assert [fits(value) for value in fitting] == [True] * len(fitting)
    assert [fits(value) for value in other] == [False] * len(other)


@pytest.mark.parametrize(
    "t",
    [
        Any,
        object,
        inspect.Parameter.empty,
        T,
        Named,
        "Unknown",
        typing.Never,
        str | Any,
        T | None,
        Annotated[Any, []],
        Union[tuple(Literal[n] for n in range(1001))],  # noqa: UP007 - too many to look at
    ],
    ids=type_name,
)
def test_unknown_types_are_not_checked(t: Any) -> None:
    assert value_check(t) is None


def test_a_check_is_made_once_per_type() -> None:
    assert value_check(list[str] | None) is value_check(list[str] | None)
