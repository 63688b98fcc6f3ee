"""Graphs as networkx graphs, and back."""

from __future__ import annotations

import random
from typing import Any

import networkx
import pytest

from dagorch import LLM, DefinitionError, Graph, Ref
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
    joined = graph.merge("joined", [both, draft, both], after=choice)
    graph.function(echo, id="bound by name and by label", text=choice, after=choice["true"])
    graph.function(echo, id="last", text="a", after=both, after_end=[both, choice, joined])
    graph.output(draft, both)
    again = Graph.from_networkx(graph.nx)
    assert again.fingerprint == graph.fingerprint
    assert again.entries["last"].after_end == ("both", "choice", "joined")
    waits = {other: facts["any_end"] for other, _, facts in graph.nx.in_edges("last", data=True)}
    assert waits == {"both": False, "choice": True, "joined": True}
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
        (({"bindings": "parts[x\ny]"}, {"bindings": "parts[ ]"}), {"x\ny": "a", " ": "b"}),
        (({"bindings": "parts[x][0]"}, {"bindings": "parts[x][1]"}), {"x": ["a", "b"]}),
        (({}, {}), None),
    ],
)
def test_edges_of_a_plain_graph_bind_parameters(facts: Any, value: Any) -> None:
    graph = Graph.from_networkx(source(("a", "c", facts[0]), ("b", "c", facts[1])))
    assert graph.run_sync()["c"] == value
    assert {*graph.nx.edges} == {("a", "c"), ("b", "c")}


