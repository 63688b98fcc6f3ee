"""Writing of graphs: round trips, the text, and graphs that cannot be written."""

from __future__ import annotations

import dataclasses
import enum
import json
import typing
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from dagorch import LLM, Graph, Policy, Ref
from dagorch.errors import DefinitionError
from dagorch.files import dump_graph, json_schema, load_graph, parse_graph
from dagorch.files.fields import KINDS, POLICY
from dagorch.models.llm import Message, ToolCall
from dagorch.nodes import Ask, Branch, Function, Loop, Map, Merge, Subgraph
from dagorch.nodes.base import Node
from dagorch.nodes.conditions import Condition, Label, pick
from dagorch.nodes.schema import schema_type
from tests.unit.files import own

EXAMPLES = Path(__file__).parents[3] / "examples"
OWN = ("tests.unit.files",)


def one(node: Node[Any], **bindings: Any) -> Graph:
    graph = Graph("one")
    x = graph.input("x")
    graph.add(node, **{name: x if value is Ref else value for name, value in bindings.items()})
    return graph


def round_trip(graph: Graph) -> Graph:
    text = dump_graph(graph)
    again = parse_graph(text, modules=OWN)
    assert again.fingerprint == graph.fingerprint
    assert dump_graph(again) == text
    same = parse_graph(dump_graph(graph, "json"), modules=OWN)
    assert same.fingerprint == graph.fingerprint
    return again


@pytest.mark.parametrize("after", ["p95", 2.5])
def test_a_hedge_survives(after: Any) -> None:
    again = round_trip(one(LLM("a", prompt="p", policy=Policy(hedge_after=after))))
    assert again.entries["a"].node.policy.hedge_after == after


def test_the_text_is_readable() -> None:
    graph = Graph("compare")
    question = graph.input("question", str)
    graph.input("tone", default="dry")
    angles = graph.add(LLM("angles", prompt="Angles on {question}", output=list[str]))
    views = graph.map(LLM("view", prompt="Argue {item}"), over=angles, id="view")
    enough = graph.branch("enough", Condition("n", "at_least", 3), value=views)
    report = graph.add(
        LLM("report", prompt="Weigh\n{views}\n", model="m"),
        views=views,
        after=enough["true"],
    )
    graph.output(report)
    assert isinstance(question, Ref)
    assert dump_graph(graph) == (
        """\
dagorch: 1
name: compare
inputs:
  question: str
  tone:
    default: dry
nodes:
  angles:
    prompt: Angles on {question}
    output: list[str]
  view:
    map:
      prompt: Argue {item}
    over: angles
  enough:
    branch: view
    field: n
    at_least: 3
  report:
    prompt: |
      Weigh
      {views}
    model: m
    inputs:
      views: view
    when:
      enough: true
outputs: report
"""
    )
    round_trip(graph)


WRITABLE: list[tuple[str, Node[Any], dict[str, Any]]] = [
    ("schema", LLM("a", prompt="p", output=schema_type({"enum": [1, "no"]})), {}),
    ("literal", LLM("a", prompt="p", output=Literal["a", 2, True, None]), {}),  # type: ignore[arg-type]
    ("generic", LLM("a", prompt="p", output=dict[str, list[own.Report] | None]), {}),
    ("old spelling", LLM("a", prompt="p", output=typing.Optional[int]), {}),  # type: ignore[arg-type]  # noqa: UP045
    ("sequence", LLM("a", prompt="p", output=Sequence[str]), {}),  # type: ignore[type-abstract]
    ("own class", own.Polite("a", prompt="p", words=("x", "y")), {}),
    ("own class, bare", own.Polite("a", prompt="p"), {}),
    (
        "decision",
        LLM("a", prompt="p", choices={"y": "t", "n": "f"}),
        {},
    ),
    ("words", LLM("a", prompt="p", choices=["y", "n"]), {}),
    ("decision of a class", own.Polite("a", prompt="p", choices=["y", "n"]), {}),
    ("tuple", Function("a", own.both), {"values": (1, (2, None))}),
    ("tools", LLM("a", prompt="p", tools=(own.look_up,)), {}),
    ("static", Function("a", own.Report.named), {"title": "t"}),
    ("partial", Function("a", partial(own.scale, factor=4)), {"number": 1}),
    ("decorated", Function("a", own.graph.node("decorated").fn), {"word": "w"}),  # type: ignore[attr-defined]
    ("text compared", Branch("a", Condition("x", "at_most", "2026-01-01")), {"value": Ref}),
    ("odd label", Branch("a", own.is_long, ("a, b", "[c]")), {"text": "x"}),
]


@pytest.mark.parametrize(
    ("node", "bindings"), [case[1:] for case in WRITABLE],
    ids=[case[0] for case in WRITABLE],
)  # fmt: skip
def test_it_survives(node: Node[Any], bindings: dict[str, Any]) -> None:
    round_trip(one(node, **bindings))


