"""The critical path explains the whole makespan, and is the longest path if nothing waits."""

from __future__ import annotations

import random

import networkx
import pytest

from dagorch.exporters import CriticalStep, critical_path
from dagorch.graph import analysis
from dagorch.models.result import Result
from tests.property.circumstances import options, spec_of, world_of
from tests.property.graphs import LIMITS, plain
from tests.property.results import ran, ran_seed
from tests.property.spec import build

MANY = 1_000


def check(result: Result, *, slack: float) -> tuple[CriticalStep, ...]:
    """Check the invariants of any run: the path goes forward in time and explains all of it."""
    chain = critical_path(result)
    runs = result.node_runs
    assert len({step.path for step in chain}) == len(chain)
    end = 0.0
    for step in chain:
        run = runs[step.path]
        assert step.seconds >= 0
        assert step.waited_seconds > -1e-9
        end += step.waited_seconds + step.seconds
        assert run.started_seconds is not None or run.end == "failed"
        assert end < run.ended_seconds + 1e-9
    ends = [run.ended_seconds for run in runs.values() if run.started_seconds is not None]
    if not any(run.end == "cancelled" for run in runs.values()):
        assert end == pytest.approx(max(ends, default=0.0), abs=slack)
    return chain


@pytest.mark.parametrize("seed", range(300))
def test_the_path_explains_the_whole_run(seed: int) -> None:
    _, result = ran_seed(seed)
    # The time of evaluations is outside every node run.
    check(result, slack=1e-9 if seed % 2 == 0 else 0.2)


@pytest.mark.parametrize("seed", range(0, 400, 2))
def test_no_step_waits_if_there_is_a_slot_for_each(seed: int) -> None:
    how = options(seed) | {"limits": dict.fromkeys(LIMITS, MANY)}
    chain = check(ran(spec_of(seed), world_of(seed, instant=True), MANY, **how), slack=1e-9)
    assert [step for step in chain if step.waited_seconds > 1e-9] == []


@pytest.mark.parametrize("seed", range(50))
def test_with_functions_only_the_path_is_the_longest(seed: int) -> None:
    spec, world = plain(random.Random(seed), 40), world_of(seed, instant=True)
    result = ran(spec, world, MANY, limits=LIMITS)
    seconds = {path: run.duration_seconds for path, run in result.node_runs.items()}
    graph = build(spec, world)
    weighted = networkx.DiGraph()
    weighted.add_nodes_from([*seconds, "start"])
    for id in seconds:
        weighted.add_edge("start", id, weight=seconds[id])
    for source, target in graph.nx.edges:
        weighted.add_edge(source, target, weight=seconds[target])
    longest = networkx.dag_longest_path(weighted)[1:]
    chain = check(result, slack=1e-9)
    assert [step.path for step in chain] == longest
    assert tuple(longest) == analysis.critical_path(graph, seconds).nodes
    assert sum(step.seconds for step in chain) == pytest.approx(
        networkx.dag_longest_path_length(weighted)
    )
