"""Parameters and return types of functions, by their signatures."""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    TypedDict,
    TypeVar,
)

import pytest
from pydantic import BaseModel

from dagorch.nodes.signature import (
    FunctionSignature,
    ParameterSpec,
    _read_foreign,
    _read_plain,
    signature_of,
)
from dagorch.nodes.types import type_name

T = TypeVar("T")
U = TypeVar("U")
UserId = NewType("UserId", int)
AdminId = NewType("AdminId", UserId)


class Base: ...


class Report(BaseModel):
    title: str


class Row(TypedDict):
    name: str


@dataclass
class Source:
    url: str


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


def test_functions_without_annotations_have_types_any() -> None:
    signature = signature_of(lambda a, b=1: a)
    assert [(p.name, p.annotation, p.required) for p in signature.parameters] == [
        ("a", Any, True),
        ("b", Any, False),
    ]
    assert signature.returns is Any
    assert not signature.is_async


def test_a_function_of_any_keywords_is_recognized() -> None:
    assert signature_of(lambda **rest: 1).accepts_any_keyword
    assert not signature_of(lambda: 1).accepts_any_keyword


@pytest.mark.parametrize(
    ("fn", "problem"),
    [
        (lambda x, /, y: 1, "parameter 'x' is positional-only; nodes receive inputs by name"),
        (lambda *items: 1, "parameter '*items' has no names; nodes receive inputs by name"),
        (len, "parameter 'obj' is positional-only; nodes receive inputs by name"),
        (dict, "'dict' has no readable signature; wrap it in a function"),
        (3, "'int' has no readable signature; wrap it in a function"),
        (functools.partial(lambda *items: 1), "parameter '*items' has no names; nodes"),
        (lambda a, *, b=1, **c: 1, ""),
        (functools.partial(lambda a, **c: 1), ""),
    ],
)
def test_a_function_that_cannot_be_called_by_name_has_a_problem(fn: Any, problem: str) -> None:
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


def test_a_class_returns_its_instance() -> None:
    assert signature_of(Report).returns is Report
    assert [(p.name, p.annotation) for p in signature_of(Report).parameters] == [("title", str)]
    assert [(p.name, p.annotation) for p in signature_of(Source).parameters] == [("url", str)]


def test_a_partial_has_the_remaining_parameters() -> None:
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
def test_coroutine_functions_are_recognized(fn: Any, is_async: bool) -> None:
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


def test_an_unresolved_annotation_affects_only_itself_until_defined(
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


def test_metadata_and_literals_are_not_forward_references() -> None:
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


def test_different_types_defaults_or_names_make_different_signatures() -> None:
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


def test_unions_are_named_as_each_function_writes_them() -> None:
    def one(a: int | str) -> None: ...
    def two(a: str | int) -> None: ...

    named = [type_name(signature_of(fn).parameters[0].annotation) for fn in (one, two)]
    assert named == ["int | str", "str | int"]


def test_signatures_stay_right_when_the_cache_overflows() -> None:
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


def _without_parameters() -> None: ...


def _plain(a, b=1):  # type: ignore[no-untyped-def]
    ...


def _strings(a: "int", *, b: "list[Row]" = ()) -> "Row": ...  # type: ignore[assignment]  # noqa: UP037


def _all_kinds(a: int, /, b: str, c: float = 0.0, *rest: Any, d: bytes, e: Any = None) -> Row: ...


async def _coroutine(a: Report | None = None, **more: Any) -> list[int]: ...


def _awaitable(a: Base) -> Awaitable[int]: ...


def _unresolved(a: Undefined, b: int) -> "list[Undefined]": ...  # type: ignore[name-defined]  # noqa: F821, UP037


@pytest.mark.parametrize(
    "fn",
    [_without_parameters, _plain, _strings, _all_kinds, _coroutine, _awaitable, _unresolved, later],
)
def test_both_readers_agree(fn: Any) -> None:
    assert _read_plain(fn, 0) == _read_foreign(fn)
