"""
Nesting: no deadlock on one slot, no recursion however deep, no more frames than a map's bound.
"""

from __future__ import annotations

import gc
import inspect
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dagorch import LLM, Graph, Policy
from dagorch.models.usage import Usage
from dagorch.scheduler import stimuli
from dagorch.scheduler.commands import Continue, Evaluate, StartAttempt
from dagorch.scheduler.core import Core
from dagorch.scheduler.fast_path import fast_path
from dagorch.scheduler.records import Prepared, Purpose
from tests.property.circumstances import INPUTS, spec_of, world_of
from tests.property.driver import drive
from tests.property.graphs import LIMITS


async def step(state: int) -> int: ...


async def wrap(state: int) -> list[int]: ...


async def first(states: list[int]) -> int: ...


@contextmanager
def little_stack(frames: int) -> Iterator[None]:
    """Limit the stack to this many calls deeper than here."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + frames)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def answer(core: Core, *, value: object = None) -> int:
    """Run to the end; attempts return their first input. Returns the peak number of frames."""
    most = 0
    path = fast_path(core)
    next(path)
    started: StartAttempt | None = None
    while (command := started or core.next()) is not None:
        most = max(most, len(core.frames))
        started = None
        if isinstance(command, StartAttempt):
            given = next(iter(command.inputs.values()), 0) if value is None else value
            if command.frame.plan.nodes[command.index].id == "wrap":
                given = [given]
            elif command.frame.plan.nodes[command.index].id == "first":
                given = given[0]
            started, _ = path.send((command, given, core.now))
        elif isinstance(command, Evaluate):
            if command.purpose is Purpose.PREPARE:
                core.handle(stimuli.Evaluated(command, Prepared(None, None, None), core.now))
            else:
                assert command.function is not None
                core.handle(
                    stimuli.Evaluated(command, command.function(command.argument), core.now)
                )
        elif isinstance(command, Continue):
            core.handle(stimuli.Continued(core.now))
    assert core.finished
    return most


# -- one slot -------------------------------------------------------------------------------------


@pytest.mark.parametrize("first_seed", range(0, 200, 100))
def test_one_slot_is_enough_for_any_nesting(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 100):
        spec = spec_of(seed, depth=5, size=5, calm=True)
        seen = drive(spec, world_of(seed), 1, INPUTS, limits=LIMITS, quick=True)
        assert seen.most_slots <= 1
        errors = {ending.error for ending in seen.ends.values()}
        # A TypeError is that of a map over a mapping.
        assert errors <= {"", "QuorumError", "RunError", "TypeError"}


# -- depth ----------------------------------------------------------------------------------------


def tower(depth: int) -> Graph:
    """Nest loops in maps in loops, this deep."""
    graph = Graph("bottom")
    graph.function(step, state=graph.input("state", int))
    for level in range(depth):
        outer = Graph(f"level{level}")
        state = outer.input("state", int)
        if level % 2:
            many = outer.function(wrap, state=state)
            mapped = outer.map(graph, over=many, id="map", item_input="state", max_parallel=1)
            outer.function(first, states=mapped)
        else:
            outer.loop("loop", graph, max_iterations=1, state=state)
        graph = outer
    return graph


def test_a_loop_in_a_map_in_a_loop_1000_deep_compiles_and_runs_without_recursion() -> None:
    with little_stack(60):
        core = Core(tower(1000).compile(), max_parallel=1)
        core.handle(stimuli.RunStarted({"state": 7}, 0.0))
        most = answer(core)
    assert most == 1001
    assert core.root is not None
    assert core.root.values[core.plan.index("first")] == 7


def test_stopping_containers_1000_deep_does_not_recurse_either() -> None:
    with little_stack(60):
        core = Core(tower(1000).compile())
        core.handle(stimuli.RunStarted({"state": 7}, 0.0))
        attempt = None
        while attempt is None:
            command = core.next()
            if isinstance(command, StartAttempt):
                if command.path.endswith("step"):
                    attempt = command
                else:
                    core.handle(stimuli.AttemptSucceeded(command, [7], 0.0))
            elif isinstance(command, Continue):
                core.handle(stimuli.Continued(0.0))
        core.handle(stimuli.AttemptFailed(attempt, OSError("no"), 0.0))
        while core.next() is not None:
            core.handle(stimuli.Continued(0.0))
        assert core.finished
        assert isinstance(core.outcome_error, OSError)


# -- width ----------------------------------------------------------------------------------------


def mapping(node: object, bound: int) -> Core:
    graph = Graph("wide")
    graph.map(node, over=graph.input("items"), max_parallel=bound, id="wide")  # type: ignore[arg-type]
    return Core(graph.compile(), max_parallel=4)


@pytest.mark.parametrize("bound", [1, 64])
@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.full)])
def test_a_map_holds_no_more_frames_than_its_bound(bound: int, count: int) -> None:
    body = Graph("body")
    body.function(step, state=body.input("item", int))
    core = mapping(body, bound)
    core.handle(stimuli.RunStarted({"items": range(count)}, 0.0))
    assert answer(core) == bound + 1
    assert core.root is not None
    assert core.root.values[0] == list(range(count))


def bytes_per_node_run(core: Core, count: int, nodes: int, usage: Usage | None = None) -> float:
    """Return the memory that a map keeps for each node run inside it, without values."""
    items = [0] * count
    core.handle(stimuli.RunStarted({"items": items}, 0.0))
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    path = fast_path(core)
    next(path)
    started: StartAttempt | None = None
    while (command := started or core.next()) is not None:
        started = None
        if isinstance(command, StartAttempt):
            if usage is None:
                started, _ = path.send((command, 0, 1.0))
            else:
                core.handle(
                    stimuli.AttemptSucceeded(
                        command, 0, 1.0, Usage(usage.input_tokens, 7, usage.cost_usd, calls=1)
                    )
                )
        elif isinstance(command, Evaluate):
            core.handle(stimuli.Evaluated(command, Prepared(None, None, None), 1.0))
        else:
            core.handle(stimuli.Continued(1.0))
        del command
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert core.finished
    return (after - before - 8 * count) / (count * nodes)  # a list of 0s is 8 bytes a value


def test_a_closed_frame_leaves_at_most_200_bytes_per_node_run() -> None:
    body = Graph("body")
    body.function(step, state=body.input("item", int))
    assert bytes_per_node_run(mapping(body, 8), 5_000, 1) <= 200


@pytest.mark.parametrize("passes", [1, 5])
def test_a_closed_frame_with_a_loop_leaves_as_little(passes: int) -> None:
    inner = Graph("inner")
    inner.function(step, state=inner.input("state", int))
    body = Graph("body")
    body.loop("loop", inner, state=body.input("item", int), max_iterations=passes)
    assert bytes_per_node_run(mapping(body, 8), 2_000, 1 + passes) <= 200


def test_a_closed_frame_with_a_subgraph_leaves_as_little() -> None:
    inner = Graph("inner")
    inner.function(step, state=inner.input("item", int))
    body = Graph("body")
    body.subgraph(inner, item=body.input("item", int))
    assert bytes_per_node_run(mapping(body, 8), 2_000, 2) <= 200


def test_a_closed_frame_with_a_policy_leaves_as_little() -> None:
    body = Graph("body")
    body.function(
        step, state=body.input("item", int), policy=Policy(timeout_seconds=60, priority=1)
    )
    assert bytes_per_node_run(mapping(body, 8), 5_000, 1) <= 200


def test_a_closed_frame_with_a_model_call_leaves_as_little() -> None:
    usage = Usage(1000, 7, calls=1)
    assert (
        bytes_per_node_run(mapping(LLM("ask", prompt="Tell me of {item}"), 8), 5_000, 1, usage)
        <= 200
    )
