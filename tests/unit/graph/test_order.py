"""Edges by number, a topological order, and a cycle if there is no order."""

from __future__ import annotations

import random

import pytest

from dagorch import Graph, Ref
from dagorch.errors import CycleError
from dagorch.graph.edges import resolve_edges
from dagorch.graph.order import Order


async def work() -> int: ...


def ordered(predecessors: dict[str, list[str]]) -> Order:
    graph = Graph("ordered")
    for id, after in predecessors.items():
        graph.function(work, id=id, after=[Ref(graph, other) for other in after])
    return Order(resolve_edges(graph))


def test_nodes_added_after_their_predecessors_keep_their_order() -> None:
    order = ordered({"a": [], "b": ["a"], "c": ["a", "b"]})
    assert list(order.nodes) == [0, 1, 2]
    assert (order.sources, order.targets) == ([0, 0, 1], [1, 2, 2])
    assert (order.starts, order.in_degree) == ([0, 0, 1, 3], [0, 1, 2])
    assert order.out_edges == [(0, 1), (2,), ()]
    assert order.cycle == []


def test_nodes_added_in_any_order_come_after_their_predecessors() -> None:
    chance = random.Random(7)
    for _ in range(50):
        ids = [f"n{number}" for number in range(12)]
        wanted = {id: chance.sample(ids[:rank], min(rank, 2)) for rank, id in enumerate(ids)}
        chance.shuffle(ids)
        order = ordered({id: wanted[id] for id in ids})
        place = {ids[node]: place for place, node in enumerate(order.nodes)}
        assert sorted(place.values()) == list(range(12))
        assert all(place[before] < place[id] for id in ids for before in wanted[id])


def test_a_graph_without_nodes_has_an_order_without_nodes() -> None:
    order = ordered({})
    assert (list(order.nodes), order.starts, order.out_edges) == ([], [0], [])


def test_inputs_are_not_predecessors() -> None:
    graph = Graph("fed")
    graph.input("number", int)

    async def double(number: int) -> int: ...

    async def add(number: int, double: int) -> int: ...

    graph.function(double)
    graph.function(add)
    table = resolve_edges(graph)
    order = Order(table)
    assert (order.sources, order.targets, order.in_degree) == ([0], [1], [0, 1])
    assert [table.parameters[place] for place in order.places] == ["double"]


def test_a_cycle_is_listed_forwards_without_nodes_outside_it() -> None:
    order = ordered({"start": [], "c": ["b"], "a": ["c", "start"], "b": ["a"], "end": ["b"]})
    assert list(order.nodes) == [0]
    walked = order.cycle
    assert sorted(walked) == [1, 2, 3]
    following = dict(zip(walked, [*walked[1:], walked[0]], strict=True))
    assert following == {2: 3, 3: 1, 1: 2}


def test_the_cycle_begins_with_the_id_that_sorts_first() -> None:
    graph = Graph("round")
    for id, after in {"c": "b", "a": "c", "b": "a"}.items():
        graph.function(work, id=id, after=[Ref(graph, other) for other in after])
    with pytest.raises(CycleError) as caught:
        graph.compile()
    assert caught.value.cycle == ("a", "b", "c", "a")


def test_an_input_with_the_id_of_a_node_is_not_part_of_a_cycle() -> None:
    graph = Graph("twice")
    graph.input("a", int)
    graph.function(work, id="a", after=Ref(graph, "b"))
    graph.function(work, id="b", after=[Ref(graph, "a"), Ref(graph, "c")])
    graph.function(work, id="c", after=Ref(graph, "b"))
    with pytest.raises(CycleError) as caught:
        graph.compile()
    assert caught.value.cycle == ("b", "c", "b")


def test_after_is_kept_as_an_id_unless_it_is_more() -> None:
    graph = Graph("kept")
    first = graph.function(work, id="first")
    asked = graph.branch("asked", lambda: True)
    graph.function(work, id="last", after=[first, asked, asked["true"], first])
    assert graph.entries["last"].after == ("first", "asked", asked["true"], "first")
