"""
Each node of a graph fails once: everything that the clean run had finished by then is kept.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from dagorch import Graph, RunError
from dagorch.errors import BadRequestError
from dagorch.runner.outcome import result_of, run_error
from tests.property.driver import Driven, Driver
from tests.property.graphs import LIMITS, generate
from tests.property.spec import GraphSpec, NodeSpec
from tests.property.world import Act, World, shown

INPUTS = {"x": 3}


class OneFails(World):
    """A world in which one node run fails for good instead of succeeding."""

    victim = ""

    def act(self, spec: NodeSpec, path: str, number: int) -> Act:
        act = super().act(spec, path, number)
        if path == self.victim:
            return replace(act, end="error", error=BadRequestError("the victim"))
        return act


def run(spec: GraphSpec, seed: int, victim: str, slots: int) -> tuple[Driver, Driven]:
    world = OneFails(seed, instant=False)
    world.victim = victim
    driver = Driver(spec, world, slots, limits=LIMITS, quick=bool(seed % 2))
    return driver, driver.run(INPUTS)


def seeds(quick: int, full: int) -> list[Any]:
    """Return `full` seeds, of which the first `quick` run by default."""
    return [*range(quick), *(pytest.param(n, marks=pytest.mark.full) for n in range(quick, full))]


def attempting(clean: Driven) -> list[str]:
    """Return the node runs that made an attempt and completed."""
    return sorted({a.path for a in clean.started if clean.ends[a.path].end == "completed"})


@pytest.mark.parametrize("seed", seeds(40, 80))
def test_what_finished_before_a_failure_is_what_the_clean_run_finished_by_then(seed: int) -> None:
    slots = random.Random(seed).choice((1, 2, 4, 1000))
    spec = generate(random.Random(seed), calm=True, size=10)
    _, clean = run(spec, seed, "", slots)
    for victim in attempting(clean):
        driver, seen = run(spec, seed, victim, slots)
        assert seen.ends[victim].end in ("failed", "cancelled"), (
            "cancelled, if it had become unwanted"
        )
        begun = next(attempt.time for attempt in clean.started if attempt.path == victim)
        when = min(
            clean.ends[victim].time,
            begun + driver.world.act(driver.specs[id_of(victim)], victim, 1).seconds,
        )
        before = {path: ending for path, ending in clean.ends.items() if ending.time < when}
        assert {path: seen.ends.get(path) for path in before} == before
        started = [a for a in clean.started if a.time < when]
        assert seen.started[: len(started)] == started
        error = run_error(driver.core, result_of(driver.core, driver.graph, 0))
        if error is not None:
            assert error.partial_results is not None
            assert_holds_all_that_finished(driver, seen, error.partial_results, before)


def id_of(path: str) -> str:
    return path.rpartition("/")[2]


def assert_holds_all_that_finished(
    driver: Driver, seen: Driven, partial: Any, before: dict[str, Any]
) -> None:
    completed = {path for path, ending in seen.ends.items() if ending.end == "completed"}
    assert set(partial.values) == {path for path in completed if "/" not in path}
    assert {path for path, run in partial.node_runs.items() if run.end == "completed"} == completed
    for path, ending in before.items():
        if "/" not in path and ending.end == "completed":
            assert shown(partial[path]) == ending.value
    assert partial.status == "failed"
    assert partial.usage == driver.core.usage


@pytest.mark.parametrize("seed", seeds(30, 60))
def test_what_does_not_depend_on_a_node_that_may_fail_is_as_in_the_clean_run(seed: int) -> None:
    spec = generate(random.Random(seed), calm=True, size=10, depth=2)
    for node in spec.everything():
        node.wait = "all"  # a quorum's value may change with any failure
        node.resources = ()
    for node in spec.nodes:
        node.on_error = "continue"
    _, clean = run(spec, seed, "", 1000)
    for victim in attempting(clean):
        top = victim.partition("/")[0].partition("[")[0]
        driver, seen = run(spec, seed, victim, 1000)
        result = result_of(driver.core, driver.graph, 0)
        for node in spec.nodes:
            if node.id not in downstream(spec, top):
                assert seen.ends[node.id] == clean.ends[node.id]
                if seen.ends[node.id].end == "completed":
                    assert shown(result[node.id]) == clean.ends[node.id].value
        assert "cancelled" not in {seen.ends[node.id].end for node in spec.nodes}


def downstream(spec: GraphSpec, id: str) -> set[str]:
    """Return a node and everything that depends on it."""
    found = {id}
    while True:
        more = {
            node.id
            for node in spec.nodes
            for source in (
                *(p.source[0] for p in node.params if p.source),
                *(id for id, _ in (*node.sources, *node.after)),
                *node.after_end,
            )
            if source in found
        }
        if more <= found:
            return found
        found |= more


# -- the same through the public API ---------------------------------------------------------------


@pytest.mark.parametrize("victim", ["plan", "left", "right", "deeper", "join"])
async def test_partial_results_of_a_real_run_are_the_finished_part_of_the_clean_one(
    victim: str,
) -> None:
    def working(id: str) -> Any:
        async def work(**inputs: Any) -> Any:
            if id == victim:
                raise OSError(id)
            return [id, inputs]

        return work

    graph = Graph("diamond")
    plan = graph.function(working("plan"), id="plan")
    left = graph.function(working("left"), id="left", plan=plan)
    right = graph.function(working("right"), id="right", plan=plan)
    deeper = graph.function(working("deeper"), id="deeper", right=right)
    graph.function(working("join"), id="join", left=left, deeper=deeper)
    with pytest.raises(RunError, match=f"node '{victim}' failed: OSError: {victim}") as caught:
        await graph.run(max_parallel=1)
    expected: dict[str, Any] = {}
    expected["plan"] = ["plan", {}]
    expected["left"] = ["left", {"plan": expected["plan"]}]
    expected["right"] = ["right", {"plan": expected["plan"]}]
    expected["deeper"] = ["deeper", {"right": expected["right"]}]
    order = ["plan", "right", "left", "deeper", "join"]  # the critical path first
    finished = order[: order.index(victim)]
    partial = caught.value.partial_results
    assert dict(partial.values) == {id: expected[id] for id in finished}
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.path == victim
    ends = {path: node_run.end for path, node_run in partial.node_runs.items()}
    assert ends == {id: "completed" if id in finished else "cancelled" for id in order} | {
        victim: "failed"
    }
