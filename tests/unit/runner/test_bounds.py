"""Bounds of a run: on its node runs, and on the resources of an expansion."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import DefinitionError, Graph, Policy, RunError
from dagorch.errors import ExpansionError


async def work() -> int:
    return 1


async def test_a_graph_larger_than_max_node_runs_is_refused_before_it_starts() -> None:
    graph = Graph("large")
    for place in range(3):
        graph.function(work, id=f"n{place}")
    with pytest.raises(
        DefinitionError, match="max_node_runs=2 is less than the graph's own 3 nodes"
    ):
        await graph.run(max_node_runs=2)
    assert (await graph.run(max_node_runs=3)).status == "completed"


async def test_a_body_that_would_make_too_many_node_runs_fails_its_container() -> None:
    graph = Graph("outer")
    inner = Graph("inner")
    inner.input("item", int)
    inner.function(work)
    graph.map(inner, over=[1, 2, 3], id="wide")
    with pytest.raises(RunError, match="more than max_node_runs=3"):
        await graph.run(max_node_runs=3)
    assert (await graph.run(max_node_runs=4)).output == [1, 1, 1]


async def test_an_expansion_that_holds_an_unknown_resource_is_a_failed_attempt() -> None:
    async def plan() -> Any:
        inner = Graph("inner")
        inner.function(work, policy=Policy(resources=("gpu",)))
        return inner

    graph = Graph("outer")
    graph.function(plan, expand=True)
    with pytest.raises(RunError, match="no bound for: gpu") as caught:
        await graph.run()
    assert isinstance(caught.value.__cause__, ExpansionError)
