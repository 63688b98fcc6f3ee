"""Annotations: what may flow where, how a type is named and tested, and what a function takes."""

from __future__ import annotations

import asyncio
import collections
import collections.abc as abc
import functools
import gc
import inspect
import sys
import typing
import weakref
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

from dagorch.nodes.signature import FunctionSignature, ParameterSpec, signature_of
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
def test_what_may_match_may_flow(source: Any, target: Any) -> None:
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
def test_what_cannot_match_is_refused(source: Any, target: Any) -> None:
    assert not can_flow(source, target)
    assert not can_flow(source, target)


def test_very_deep_types_are_taken_as_unknown() -> None:
    deep_int: Any = int
    deep_str: Any = str
    for _ in range(200):
        deep_int, deep_str = list[deep_int], list[deep_str]
    assert can_flow(deep_int, deep_str)


def test_aliases_are_what_they_name() -> None:
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
def test_values_are_tested(t: Any, fitting: list[object], other: list[object]) -> None:
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
def test_nothing_is_tested_where_nothing_is_known(t: Any) -> None:
    assert value_check(t) is None


def test_a_check_is_made_once_per_type() -> None:
    assert value_check(list[str] | None) is value_check(list[str] | None)


# ---------------------------------------------------------------------- signature_of


def later(value: Undefined, report: list["Report"]) -> Row: ...  # type: ignore[name-defined]  # noqa: F821, UP037


class Tool:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, query: str) -> int:
        return 1

    async def fetch(self, url: str, *, tries: int = 1) -> bytes:
        return b""

    @classmethod
    def make(cls, name: str) -> Tool:
        return cls()

    @staticmethod
    def parse(text: str) -> int:
        return 1


class AsyncTool:
    async def __call__(self, query: str) -> int:
        return 1


def names(signature: FunctionSignature) -> list[str]:
    return [parameter.name for parameter in signature.parameters]


def test_a_plain_function() -> None:
    def fn(a: int, b, c: str | None = None, *, d: list[str], e: float = 1.0) -> Report: ...  # type: ignore[no-untyped-def]

    assert signature_of(fn) == FunctionSignature(
        parameters=(
            ParameterSpec("a", int),
            ParameterSpec("b", Any),
            ParameterSpec("c", str | None, required=False),
            ParameterSpec("d", list[str], kind="keyword-only"),
            ParameterSpec("e", float, required=False, kind="keyword-only"),
        ),
        returns=Report,
    )
    assert signature_of(fn) is signature_of(fn)


def test_annotations_need_not_be_strings() -> None:
    namespace: dict[str, Any] = {}
    exec("def fn(a: int, b: list['str'] = ()) -> None: ...", namespace)
    signature = signature_of(namespace["fn"])
    assert [p.annotation for p in signature.parameters] == [int, list[str]]
    assert signature.returns is type(None)


def test_functions_without_annotations_promise_nothing() -> None:
    signature = signature_of(lambda a, b=1: a)
    assert [(p.name, p.annotation, p.required) for p in signature.parameters] == [
        ("a", Any, True),
        ("b", Any, False),
    ]
    assert signature.returns is Any
    assert not signature.is_async


def test_keywords_are_told() -> None:
    assert signature_of(lambda **rest: 1).accepts_any_keyword
    assert not signature_of(lambda: 1).accepts_any_keyword


@pytest.mark.parametrize(
    ("fn", "problem"),
    [
        (lambda x, /, y: 1, "parameter 'x' is positional-only; nodes receive inputs by name"),
        (lambda *items: 1, "parameter '*items' has no names; nodes receive inputs by name"),
        (len, "parameter 'obj' is positional-only; nodes receive inputs by name"),
        (dict, "'dict' hides its parameters; wrap it in a function"),
        (3, "'int' hides its parameters; wrap it in a function"),
        (functools.partial(lambda *items: 1), "parameter '*items' has no names; nodes"),
        (lambda a, *, b=1, **c: 1, ""),
        (functools.partial(lambda a, **c: 1), ""),
    ],
)
def test_what_cannot_be_called_by_name_is_told(fn: Any, problem: str) -> None:
    found = signature_of(fn).problem
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