def _inside() -> Callable[..., Any]:
    outer = 3

    def inner(x: int) -> int:
        return x + outer

    return inner


class Hidden:
    """A callable object."""

    def __call__(self, x: int) -> int:
        return x


class Colour(enum.Enum):
    RED = 1


T = TypeVar("T")
hidden = Hidden()


def _local() -> type[LLM[str]]:
    class Local(LLM[str]):
        pass

    return Local


def _local_model() -> type[BaseModel]:
    class Local(BaseModel):
        x: int

    return Local


NOT_WRITABLE: dict[str, tuple[Node[Any], dict[str, Any], str]] = {
    "lambda": (
        Function("a", lambda x: x), {}, "its function: it is a lambda; define it with def"
    ),
    "closure": (Function("a", _inside()), {}, "'inner' is defined inside '_inside'"),
    "object": (Function("a", hidden), {}, "which has no name of its own"),
    "bound": (Function("a", hidden.__call__), {}, "is bound to an object"),
    "by position": (Function("a", partial(own.scale, 3)), {}, "pass them by name"),
    "object in a partial": (
        Function("a", partial(own.scale, factor={1})), {"number": 1}, "set is not plain data"  # type: ignore[arg-type]
    ),
    "set": (Function("a", own.both), {"values": {1, 2}}, "the constant of 'values': set is not"),
    "number keys": (Function("a", own.both), {"values": {1: 2}}, "dict is not plain data"),
    "model": (Function("a", own.both), {"values": own.Report(title="t")}, "Report is not plain"),
    "enum": (Function("a", own.both), {"values": Colour.RED}, "Colour is not plain data"),
    "NaN": (Function("a", own.both), {"values": float("nan")}, "is not finite"),
    "huge": (Function("a", own.both), {"values": 10**30}, "more than 18 digits"),
    "half a character": (Function("a", own.both), {"values": "\ud800"}, "half a character"),
    "type variable": (LLM("a", prompt="p", output=list[T]), {}, "the type T cannot be written"),  # type: ignore[valid-type]
    "local class": (
        LLM("a", prompt="p", output=_local_model()), {}, "defined inside '_local_model'"
    ),
    "local node": (_local()("a", prompt="p"), {}, "its class: 'Local' is defined inside"),
    "tool": (LLM("a", prompt="p", tools=(_inside(),)), {}, "a tool: 'inner' is defined inside"),
    "conversation": (
        LLM("a", messages=(Message("assistant", "", tool_calls=(ToolCall("1", "f", "{}"),)),)),
        {},
        "is part of a conversation with",
    ),
    "own branch": (Branch("a", lambda x: "true"), {}, "its select: it is a lambda"),
    "constant tested": (
        Branch("a", Label(), ("x",)), {"value": "x"}, "in a file it is a node or an input"
    ),
    "constant picked": (
        Function("a", pick), {"value": {"y": 1}, "field": "y"}, "in a file it is a node or an input"
    ),
    "fallback that reads others": (
        LLM("a", prompt="{value}", policy=Policy(fallback=Branch("b", Label(), ("x",)))),
        {"value": "x"},
        "its fallback: a branch cannot be a whole fallback; use a graph",
    ),
    "labels of no use": (
        Branch("a", Label("", ("x",)), ("x",)), {"value": "x"}, "which has no name of its own"
    ),
    "fallback": (
        LLM("a", prompt="p", policy=Policy(fallback=Colour.RED)), {}, "its fallback: Colour"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("node", "bindings", "message"), NOT_WRITABLE.values(), ids=NOT_WRITABLE)
def test_the_error_names_the_node_and_what_to_do(
    node: Node[Any], bindings: dict[str, Any], message: str
) -> None:
    graph = one(node, **bindings)
    with pytest.raises(DefinitionError) as caught:
        dump_graph(graph)
    problem = caught.value.problems[0]
    assert message in problem.message
    assert (problem.node, "'a'" in problem.message) == ("a", True)
    assert problem.where


def test_collections_are_written_in_order() -> None:
    graph = Graph("collected")
    x = graph.input("x")
    a = graph.function(own.shout, id="a", text=x)
    graph.function(own.both, id="b", values=[a, 1, x])
    graph.function(own.same, id="c", value={"node": a, "deep": (x, [a])})
    graph.map(Function("d", own.shout), over=[a, x], id="d")
    nodes = json.loads(dump_graph(graph, "json"))["nodes"]
    assert nodes["b"]["inputs"] == {"values": ["a", {"value": 1}, "x"]}
    assert nodes["c"]["inputs"] == {
        "value": {"mapping": {"node": "a", "deep": {"tuple": ["x", ["a"]]}}}
    }
    assert nodes["d"]["over"] == {"list": ["a", "x"]}
    assert Draft202012Validator(json_schema()).is_valid({"nodes": nodes})
    round_trip(graph)


def test_a_collection_with_other_keys_than_text_is_not_written() -> None:
    graph = Graph("keys")
    a = graph.function(own.shout, id="a", text="x")
    graph.function(own.same, id="b", value={1: a})
    with pytest.raises(DefinitionError, match="the collection of 'value': the key 1 is not text"):
        dump_graph(graph)


def test_every_option_of_nodes_and_policies_has_a_field() -> None:
    # A new option without a field would be lost silently when a graph is written.
    options = {f.name for f in dataclasses.fields(Policy)}
    assert options == set(POLICY)
    for kind, node in {
        "llm": LLM, "function": Function, "branch": Branch, "merge": Merge, "loop": Loop,
        "map": Map, "subgraph": Subgraph, "ask": Ask,
    }.items():  # fmt: skip
        own = {f.name for f in dataclasses.fields(node) if f.init} - {"id", "policy"}  # type: ignore[arg-type]
        known = {*KINDS[kind].fields, *KINDS["select"].fields}
        spelled = {"fn": "function", "body": kind, "question": "ask"}
        assert {spelled.get(name, name) for name in own} <= known, kind


def test_everything_that_cannot_be_written_is_reported_at_once() -> None:
    graph = Graph("two")
    graph.input("x", default=Colour.RED)
    graph.input("y", T)
    graph.function(lambda x: x, id="a")
    body = Graph("body")
    body.input("state")
    body.function(lambda state: state, id="b")
    graph.loop("c", body, max_iterations=1, state=1, until=lambda s: True)
    with pytest.raises(DefinitionError) as caught:
        dump_graph(graph)
    assert [problem.node for problem in caught.value.problems] == ["x", "y", "a", "b", "c"]


def test_a_graph_that_is_too_large_for_a_file_is_refused() -> None:
    graph = Graph("many")
    for number in range(10_001):
        graph.function(own.both, id=f"n{number}", values=1)
    with pytest.raises(DefinitionError, match="10,000 nodes and 100,000 values at most"):
        dump_graph(graph)
    deep = one(LLM("a", prompt="p"))
    for _ in range(25):
        outer = Graph("deep")
        outer.subgraph(deep, id="in", x=1)
        deep = outer
        deep.input("x")
    with pytest.raises(DefinitionError, match="nest more than 20 deep"):
        dump_graph(deep)


def test_an_invalid_graph_is_not_written() -> None:
    with pytest.raises(DefinitionError, match="is not bound"):
        dump_graph(one(LLM("a", prompt="{missing}")))


def test_the_order_of_after_is_kept() -> None:
    graph = Graph("order")
    x = graph.input("x")
    way = graph.branch("way", own.enough, ("a", "b"), state=x)
    first = graph.function(own.shout, id="first", text="x")
    for number, after in enumerate(
        ([way["a"], first], [first, way["a"]], [way["a"], way["b"]], [way["a", "b"], first, first])
    ):
        graph.function(own.shout, id=f"n{number}", text="x", after=after)
    graph.merge("all", [way["a"], first, way], reducer=own.both)
    round_trip(graph)


def test_what_a_node_comes_after_however_it_ends_is_kept() -> None:
    graph = Graph("ends")
    first = graph.function(own.shout, id="first", text="x")
    second = graph.function(own.shout, id="second", text="x", after_end=first)
    graph.merge("all", [first, second], reducer=own.both, after_end=[second, first])
    again = round_trip(graph)
    assert again.entries["second"].after_end == ("first",)
    assert again.entries["all"].after_end == ("second", "first")
    assert "after_end: first" in dump_graph(graph)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_fits_the_published_schema(path: Path) -> None:
    validator = Draft202012Validator(json_schema())
    data = yaml.safe_load(path.read_text("utf-8"))
    assert not [error.message for error in validator.iter_errors(data)]
    round_trip(load_graph(path))


def test_the_published_schema_is_valid_and_refuses_what_the_loader_refuses() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert json.loads(json.dumps(schema)) == schema
    for wrong in (
        {},
        {"nodes": {}},
        {"nodes": {"a": {"promt": "x"}}},
        {"nodes": {"a": {"prompt": "x", "messages": []}}},
        {"nodes": {"a/b": {"prompt": "x"}}},
        {"nodes": {"a": {"loop": {"prompt": "x"}}}},
        {"nodes": {"a": {"map": {"prompt": "x", "after": "b"}, "over": []}}},
        {"nodes": {"a": {"prompt": "x", "fallback": 3}}},
        {"dagorch": 2, "nodes": {"a": {"prompt": "x"}}},
    ):
        assert not validator.is_valid(wrong)
        with pytest.raises(DefinitionError):
            parse_graph(json.dumps(wrong))


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(DefinitionError, match=r"no format 'toml'; use yaml or json"):
        dump_graph(Graph("one"), "toml")  # type: ignore[arg-type]
