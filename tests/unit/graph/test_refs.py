"""Refs where no value can be: in text, as ids, inside the user's own classes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic
import pytest
from rich.pretty import pretty_repr

from dagorch import LLM, DefinitionError, Graph, Ref, RunError
from dagorch.nodes import Ask, Map
from dagorch.testing import ScriptedProvider, run_virtual


def draft() -> str:
    return "a draft"


def takes(value: Any) -> Any:
    return value


def joined(values: list[str]) -> str:
    return " ".join(values)


@pytest.fixture
def graph() -> Graph:
    return Graph("g")


AS_TEXT: list[Callable[[Any], object]] = [
    lambda ref: f"Improve {ref}",
    lambda ref: f"Improve {ref:>20}",
    lambda ref: f"Improve {ref!s}",
    lambda ref: "Improve {}".format(ref),  # noqa: UP032
    lambda ref: "Improve {draft}".format(draft=ref),  # noqa: UP032
    lambda ref: "Improve %s" % ref,  # noqa: UP031
    lambda ref: "Improve " + ref,
    lambda ref: ref + " is improved",
    lambda ref: [1] + ref,  # noqa: RUF005
    lambda ref: ", ".join([str(ref)]),
    lambda ref: ", ".join(map(str, [ref])),
    str,
    format,
]


@pytest.mark.parametrize("write", AS_TEXT)
def test_a_ref_cannot_become_text(graph: Graph, write: Callable[[Any], object]) -> None:
    for ref in (graph.function(draft), graph.branch("way", lambda draft: True)):
        with pytest.raises(DefinitionError, match=rf"ref '{ref.id}' (has no text|cannot be added)"):
            write(ref)


def test_the_error_says_how_to_bind_it(graph: Graph) -> None:
    ref = graph.function(draft)
    with pytest.raises(DefinitionError, match=r"'{draft}' \(without f before the quotes\)"):
        LLM("better", prompt=f"Improve {ref}")


def test_the_repr_of_a_ref_is_for_debugging(graph: Graph, caplog: Any) -> None:
    ref = graph.branch("way", lambda: True)
    assert repr(ref) == "<dagorch.Ref 'way'>"
    assert repr(ref["true", "false"]) == "<dagorch.Ref 'way'['false']['true']>"
    assert pretty_repr({"a": ref}) == "{'a': <dagorch.Ref 'way'>}"
    assert f"{ref!r} {[ref]}" == "<dagorch.Ref 'way'> [<dagorch.Ref 'way'>]"
    logging.getLogger("dagorch.test").warning("bound %r", ref)
    assert "bound <dagorch.Ref 'way'>" in caplog.text


@pytest.mark.parametrize(
    "make",
    [
        lambda ref: LLM("x", prompt=f"Weigh {[ref]}"),
        lambda ref: LLM("x", prompt="Weigh", system=f"{ref!r}"),
        lambda ref: LLM("x", messages=[{"role": "user", "content": str({"a": ref})}]),
        lambda ref: Ask("x", f"Is {ref!r} right?").parameters(),
    ],
)
def test_the_repr_of_a_ref_is_refused_in_a_prompt(graph: Graph, make: Callable[[Any], Any]) -> None:
    ref = graph.function(draft)
    with pytest.raises(DefinitionError, match="repr of a ref"):
        make(ref)


def test_the_repr_of_a_ref_is_refused_as_a_constant(graph: Graph) -> None:
    ref = graph.function(draft)
    graph.function(takes, value=f"{[ref]}")
    with pytest.raises(DefinitionError, match=r"of node 'takes'.*made from the repr of a ref"):
        graph.compile()


IDS: list[tuple[str, Callable[[Graph, Any], Any]]] = [
    ("function 'takes': after='draft' ", lambda g, _: g.function(takes, value=1, after="draft")),
    ("function 'takes': after='draft' is not a ref",
     lambda g, ref: g.function(takes, value=1, after=[ref, "draft"])),
    ("merge 'all': sources has 'draft', which is not", lambda g, _: g.merge("all", "draft")),  # type: ignore[arg-type]
    ("merge 'all': sources has 'draft', which is not a ref",
     lambda g, ref: g.merge("all", [ref, "draft"])),
    ("output 'draft' is not a ref", lambda g, _: (g.output("draft"), g.compile())),  # type: ignore[func-returns-value,arg-type]
    ("output .*draft.* is not a ref", lambda g, ref: (g.output([ref]), g.compile())),  # type: ignore[func-returns-value,arg-type]
    ("map 'm': over='draft' is text, whose items are its letters",
     lambda g, _: (g.map(LLM("m", prompt="{item}"), over="draft"), g.compile())),
    ("map 'm': over=b'draft' is text",
     lambda g, _: (g.map(LLM("m", prompt="{item}"), over=b"draft"), g.compile())),
    ("map 'm': over=5 is not a sequence",
     lambda g, _: (g.map(LLM("m", prompt="{item}"), over=5), g.compile())),
    ("map 'm': over={'a': 1} is a mapping",
     lambda g, _: (g.map(LLM("m", prompt="{item}"), over={"a": 1}), g.compile())),
    ("map 'm': over='draft' is text", lambda g, _: (
        g.add(Map("m", one_item(g)), item="draft"), g.compile())),
]  # fmt: skip


def one_item(graph: Graph) -> Graph:
    body = graph.new("body")
    body.input("item")
    body.add(LLM("ask", prompt="{item}"))
    return body


@pytest.mark.parametrize(("message", "build"), IDS)
def test_text_is_no_ref(graph: Graph, message: str, build: Callable[[Graph, Any], Any]) -> None:
    ref = graph.function(draft)
    with pytest.raises(DefinitionError, match=message):
        build(graph, ref)


def test_a_text_that_equals_an_id_is_a_constant(graph: Graph) -> None:
    graph.function(draft)
    taken = graph.function(takes, value="draft")
    assert graph.run_sync()[taken] == "draft"


@pytest.mark.parametrize("items", ["three", b"three", {"a": 1}, 3])
def test_a_map_refuses_text_that_comes_in_at_run_time(graph: Graph, items: Any) -> None:
    graph.input("items")
    graph.map(LLM("m", prompt="{item}"), over=Ref(graph, "items"))

    async def run() -> None:
        await graph.run({"items": items}, provider=ScriptedProvider("never"))

    with pytest.raises(RunError, match="map 'm' runs over") as caught:
        run_virtual(run)
    assert caught.value.path == "m"


class Pages(Sequence[Any]):
    """A user's own sequence."""

    def __init__(self, *pages: Any) -> None:
        self._pages = list(pages)

    def __getitem__(self, index: Any) -> Any:
        raise AssertionError("loads a page")

    def __len__(self) -> int:
        raise AssertionError("counts the pages")