def test_methods_and_callable_objects_lose_their_first_parameter() -> None:
    tool = Tool()
    assert names(signature_of(tool)) == ["query"]
    assert signature_of(tool).returns is int
    assert names(signature_of(tool.fetch)) == ["url", "tries"]
    assert names(signature_of(Tool.fetch)) == ["self", "url", "tries"]
    assert names(signature_of(Tool.make)) == ["name"]
    assert signature_of(Tool.make).returns is Tool
    assert names(signature_of(tool.parse)) == ["text"]
    assert signature_of(tool.fetch) is signature_of(Tool().fetch)


def test_self_may_be_positional_only() -> None:
    class Strict:
        def run(self, /, x: int) -> int:
            return x

    assert signature_of(Strict().run).problem == ""
    assert "'self'" in signature_of(Strict.run).problem


def test_a_class_gives_itself() -> None:
    assert signature_of(Report).returns is Report
    assert [(p.name, p.annotation) for p in signature_of(Report).parameters] == [("title", str)]
    assert [(p.name, p.annotation) for p in signature_of(Source).parameters] == [("url", str)]


def test_a_partial_has_what_is_left() -> None:
    def fn(a: int, b: Report, *, c: str) -> Row: ...

    signature = signature_of(functools.partial(fn, 1, c="x"))
    assert signature.parameters == (
        ParameterSpec("b", Report),
        ParameterSpec("c", str, required=False, kind="keyword-only"),
    )
    assert signature.returns is Row
    assert names(signature_of(functools.partial(Tool().fetch, tries=2))) == ["url", "tries"]


def test_decorators_are_looked_through() -> None:
    def plain(a: Report, b: int = 1) -> str:
        return ""

    @functools.wraps(plain)
    async def wrapper(*args: Any, **kwargs: Any) -> Any: ...

    signature = signature_of(wrapper)
    assert signature.parameters == (
        ParameterSpec("a", Report),
        ParameterSpec("b", int, required=False),
    )
    assert signature.returns is str
    assert signature.is_async
    assert not signature.problem


@pytest.mark.parametrize(
    ("fn", "is_async"),
    [
        (Tool().fetch, True),
        (AsyncTool(), True),
        (Tool(), False),
        (functools.partial(Tool().fetch, "u"), True),
        (functools.partial(AsyncTool(), "u"), True),
        (asyncio.sleep, True),
        (functools.partial(len, []), False),
        (len, False),
        (lambda: asyncio.sleep(1), False),
        (Report, False),
    ],
)
def test_coroutine_functions_are_known(fn: Any, is_async: bool) -> None:
    assert signature_of(fn).is_async == is_async


def test_awaitables_are_unwrapped() -> None:
    def one() -> Awaitable[str]: ...
    def two() -> Coroutine[Any, Any, list[int]]: ...
    def three() -> asyncio.Future[int]: ...
    async def four() -> Awaitable[str]: ...
    def five() -> Awaitable: ...  # type: ignore[type-arg]

    returns = [signature_of(fn).returns for fn in (one, two, three, four, five)]
    assert returns == [str, list[int], int, Awaitable[str], Any]
    assert all(signature_of(fn).is_async for fn in (one, two, three, four, five))


def test_an_unresolved_annotation_spoils_itself_alone_and_only_until_it_is_defined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signature = signature_of(later)
    assert [p.annotation for p in signature.parameters] == [Any, list[Report]]
    assert signature.returns is Row
    assert signature.unresolved == ("value",)
    monkeypatch.setitem(globals(), "Undefined", Base)
    assert signature_of(later).parameters[0].annotation is Base
    assert signature_of(later).unresolved == ()


