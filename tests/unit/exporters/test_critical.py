"""The critical path through frames, attempts and waits for slots."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest

from dagorch import DefinitionError, Graph, Policy, RunError
from dagorch.exporters import critical_path
from dagorch.models.result import Result
from dagorch.nodes.function import Function
from dagorch.testing import run_virtual


def lasting(id: str, seconds: float, *, fails: bool = False) -> Function[Any]:
    async def work() -> str:
        await anyio.sleep(seconds)
        if fails:
            raise ValueError(id)
        return id

    return Function(id, work)


def steps(result: Result) -> list[tuple[str, float, float]]:
    return [(s.path, s.waited_seconds, s.seconds) for s in critical_path(result)]


def ran(build: Callable[[Graph], Any], **options: Any) -> Result:
    graph = Graph("run")
    build(graph)

    async def main() -> Result:
        return await graph.run(**options)

    return run_virtual(main)


def test_the_chain_of_a_failed_run_ends_at_the_failure() -> None:
    def build(graph: Graph) -> None:
        graph.add(lasting("fine", 2))
        broken = graph.add(lasting("broken", 3, fails=True), after=graph.add(lasting("first", 1)))
        graph.add(lasting("never", 1), after=broken)
        graph.add(lasting("stopped", 9))

    with pytest.raises(RunError) as caught:
        ran(build)
    assert steps(caught.value.partial_results) == [("first", 0, 1), ("broken", 0, 3)]


def test_an_item_that_waited_comes_after_the_item_that_ended() -> None:
    def build(graph: Graph) -> None:
        async def nap(item: float) -> None:
            await anyio.sleep(item)

        graph.map(Function("nap", nap), over=[2.0, 1.0, 4.0, 3.0], max_parallel=2)

    # 0 and 1 begin; 1 ends first and lets 2 in, 0 then lets 3 in; 2 and 3 both end at 5.
    assert steps(ran(build)) == [("nap[0]/nap", 0, 2), ("nap[3]/nap", 0, 3)]


def test_a_pass_comes_after_the_previous_pass() -> None:
    def build(graph: Graph) -> None:
        body = Graph("body")
        body.input("state", float)

        async def nap(state: float) -> float:
            await anyio.sleep(state)
            return state + 1

        async def check(nap: float) -> float:
            return nap

        body.function(nap)
        body.function(check)
        graph.loop("grow", body, max_iterations=3, state=1.0)

    assert [(path, s) for path, _, s in steps(ran(build)) if s] == [
        ("grow[0]/nap", 1), ("grow[1]/nap", 2), ("grow[2]/nap", 3),
    ]  # fmt: skip


def test_a_failed_node_comes_before_its_fallback() -> None:
    def build(graph: Graph) -> None:
        policy = Policy(fallback=lasting("safe", 2))
        graph.add(replace(lasting("risky", 3, fails=True), policy=policy))

    assert steps(ran(build)) == [("risky", 0, 3), ("risky[fallback]/safe", 0, 2)]


def test_a_node_that_expands_comes_before_its_expansion() -> None:
    def build(graph: Graph) -> None:
        async def plan() -> Graph:
            await anyio.sleep(1)
            made = Graph("made")
            made.add(lasting("short", 1))
            made.add(lasting("long", 5))
            return made

        graph.function(plan, expand=True)

    assert steps(ran(build)) == [("plan", 0, 1), ("plan/long", 0, 5)]


def test_the_wait_for_a_slot_is_counted() -> None:
    def build(graph: Graph) -> None:
        graph.add(lasting("a", 2))
        graph.add(lasting("b", 3))

    assert steps(ran(build, max_parallel=1)) == [("b", 2, 3)]


def test_skipped_node_runs_are_left_out() -> None:
    def build(graph: Graph) -> None:
        async def ask() -> str:
            await anyio.sleep(1)
            return "no"

        def choose(ask: str) -> str:
            return ask

        graph.function(ask)
        pick = graph.branch("pick", choose, ("yes", "no"))
        yes = graph.add(lasting("yes_work", 9), after=pick["yes"])

        async def after(value: str = "none") -> None:
            await anyio.sleep(2)

        graph.function(after, value=yes, after=graph.add(lasting("aside", 0.5)))

    assert [(path, s) for path, _, s in steps(ran(build)) if s] == [("ask", 1), ("after", 2)]


def test_a_pickled_result_needs_its_graph_beside_it() -> None:
    result = ran(lambda graph: graph.add(lasting("a", 1)))
    kept = pickle.loads(pickle.dumps(result))
    with pytest.raises(DefinitionError, match="pass the graph as well"):
        critical_path(kept)
    assert critical_path(kept, result.graph) == critical_path(result)
