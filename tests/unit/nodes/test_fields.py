"""What a template takes of an input: keys and declared fields, and nothing else."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, NamedTuple, TypedDict

import pytest
from pydantic import BaseModel, ConfigDict, computed_field

from dagorch import LLM, DefinitionError, Graph, Ref, RunError
from dagorch.nodes.fields import field_type, get_field
from dagorch.testing import ScriptedProvider, run_virtual


class Author(BaseModel):
    name: str


class Doc(BaseModel):
    model_config = ConfigDict(extra="allow")

    title: str
    author: Author | None = None
    secret: str = "x"
    _hidden: str = "hidden"
    shared: ClassVar[str] = "shared"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def computed(self) -> str:
        raise AssertionError("a property was read")

    @property
    def shout(self) -> str:
        raise AssertionError("a property was read")

    def method(self) -> str:
        raise AssertionError("a method was called")


@dataclass
class Note:
    text: str
    doc: Doc
    seed: InitVar[int] = 3
    shared: ClassVar[str] = "shared"
    extra: dict[str, int] = field(default_factory=dict)

    @property
    def shout(self) -> str:
        raise AssertionError("a property was read")


class Typed(TypedDict):
    title: str


class Pair(NamedTuple):
    first: int


class Plain:
    title = "x"


class Greedy(dict[str, Any]):
    def __missing__(self, key: str) -> Any:
        raise AssertionError("a key was made")


DOC = Doc(title="Bees", author=Author(name="Ada"), added="more")  # type: ignore[call-arg]
NOTE = Note("text", DOC, extra={"a": 1})


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        (DOC, "title", "Bees"),
        (DOC, "author.name", "Ada"),
        (NOTE, "doc.author.name", "Ada"),
        (NOTE, "extra.a", 1),
        ({"title": 1}, "title", 1),
        (OrderedDict(keys="x"), "keys", "x"),
        (defaultdict(list, {"a": 1}), "a", 1),
        (DOC, "", DOC),
    ],
)
def test_declared_fields_and_keys_are_read(value: Any, path: str, found: Any) -> None:
    assert get_field(value, path) == found


REFUSED = [
    *[(DOC, name) for name in (
        "titel", "shout", "computed", "method", "_hidden", "shared", "added", "__class__",
        "__dict__", "model_fields", "model_dump", "title.upper", "author.__init__",
    )],
    *[(NOTE, name) for name in ("shout", "seed", "shared", "__class__", "__dataclass_fields__")],
    *[({"a": 1}, name) for name in ("b", "keys", "items", "__class__")],
    (defaultdict(list), "a"), (Greedy(), "a"), (Pair(1), "first"), (Plain(), "title"),
    (SimpleNamespace(title=1), "title"), ("text", "upper"), (3, "real"), ([1], "append"),
    (None, "title"), (Doc, "title"), (Note, "text"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "path"), REFUSED)
def test_nothing_else_is_read(value: Any, path: str) -> None:
    with pytest.raises(LookupError, match="has no field"):
        get_field(value, path)


@pytest.mark.parametrize(
    ("annotation", "path", "found"),
    [
        (Doc, "title", str),
        (Doc, "author.name", str),
        (Doc | None, "title", str),
        (Annotated[Doc, "a note"], "title", str),
        (Note, "doc.author", Author | None),
        (Typed, "title", str),
        (dict[str, Doc], "any.title", str),
        (Mapping[str, int], "any", int),
        (dict, "any", Any),
        (Any, "a.b.c", Any),
        (object, "a", Any),
        (Plain, "title", Any),
        (Doc | Author, "title", str),
        (Doc | str, "title", str),
        ("Doc", "title", Any),
    ],
)
def test_the_type_of_a_field(annotation: Any, path: str, found: Any) -> None:
    assert field_type(annotation, path) == found


@pytest.mark.parametrize(
    ("annotation", "path"),
    [
        (Doc, "titel"), (Doc, "shout"), (Doc, "title.upper"), (Doc, "__class__"), (Typed, "text"),
        (Note, "doc.titel"), (str, "upper"), (list[Doc], "title"), (int | str, "real"),
        (Doc | None, "titel"), (dict[str, Doc], "a.titel"), (None, "title"),
    ],
)  # fmt: skip
def test_a_field_that_no_value_has_is_refused(annotation: Any, path: str) -> None:
    with pytest.raises(LookupError, match="has no field"):
        field_type(annotation, path)


def make_doc() -> Doc:
    return DOC


async def make_anything() -> Any:
    return {"titel": "misspelt"}


def test_a_prompt_takes_declared_fields() -> None:
    graph = Graph()
    doc = graph.function(make_doc, id="doc")
    graph.add(LLM("ask", prompt="{doc.title} by {doc.author.name}: {note.text} {{{n.b}}}"),
              doc=doc, note=NOTE, n={"a": doc, "b": 1})  # fmt: skip
    provider = ScriptedProvider("x")
    graph.run_sync(provider=provider)
    sent = provider.requests[0].messages[0].content
    assert sent == "Bees by Ada: text {1}"


def test_a_field_that_is_not_there_is_refused_when_the_graph_is_compiled() -> None:
    graph = Graph()
    doc = graph.function(make_doc)
    note = graph.input("note", Note)
    graph.input("word", str)
    graph.add(LLM("ask", prompt="{a.titel} {note.txt} {word.upper} {c.x} {d.y} {e.a.titel}"),
              a=doc, note=note, c={"z": 1}, d={"z": doc}, e={"a": doc})  # fmt: skip
    graph.ask("person", "Is {note.shout} right?")
    with pytest.raises(DefinitionError) as caught:
        graph.compile()
    assert [problem.message.split(" has ", 1)[1] for problem in caught.value.problems] == [
        "'{a.titel}', but Doc has no field 'titel'; did you mean 'title'?",
        "'{note.txt}', but Note has no field 'txt'; did you mean 'text'?",
        "'{word.upper}', but str has no field 'upper'",
        "'{c.x}', but dict has no field 'x'; it has z",
        "'{d.y}', but dict has no field 'y'; it has z",
        "'{e.a.titel}', but Doc has no field 'titel'; did you mean 'title'?",
        "'{note.shout}', but Note has no field 'shout'; it has text, doc, extra",
    ]
    assert caught.value.problems[0].message.startswith("node 'ask': the template has ")


def test_a_field_that_is_not_there_at_run_time_fails_the_node() -> None:
    graph = Graph()
    graph.function(make_anything, id="doc")
    graph.add(LLM("ask", prompt="Sum up {doc.title}"))
    provider = ScriptedProvider("never")

    async def run() -> None:
        await graph.run(provider=provider)

    with pytest.raises(RunError, match=r"'{doc.title}', but dict has no field 'title'") as caught:
        run_virtual(run)
    assert caught.value.path == "ask"
    assert not provider.requests


def test_a_field_of_an_item_is_read_in_a_map() -> None:
    graph = Graph()
    graph.map(LLM("ask", prompt="{item.title}"), over=[DOC, {"title": "Wasps"}])
    provider = ScriptedProvider("x")
    graph.run_sync(provider=provider)
    assert {r.messages[0].content for r in provider.requests} == {"Bees", "Wasps"}


def test_a_file_takes_fields() -> None:
    from dagorch.files import dump_graph, parse_graph

    text = "inputs: {doc: 'dict[str, str]'}\nnodes: {ask: {prompt: 'About {doc.title}'}}"
    graph = parse_graph(text)
    assert parse_graph(dump_graph(graph)).fingerprint == graph.fingerprint
    provider = ScriptedProvider("x")
    graph.run_sync({"doc": {"title": "Bees"}}, provider=provider)
    assert provider.requests[0].messages[0].content == "About Bees"
    with pytest.raises(DefinitionError, match="str has no field 'title'"):
        parse_graph(text.replace("dict[str, str]", "str"))


def test_a_ref_named_like_a_field_needs_no_binding() -> None:
    graph = Graph()
    graph.function(make_doc, id="doc")
    asked = graph.add(LLM("ask", prompt="{doc.title}{doc.title}"))
    assert [p.name for p in LLM("x", prompt="{doc.title} {doc}").parameters()] == ["doc"]
    assert isinstance(asked, Ref)
    provider = ScriptedProvider("x")
    graph.run_sync(provider=provider)
    assert provider.requests[0].messages[0].content == "BeesBees"