def test_local_classes_are_found_in_the_closure() -> None:
    class Local: ...

    def seen(a: Local) -> Local:
        return Local()

    def hidden(a: Local) -> None: ...

    assert signature_of(seen).returns is Local
    assert signature_of(hidden).unresolved == ("a",)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax came with Python 3.12")
def test_type_parameters_are_known_to_string_annotations() -> None:
    scope: dict[str, Any] = {}
    exec("from __future__ import annotations\ndef fn[T](x: T) -> list[T]: ...", scope)
    signature = signature_of(scope["fn"])
    assert signature.unresolved == ()
    assert type_name(signature.returns) == "list[T]"


def test_a_name_of_the_closure_may_not_be_assigned_yet() -> None:
    def early(a: int) -> int:
        return late + a

    assert signature_of(early).returns is int
    late = 1


def test_metadata_and_literals_are_no_forward_references() -> None:
    def fn(a: Annotated[int, "Undefined"], b: Literal["Undefined"], c: Callable[[int], str]): ...  # type: ignore[no-untyped-def]

    signature = signature_of(fn)
    assert signature.unresolved == ()
    assert [p.annotation for p in signature.parameters] == [
        Annotated[int, "Undefined"],
        Literal["Undefined"],
        Callable[[int], str],
    ]


def test_signatures_keep_nothing_alive() -> None:
    def fn(a: int) -> int:
        return a

    class Local: ...

    references = [weakref.ref(thing) for thing in (fn, Local)]
    assert signature_of(fn).parameters
    assert signature_of(Local).returns is Local
    del fn, Local
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_functions_of_one_shape_share_a_signature() -> None:
    def make() -> Callable[..., Any]:
        async def fn(a: int, *, b: Report | None = None, c: str = "") -> Report: ...

        return fn

    def plain() -> Callable[..., Any]:
        async def fn(a: int, *, c: str = "") -> Report: ...

        return fn

    one, two = plain(), plain()
    assert signature_of(one) is signature_of(two)
    assert signature_of(make()) == signature_of(make())


def test_one_shape_of_other_types_defaults_or_names_is_another_signature() -> None:
    def first(a: int, b: int = 1) -> int: ...
    def types(a: int, b: str = "") -> int: ...
    def names(a: int, c: int = 1) -> int: ...
    def defaults(a: int, b: int) -> int: ...
    def returns(a: int, b: int = 1) -> str: ...
    def keywords(a: int, *, b: int = 1) -> int: ...
    def star(a: int, b: int = 1, *c: int) -> int: ...
    def positional(a: int, b: int = 1, /) -> int: ...
    async def awaited(a: int, b: int = 1) -> int: ...

    all_of_them = [first, types, names, defaults, returns, keywords, star, positional, awaited]
    found = [signature_of(fn) for fn in all_of_them]
    assert len(set(found)) == len(found)
    assert [p.name for p in signature_of(Tool.fetch).parameters] == ["self", "url", "tries"]
    assert [p.name for p in signature_of(Tool().fetch).parameters] == ["url", "tries"]


def test_unions_are_told_as_each_function_writes_them() -> None:
    def one(a: int | str) -> None: ...
    def two(a: str | int) -> None: ...

    told = [type_name(signature_of(fn).parameters[0].annotation) for fn in (one, two)]
    assert told == ["int | str", "str | int"]


def test_signatures_stay_right_when_more_functions_come_than_are_kept() -> None:
    def make(number: int) -> Callable[..., Any]:
        def fn(a: list[int]) -> int:
            return number

        return fn

    made = [make(number) for number in range(2_500)]
    assert {signature_of(fn) for fn in [*made, *made]} == {signature_of(made[0])}


def test_records_are_frozen_and_slotted() -> None:
    signature = signature_of(lambda a: a)
    for record in (signature, signature.parameters[0]):
        assert not hasattr(record, "__dict__")
        assert hash(record) is not None


@dataclass
class Defaults:
    items: list[str] = field(default_factory=list)


def test_a_dataclass_default_is_a_default() -> None:
    assert not signature_of(Defaults).parameters[0].required
