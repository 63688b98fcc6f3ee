"""Rails beside a list of nodes: following the lines gives every edge and no other."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.exporters.pictures.rails import Rail, draw_rails, order_nodes

Edges = dict[str, list[str]]


@st.composite
def dags(draw: st.DrawFn) -> Edges:
    """Random graphs: nodes in any order, with their predecessors."""
    names = [f"n{i}" for i in range(draw(st.integers(1, 14)))]
    edges = {
        name: draw(st.lists(st.sampled_from(names[:i]), unique=True, max_size=4)) if i else []
        for i, name in enumerate(names)
    }
    return {name: edges[name] for name in draw(st.permutations(names))}


def followed(rails: list[Rail]) -> Edges:
    """Read the edges from the characters."""
    found: Edges = {}
    goes_down: dict[int, str] = {}
    for rail in rails:
        own = rail.line.index("●")
        into = {own} if own in goes_down else set()
        for step in (-1, 1):
            place = own + step
            while 0 <= place < len(rail.line) and rail.line[place] != " ":
                if rail.line[place] in "├┤┼┴╯╰":
                    into.add(place)
                if rail.line[place] in ("╰├" if step < 0 else "╯┤"):
                    break
                assert rail.line[place] in "─│┼┴", rail.line
                place += step
        found[rail.node] = sorted(goes_down[place] for place in into)
        down = {place for place, character in enumerate(rail.below) if character == "│"}
        for place, character in enumerate(rail.line):
            if place != own and character in "│├┤┼":
                assert place in down
            if character in "╯╰┴":
                assert place not in down
        goes_down = {
            place: rail.node if place == own else goes_down[place] for place in sorted(down)
        }
    return found


@given(dags())
def test_the_rails_show_exactly_the_edges_of_the_graph(edges: Edges) -> None:
    order = order_nodes(edges)
    assert sorted(order) == sorted(edges)
    for node, before in edges.items():
        assert all(order.index(source) < order.index(node) for source in before)
    rails = draw_rails(order, edges, dict.fromkeys(edges, "●"), 100)
    assert rails is not None
    assert followed(rails) == {node: sorted(before) for node, before in edges.items()}


@given(dags())
def test_a_node_without_successors_does_not_look_like_the_source_of_the_next(
    edges: Edges,
) -> None:
    rails = draw_rails(order_nodes(edges), edges, dict.fromkeys(edges, "●"), 100)
    assert rails is not None
    for above, below in pairwise(rails):
        own = below.line.index("●")
        if above.line.index("●") == own:
            assert above.node in edges[below.node]


def test_chains_side_by_side_are_drawn_one_after_the_other() -> None:
    edges: Edges = {"a1": [], "b1": [], "a2": ["a1"], "b2": ["b1"], "end": ["a2", "b2"]}
    order = order_nodes(edges)
    assert order == ["a1", "a2", "b1", "b2", "end"]
    rails = draw_rails(order, edges, dict.fromkeys(edges, "●"), 9)
    assert rails is not None
    assert [rail.line for rail in rails] == ["●", "●", "│ ●", "│ ●", "●─╯"]


@pytest.mark.parametrize(("columns", "fits"), [(4, False), (5, True)])
def test_the_number_of_columns_is_limited(columns: int, fits: bool) -> None:
    edges: Edges = {f"n{i}": [] for i in range(5)} | {"end": [f"n{i}" for i in range(5)]}
    assert (draw_rails(list(edges), edges, dict.fromkeys(edges, "●"), columns) is not None) is fits


def test_ten_thousand_nodes_are_ordered() -> None:
    edges: Edges = {"first": []} | {f"n{i}": ["first"] for i in range(10_000)}
    edges["last"] = [name for name in edges if name != "first"]
    assert order_nodes(edges) == list(edges)
    assert draw_rails(list(edges), edges, dict.fromkeys(edges, "●"), 20) is None
