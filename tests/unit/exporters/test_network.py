"""networkx and GraphML have the graph's nodes and edges, and after a run their ends."""

from __future__ import annotations

import json
import pickle
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagorch import LLM, Graph
from dagorch.exporters import to_graphml, to_networkx
from dagorch.models.result import Result
from dagorch.providers import ScriptedProvider
from tests.property.graphs import specs
from tests.property.spec import GraphSpec, build
from tests.property.world import World
from tests.unit.exporters.graphs import everything


def read(text: str) -> networkx.DiGraph:
    return networkx.parse_graphml(text)


@settings(max_examples=20)
@given(specs())
def test_any_graph_has_its_nodes_and_edges_in_both(spec: GraphSpec) -> None:
    graph = build(spec, World(0, instant=True))
    plain, back = to_networkx(graph), read(to_graphml(graph))
    assert list(plain) == list(graph.entries) == list(back)
    assert set(plain.edges) == set(graph.nx.edges) == set(back.edges)
    for edge in plain.edges:
        bindings = [parameter for parameter in graph.nx.edges[edge]["bindings"] if parameter]
        assert json.loads(back.edges[edge]["bindings"]) == bindings
        assert json.loads(back.edges[edge]["labels"]) == sorted(graph.nx.edges[edge]["labels"])
    assert {id: back.nodes[id]["kind"] for id in back} == {
        id: entry.node.kind.value for id, entry in graph.entries.items()
    }


@settings(max_examples=20)
@given(
    st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/[]"), min_size=1)
)
def test_any_id_survives_a_round_trip(id: str) -> None:
    graph = Graph(id)

    async def step() -> int:
        return 1

    graph.function(step, id=id)
    kept = id.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    back = read(to_graphml(graph))
    assert list(back) == [kept]
    assert back.graph["name"] == kept


def test_an_llm_node_has_its_model() -> None:
    graph = Graph("models")
    graph.add(LLM("small", prompt="Hi", model="grok-3-mini"))
    graph.add(LLM("any", prompt="Hi"))
    nodes = dict(to_networkx(graph).nodes(data=True))
    assert nodes == {"small": {"kind": "llm", "model": "grok-3-mini"}, "any": {"kind": "llm"}}


async def ran() -> tuple[Graph, Result]:
    graph = everything()
    provider = ScriptedProvider("fine words", price_per_token=1)
    return graph, await graph.run(question="why", provider=provider)


async def test_a_run_adds_how_each_node_ended() -> None:
    graph, result = await ran()
    plain = read(to_graphml(graph, result))
    assert plain.graph["status"] == "completed"
    assert plain.graph["run_id"] == result.run_id
    assert set(plain.edges) == set(graph.nx.edges)
    assert plain.nodes["brief"]["end"] == "skipped"
    assert "did not pick" in plain.nodes["brief"]["reason"]
    assert "started_seconds" not in plain.nodes["brief"]
    report: dict[str, Any] = plain.nodes["report"]
    assert report["critical"] is True
    assert report["attempts"] == 1
    assert plain.nodes["brief"]["critical"] is False
    inside = sum(run.usage.cost_usd for path, run in result.node_runs.items() if "view[" in path)
    assert plain.nodes["view"]["cost_usd"] == float(inside) > 0
    total = sum(plain.nodes[id]["cost_usd"] for id in plain)
    assert total == pytest.approx(float(result.cost_usd)) == plain.graph["cost_usd"]


async def test_a_pickled_result_gives_the_same_network() -> None:
    graph, result = await ran()
    again = to_networkx(graph, pickle.loads(pickle.dumps(result)))
    assert dict(again.nodes(data="end")) == dict(to_networkx(graph, result).nodes(data="end"))
