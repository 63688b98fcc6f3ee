"""Graphs as networkx graphs, and back."""

from __future__ import annotations

import random
from typing import Any

import networkx
import pytest

from dagorch import LLM, DefinitionError, Graph
from dagorch.errors import CycleError
from dagorch.nodes import Function
from tests.property.circumstances import spec_of, world_of
from tests.property.graphs import with_collections
from tests.property.spec import build


async def step() -> None: ...


async def echo(text: Any = None, texts: Any = None, parts: Any = None) -> Any:
    return text or texts or parts


def test_a_networkx_graph_has_bindings_and_labels_and_is_frozen() -> None:
    graph = Graph("g")
    choice = graph.branch("choice", lambda: True)

    async def f(a: int, b: int) -> int:
        return a + b

    one = graph.function(step, id="one", after=choice["true"])
    graph.function(f, a=one, b=one)
    assert graph.nx.edges["one", "f"]["bindings"] == ("a", "b")
    assert graph.nx.edges["choice", "one"]["labels"] == {"true"}
    with pytest.raises(networkx.NetworkXError):
        graph.nx.add_node("x")


@pytest.mark.parametrize("seed", range(60))
def test_a_graph_and_back_has_the_same_fingerprint(seed: int) -> None:
    spec = with_collections(spec_of(seed), random.Random(seed))
    graph = build(spec, world_of(seed))
    again = Graph.from_networkx(graph.nx)
    assert again.fingerprint == graph.fingerprint
    assert again.name == graph.name
    assert [node.id for node in again] == [node.id for node in graph]
    assert networkx.utils.graphs_equal(
        networkx.DiGraph(graph.nx.edges(data=True)), networkx.DiGraph(again.nx.edges(data=True))
    )


def test_every_kind_of_binding_survives_the_conversion() -> None:
    graph = Graph("all")
    graph.input("topic", str)
    graph.input("tone", str, default="warm")
    choice = graph.branch("choice", lambda topic: bool(topic))
    draft = graph.add(LLM("draft", prompt="{topic} in a {tone} tone"), after=choice["true"])
    both = graph.function(
        echo, id="both", text=draft, texts=[draft, 1, draft], parts={"a": [draft]}
    )
    graph.merge("joined", [both, draft, both], after=choice)
    graph.function(echo, id="bound by name and by label", text=choice, after=choice["true"])
    graph.output(draft, both)
    again = Graph.from_networkx(graph.nx)
    assert again.fingerprint == graph.fingerprint
    assert again.inputs["tone"].default == "warm"
    assert all(ref.graph is again for ref in again.outputs)


def source(*edges: tuple[str, str, dict[str, Any]]) -> networkx.DiGraph[str]:
    made: networkx.DiGraph[str] = networkx.DiGraph()
    for id in ("a", "b", "c"):
        made.add_node(id, node=echo, bindings={} if id == "c" else {"text": id})
    made.add_edges_from(edges)
    return made


@pytest.mark.parametrize(
    ("facts", "value"),
    [
        (({"bindings": "text"}, {}), "a"),
        (({"bindings": ["text"]}, {"bindings": ("texts",)}), "a"),
        (({"bindings": "texts[1]"}, {"bindings": "texts[0]"}), ["b", "a"]),
        (({"bindings": ["texts[0]", "texts[2]"]}, {"bindings": "texts[1]"}), ["a", "b", "a"]),
        (({"bindings": "parts[x]"}, {"bindings": "parts[1]"}), {"x": "a", "1": "b"}),
        (({"bindings": "parts[x][0]"}, {"bindings": "parts[x][1]"}), {"x": ["a", "b"]}),
        (({}, {}), None),
    ],
)
def test_edges_of_a_plain_graph_bind_parameters(facts: Any, value: Any) -> None:
    graph = Graph.from_networkx(source(("a", "c", facts[0]), ("b", "c", facts[1])))
    assert graph.run_sync()["c"] == value
    assert {*graph.nx.edges} == {("a", "c"), ("b", "c")}


def test_labels_inputs_and_outputs_of_a_plain_graph() -> None:
    plain = networkx.DiGraph(name="plain", inputs={"topic": str}, outputs=["yes"])
    choice = Graph("other")
    choice.branch("choice", lambda topic: topic == "bees")
    plain.add_node("choice", node=choice.node("choice"))
    plain.add_node("yes", node=Function("yes", echo), bindings={"text": "taken"})
    plain.add_node("no", node=echo)
    plain.add_edge("choice", "yes", labels={"true"})
    plain.add_edge("choice", "no", labels=["false"])
    graph = Graph.from_networkx(plain)
    assert graph.name == "plain"
    result = graph.run_sync(topic="bees")
    assert result["yes"] == "taken"
    assert [ref.id for ref in graph.outputs] == ["yes"]
    assert result.get("no").end == "skipped"


def changed(change: Any) -> networkx.DiGraph[str]:
    made = source(("a", "c", {"bindings": "text"}))
    change(made)
    return made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.add_node("d"), "node 'd' has no attribute 'node': set nodes['d']['node']"),
        (lambda g: g.add_node("d", node=7), "node 'd' has no attribute 'node'"),
        (lambda g: g.add_node("d", node=Function("e", echo)), "a node of another id, 'e'"),
        (lambda g: g.add_edge("b", "c", bindings="txt"), "no input 'txt'; did you mean 'text'"),
        (lambda g: g.add_edge("a", "c", bindings="[0]"), "the binding '[0]'; write 'texts[0]'"),
        (lambda g: g.add_edge("a", "c", bindings="texts[1]"), "has gaps in 'texts'"),
        (
            lambda g: g.add_edge("a", "c", bindings=("texts", "texts[0]")),
            "binds 'texts' as a whole and in parts",
        ),
        (lambda g: g.add_edge("c", "b", bindings="text"), "node 'b' binds 'text' twice"),
        (lambda g: g.add_edge("b", "c", labels={"x"}), "waits for label 'x' of 'b'"),
        (lambda g: g.graph.update(outputs=["z"]), "output 'z'"),
    ],
)
def test_problems_of_a_plain_graph_are_named(change: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Graph.from_networkx(changed(change))
    assert message in str(caught.value)


def test_a_cycle_is_named() -> None:
    made = source(("a", "b", {}), ("b", "c", {}), ("c", "a", {}))
    with pytest.raises(CycleError) as caught:
        Graph.from_networkx(made)
    assert caught.value.cycle == ("a", "b", "c", "a")


def test_every_problem_is_reported_at_once() -> None:
    made = source()
    made.add_nodes_from("xyz")
    with pytest.raises(DefinitionError) as caught:
        Graph.from_networkx(made)
    assert [problem.node for problem in caught.value.problems] == ["x", "y", "z"]


def test_an_edge_removed_from_a_copy_contradicts_the_bindings() -> None:
    graph = Graph()
    a = graph.function(echo, id="a", text=1)
    graph.function(echo, id="b", texts=[a])
    copy = networkx.DiGraph(graph.nx)
    copy.remove_edge("a", "b")
    with pytest.raises(DefinitionError, match="node 'b' is bound to 'a', but there is no edge"):
        Graph.from_networkx(copy)
    copy.nodes["b"]["bindings"] = {}
    assert Graph.from_networkx(copy).sinks() == ["a", "b"]


def test_a_graph_without_directions_is_refused() -> None:
    with pytest.raises(DefinitionError, match="is not a directed networkx graph"):
        Graph.from_networkx(networkx.Graph())
