"""The shape of random graphs, against brute force."""

from __future__ import annotations

import itertools
import random
import sys

import networkx
import pytest

from dagorch import DefinitionError, Graph, Ref
from dagorch.errors import CycleError
from dagorch.graph import (
    ancestors,
    bottlenecks,
    descendants,
    max_antichain,
    transitive_reduction,
    width,
)
from dagorch.nodes import Function

SEEDS = range(40)


async def step() -> None: ...


def random_graph(seed: int) -> Graph:
    chance = random.Random(seed)
    graph = Graph("random")
    share = chance.choice((0.15, 0.3, 0.6))
    for i in range(chance.randint(1, 9)):
        after = [Ref(graph, f"n{j}") for j in range(i) if chance.random() < share]
        graph.add(Function(f"n{i}", step), after=after)
    return graph


def reached(graph: Graph, start: str, without: str = "") -> set[str]:
    """Return all reachable nodes, by brute force."""
    found: set[str] = set()
    pending = [start]
    for node in pending:
        for source, target in graph.nx.edges:
            if source == node and target not in found and target != without:
                found.add(target)
                pending.append(target)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_ancestors_and_descendants(seed: int) -> None:
    graph = random_graph(seed)
    for node in graph:
        assert descendants(graph, node.id) == reached(graph, node.id)
        assert ancestors(graph, node.id) == {n.id for n in graph if node.id in reached(graph, n.id)}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_reduction_has_the_same_order_and_only_needed_edges(seed: int) -> None:
    graph = random_graph(seed)
    reduced = transitive_reduction(graph)
    assert set(reduced.nodes) == {node.id for node in graph}
    assert set(reduced.edges) <= set(graph.nx.edges)
    for edge in graph.nx.edges:
        assert networkx.has_path(reduced, *edge)
    for source, target in reduced.edges:
        others = networkx.DiGraph(set(reduced.edges) - {(source, target)})
        others.add_nodes_from(reduced)
        assert not networkx.has_path(others, source, target)
    assert all(reduced.nodes[id]["node"] is graph.node(id) for id in reduced)
    assert networkx.is_frozen(reduced)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_antichain_is_the_largest(seed: int) -> None:
    graph = random_graph(seed)
    ids = [node.id for node in graph]
    after = {id: reached(graph, id) for id in ids}

    def independent(chosen: tuple[str, ...]) -> bool:
        return all(
            b not in after[a] and a not in after[b] for a, b in itertools.combinations(chosen, 2)
        )

    largest = max(
        size
        for size in range(1, len(ids) + 1)
        if any(map(independent, itertools.combinations(ids, size)))
    )
    found = max_antichain(graph)
    assert independent(found)
    assert len(found) == width(graph) == largest
    assert list(found) == sorted(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_bottlenecks_are_on_every_path(seed: int) -> None:
    graph = random_graph(seed)
    sources = [id for id in graph.nx if not graph.nx.pred[id]]
    sinks = {id for id in graph.nx if not graph.nx.succ[id]}

    def is_passed(node: str) -> bool:
        open_sources = [id for id in sources if id != node]
        return not any(({id} | reached(graph, id, node)) & (sinks - {node}) for id in open_sources)

    expected = [id for id in networkx.topological_sort(graph.nx) if is_passed(id)]
    assert list(bottlenecks(graph)) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_the_antichain_of_a_graph_too_large_for_brute_force(seed: int) -> None:
    chance = random.Random(seed)
    graph = Graph("layers")
    for i in range(30):
        after = [Ref(graph, f"n{j}") for j in range(i) if chance.random() < 0.1]
        graph.add(Function(f"n{i}", step), after=after)
    found = max_antichain(graph)
    assert not any(set(found) & descendants(graph, id) for id in found)
    # As many chains cover the graph as the antichain has nodes, so no antichain is larger.
    closure = networkx.transitive_closure_dag(networkx.DiGraph(graph.nx.edges))
    pairs = networkx.Graph((("before", a), ("after", b)) for a, b in closure.edges)
    assert len(found) == 30 - len(networkx.max_weight_matching(pairs, maxcardinality=True))


def test_the_width_of_a_long_zigzag_needs_no_recursion() -> None:
    # Added in this order, each pair but the first is matched by a path through all before it.
    graph = Graph("zigzag")
    lows = [graph.function(step, id=f"low{n}") for n in range(1_500)]
    for n in range(1_500):
        graph.function(step, id=f"high{n}", after=lows[max(0, n - 1) : n + 1])
    assert width(graph) == 1_500


def test_the_width_of_a_long_chain_is_found_quickly() -> None:
    def calls(size: int) -> int:
        graph = Graph("chain")
        for i in range(size):
            graph.add(Function(f"n{i}", step), after=[Ref(graph, f"n{i - 1}")] if i else [])
        counted = 0

        def count(*_: object) -> None:
            nonlocal counted
            counted += 1

        sys.setprofile(count)
        try:
            assert width(graph) == 1
        finally:
            sys.setprofile(None)
        return counted

    calls(10)
    assert calls(80) < 5 * calls(40)  # the closure has four times as many edges


def test_an_unknown_node_is_named() -> None:
    graph = Graph("g")
    graph.function(step, id="draft")
    with pytest.raises(
        DefinitionError, match="graph 'g' has no node 'darft'; did you mean 'draft'"
    ):
        ancestors(graph, "darft")


@pytest.mark.parametrize("question", [transitive_reduction, max_antichain, width, bottlenecks])
def test_a_cycle_is_refused(question: object) -> None:
    graph = Graph()
    graph.function(step, id="a", after=Ref(graph, "b"))
    graph.function(step, id="b", after=Ref(graph, "a"))
    with pytest.raises(CycleError):
        question(graph)  # type: ignore[operator]