def test_an_edge_of_a_plain_graph_can_wait_for_any_end() -> None:
    plain = source(("a", "c", {}), ("b", "c", {"any_end": True}))
    entry = Graph.from_networkx(plain).entries["c"]
    assert (entry.after, entry.after_end) == (("a",), ("b",))


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
        (lambda g: g.add_edge("b", "c", bindings="text"), "'c' binds 'text' twice: from 'a' and"),
        (lambda g: g.add_edge("a", "c", bindings=["texts[0]"] * 2), "binds 'texts[0]' twice"),
        (lambda g: g.add_edge("a", "c", bindings="texts[00]"), "has gaps in 'texts'"),
        (lambda g: g.add_edge("a", "c", bindings=f"texts[{'1' * 5_000}]"), "has gaps in 'texts'"),
        (lambda g: g.add_edge("a", "c", bindings="texts" + "[0]" * 5_000), "more than 8 deep"),
        (lambda g: g.graph.update(outputs=["z"]), "output 'z'"),
    ],
)
def test_problems_of_a_plain_graph_are_named(change: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Graph.from_networkx(changed(change))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.graph.update(name=5), "the graph has the attribute name=5"),
        (lambda g: g.graph.update(inputs=["x"]), "the graph has the attribute inputs=['x']"),
        (lambda g: g.graph.update(inputs=None), "attribute inputs=None, which is not a dict"),
        (lambda g: g.graph.update(outputs=5), "attribute outputs=5, which is not a list of ids"),
        (lambda g: g.graph.update(outputs=None), "attribute outputs=None"),
        (lambda g: g.graph.update(outputs=[["a"]]), "attribute outputs=[['a']]"),
        (lambda g: g.nodes["b"].update(after=None), "node 'b' has the attribute after=None"),
        (lambda g: g.nodes["b"].update(after=[5]), "node 'b' has the attribute after=[5]"),
        (lambda g: g.nodes["b"].update(sources=None), "node 'b' has the attribute sources=None"),
        (lambda g: g.nodes["b"].update(sources=["a"]), "which is not a list of refs"),
        (lambda g: g.nodes["b"].update(bindings=None), "node 'b' has the attribute bindings=None"),
        (lambda g: g.nodes["b"].update(bindings=["text"]), "which is not a dict by parameter"),
        (lambda g: g.nodes["b"].update(bindings={1: 2}), "which is not a dict by parameter"),
        (lambda g: g.nodes["b"].update(bindings={"text": {Ref(None, "a")}}), "a set cannot hold"),
        (lambda g: g.add_edge("b", "c", bindings=None), "node 'c' has the attribute bindings=None"),
        (lambda g: g.add_edge("b", "c", bindings=5), "node 'c' has the attribute bindings=5"),
        (lambda g: g.add_edge("b", "c", bindings=[None]), "has the attribute bindings=[None]"),
        (lambda g: g.add_edge("b", "c", labels=None), "node 'c' has the attribute labels=None"),
        (lambda g: g.add_edge("b", "c", labels=5), "node 'c' has the attribute labels=5"),
        (lambda g: g.add_node(5, node=echo), "an id must be a string"),
    ],
)
def test_an_attribute_of_a_wrong_type_is_refused(change: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Graph.from_networkx(changed(change))
    assert message in str(caught.value)


@pytest.mark.parametrize("wrong", [None, "a", {}, networkx.DiGraph])
def test_something_else_than_a_graph_is_refused(wrong: Any) -> None:
    with pytest.raises(DefinitionError, match="is not a directed networkx graph"):
        Graph.from_networkx(wrong)


def test_a_string_is_one_label_and_one_output() -> None:
    choice = Graph("other")
    choice.branch("choice", lambda: True)
    plain = networkx.DiGraph(outputs="yes")
    plain.add_node("choice", node=choice.node("choice"))
    plain.add_node("yes", node=echo)
    plain.add_edge("choice", "yes", labels="true")
    graph = Graph.from_networkx(plain)
    assert graph.nx.edges["choice", "yes"]["labels"] == {"true"}
    assert [ref.id for ref in graph.outputs] == ["yes"]


@pytest.mark.parametrize("key", ["a]b", "[", "a\nb", "]", "", ("x", 1), "x][y", 1])
def test_any_key_of_a_dict_survives_the_conversion(key: Any) -> None:
    graph = Graph()
    a, b = (graph.function(echo, id=id, text=1) for id in "ab")
    graph.function(echo, id="c", parts={key: a, "x": {"y": b}, "1": b})
    again = Graph.from_networkx(graph.nx)
    assert again.fingerprint == graph.fingerprint
    assert again.nx.edges["a", "c"] == graph.nx.edges["a", "c"]


@pytest.mark.parametrize("place", ["texts[5]", "texts", "texts[0][0]"])
def test_an_edge_must_agree_with_the_bindings_of_its_node(place: str) -> None:
    made = source(("a", "c", {"bindings": place}))
    made.nodes["c"]["bindings"] = {"texts": [Ref(None, "a")]}
    with pytest.raises(DefinitionError, match="binds 'texts' twice: in its attribute and by an"):
        Graph.from_networkx(made)
    made.edges["a", "c"]["bindings"] = "texts[0]"
    assert Graph.from_networkx(made).run_sync()["c"] == ["a"]


def test_the_labels_of_an_edge_must_agree_with_its_node() -> None:
    graph = Graph()
    choice = graph.branch("choice", lambda: True)
    graph.function(echo, id="yes", text=choice, after=choice["true"])
    graph.function(echo, id="always", text=choice)
    copy = networkx.DiGraph(graph.nx)
    copy.edges["choice", "always"]["labels"] = {"false"}
    copy.edges["choice", "yes"]["labels"] = set()
    with pytest.raises(DefinitionError) as caught:
        Graph.from_networkx(copy)
    yes, always = (problem.message for problem in caught.value.problems)
    assert "'yes' has an edge from 'choice' with the labels [], but its attributes have" in yes
    assert "'always' has an edge from 'choice' with the labels ['false'], but its" in always


def test_the_conversion_asks_for_the_nodes_of_the_source_a_fixed_number_of_times() -> None:
    class Counting(networkx.DiGraph):  # type: ignore[type-arg]
        walks = 0

        def __iter__(self) -> Any:
            type(self).walks += 1
            return super().__iter__()

    made = Counting()
    for number in range(20):
        made.add_node(f"n{number}", node=echo, bindings={"text": number})
    Graph.from_networkx(made)
    assert Counting.walks == 1


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