class Slotted(Mapping[str, Any]):
    """A user's own mapping, with slots."""

    __slots__ = ("_held", "_unset")

    def __init__(self, **held: Any) -> None:
        self._held = held

    def __getitem__(self, key: str) -> Any:
        raise AssertionError("reads")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("walks")

    def __len__(self) -> int:
        raise AssertionError("counts")


@dataclass
class Holder:
    value: Any


class Model(pydantic.BaseModel):
    value: Any


@pytest.mark.parametrize(
    "wrap",
    [
        lambda ref: Pages(ref),
        lambda ref: Pages(1, [ref]),
        lambda ref: Slotted(a=ref),
        lambda ref: Holder(ref),
        lambda ref: Model(value=[ref]),
        lambda ref: [Holder(ref)],
        lambda ref: {"a": Pages(ref)},
    ],
)
def test_a_ref_in_an_object_is_refused(graph: Graph, wrap: Callable[[Any], Any]) -> None:
    graph.function(takes, value=wrap(graph.function(draft)))
    with pytest.raises(DefinitionError, match="cannot hold refs; pass them in a list"):
        graph.compile()


@pytest.mark.parametrize("value", [Pages(1), Slotted(a=[1]), Holder([1]), Model(value={"a": 1})])
def test_an_object_without_refs_is_a_constant_that_is_never_read(graph: Graph, value: Any) -> None:
    taken = graph.function(takes, value=value)
    assert graph.run_sync()[taken] is value
