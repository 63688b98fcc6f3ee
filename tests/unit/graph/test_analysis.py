"""Work, span and the critical path, against networkx and by hand."""

from __future__ import annotations

import random

import networkx
import pytest

from dagorch import DefinitionError, Graph
from dagorch.graph.analysis import critical_path, work
from dagorch.nodes import Function


async def step() -> None: ...


def random_graph(seed: int) -> tuple[Graph, dict[str, float]]:
    rng = random.Random(seed)
    graph = Graph("random")
    refs: list[object] = []
    for i in range(12):
        after = [ref for ref in refs if rng.random() < 0.3]
        refs.append(graph.add(Function(f"n{i}", step), after=after))
    return graph, {f"n{i}": rng.choice([0.0, 1.0, 2.5, 4.0]) for i in range(12)}


@pytest.mark.parametrize("seed", range(25))
def test_critical_path_is_as_long_as_networkx_says(seed: int) -> None:
    graph, seconds = random_graph(seed)
    found = critical_path(graph, seconds)
    weighted = networkx.DiGraph()
    weighted.add_nodes_from(graph.nx)
    for source, target in graph.nx.edges:
        weighted.add_edge(source, target, weight=seconds[source])
    ends = {n: seconds[n] for n in weighted}
    for n in reversed(list(networkx.topological_sort(weighted))):
        ends[n] = seconds[n] + max((ends[m] for m in weighted.successors(n)), default=0.0)
    assert found.seconds == pytest.approx(max(ends.values()))
    assert sum(seconds[n] for n in found.nodes) == pytest.approx(found.seconds)
    assert all(graph.nx.has_edge(a, b) for a, b in zip(found.nodes, found.nodes[1:], strict=False))
    assert work(graph, seconds) == pytest.approx(sum(seconds.values()))


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_seconds_must_be_finite_and_not_negative(value: float) -> None:
    graph, seconds = random_graph(1)
    with pytest.raises(DefinitionError, match="'n3'"):
        critical_path(graph, {**seconds, "n3": value})


def test_a_node_without_seconds_is_named() -> None:
    graph, seconds = random_graph(1)
    del seconds["n5"]
    with pytest.raises(DefinitionError, match="'n5'"):
        work(graph, seconds)
