"""
One `handle` makes at most about a thousand transitions; the rest waits on the agenda, between
turns of the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from dagorch import Graph, Policy, Retry
from dagorch.scheduler import stimuli
from dagorch.scheduler.commands import CancelAttempt, Continue, Finish
from dagorch.scheduler.core import TRANSITIONS_PER_HANDLE, Core
from dagorch.scheduler.fast_path import fast_path
from dagorch.scheduler.records import Evaluate, StartAttempt

WIDTH = 5_000


async def work() -> int: ...


def fan(policy: Policy | None = None) -> Core:
    graph = Graph("fan")
    first = graph.function(work, id="first", policy=policy or Policy())
    for place in range(WIDTH):
        graph.function(work, id=f"n{place}", after=first)
    core = Core(graph.compile(), max_parallel=1)
    core.handle(stimuli.RunStarted({}, 1.0))
    return core


def wide() -> Core:
    graph = Graph("wide")
    for place in range(WIDTH):
        graph.function(work, id=f"n{place}")
    return Core(graph.compile(), max_parallel=1)


def steps(core: Core, do: Callable[[], None]) -> int:
    """How many node runs changed their state."""
    before = bytes(core.root.state) if core.root is not None else b""
    do()
    assert core.root is not None
    return sum(a != b for a, b in zip(before, core.root.state, strict=True)) if before else 0


def turns(core: Core) -> list[int]:
    """Continue until the agenda is empty; gives the transitions of each turn."""
    found = []
    while isinstance(command := core.next(), (Continue, CancelAttempt)):
        if isinstance(command, Continue):
            found.append(steps(core, lambda: core.handle(stimuli.Continued(1.0))))
    return found


def first_attempt(core: Core) -> StartAttempt:
    command = core.next()
    assert isinstance(command, StartAttempt)
    return command


@pytest.mark.parametrize("quick", [True, False])
def test_a_wide_fan_is_let_go_in_turns(quick: bool) -> None:
    core = fan()
    attempt = first_attempt(core)

    def succeed() -> None:
        if quick:
            path = fast_path(core)
            next(path)
            assert path.send((attempt, 1, 1.0))[0] is None, "most of the fan waits on the agenda"
        else:
            core.handle(stimuli.AttemptSucceeded(attempt, 1, 1.0))

    made = [steps(core, succeed), *turns(core)]
    assert sum(made) == WIDTH + 1
    assert max(made) <= TRANSITIONS_PER_HANDLE
    assert len(made) > WIDTH // TRANSITIONS_PER_HANDLE


def test_what_a_failure_blocks_is_blocked_in_turns() -> None:
    core = fan(Policy(on_error="continue"))
    attempt = first_attempt(core)
    made = [
        steps(core, lambda: core.handle(stimuli.AttemptFailed(attempt, OSError(), 1.0))),
        *turns(core),
    ]
    assert sum(made) == WIDTH + 1
    assert max(made) <= TRANSITIONS_PER_HANDLE + 1
    assert core.finished


def test_a_run_begins_and_stops_in_turns() -> None:
    core = wide()
    core.handle(stimuli.RunStarted({}, 1.0))
    assert core.root is not None
    begun = sum(state != 0 for state in core.root.state)
    assert 0 < begun <= TRANSITIONS_PER_HANDLE
    made = []
    while isinstance(command := core.next(), Continue):
        made.append(steps(core, lambda: core.handle(stimuli.Continued(1.0))))
    assert begun + sum(made) == WIDTH
    assert isinstance(command, StartAttempt)
    stopped = [steps(core, lambda: core.handle(stimuli.RunCancelled("enough", 1.0))), *turns(core)]
    assert sum(stopped) >= WIDTH - 1
    assert max(stopped) <= TRANSITIONS_PER_HANDLE + 1
    core.handle(stimuli.AttemptCancelled(command, 1.0))
    turns(core)
    assert core.finished


def test_a_map_of_nothing_but_bounds_opens_its_items_in_turns() -> None:
    body = Graph("body")
    body.function(work, id="inner", after=())
    body.input("item", int)
    graph = Graph("map")
    graph.map(body, over=graph.input("items"), max_parallel=WIDTH, id="map")
    core = Core(graph.compile(), max_parallel=1)
    core.handle(stimuli.RunStarted({"items": range(WIDTH)}, 1.0))
    opened = [len(core.frames)]
    while isinstance(command := core.next(), Continue):
        core.handle(stimuli.Continued(1.0))
        opened.append(len(core.frames))
    assert not isinstance(command, Finish)
    assert opened[-1] == WIDTH + 1
    assert max(b - a for a, b in pairwise(opened)) <= TRANSITIONS_PER_HANDLE


def test_retries_that_are_due_at_once_become_ready_in_turns() -> None:
    graph = Graph("retries")
    policy = Policy(retry=Retry(attempts=2, base_delay_seconds=60))
    for place in range(WIDTH):
        graph.function(work, id=f"n{place}", policy=policy)
    core = Core(graph.compile(), max_parallel=WIDTH)
    core.handle(stimuli.RunStarted({}, 1.0))
    attempts: list[StartAttempt] = []
    while (command := core.next()) is not None:
        if isinstance(command, Continue):
            core.handle(stimuli.Continued(1.0))
        else:
            assert isinstance(command, StartAttempt)
            attempts.append(command)
    for attempt in attempts:
        core.handle(stimuli.AttemptFailed(attempt, OSError(), 1.0))
    assert core.next() is None
    made = [steps(core, lambda: core.handle(stimuli.TimerFired(100.0)))]
    while isinstance(core.next(), Continue):
        made.append(steps(core, lambda: core.handle(stimuli.Continued(100.0))))
    assert sum(made) == WIDTH
    assert max(made) <= TRANSITIONS_PER_HANDLE + 1


def test_the_core_asks_for_user_code_and_does_not_call_it() -> None:
    called: list[int] = []
    graph = Graph("conditions")
    size = graph.branch("size", lambda: called.append(1) or "big", ["big", "small"])
    graph.function(work, id="big", after=size["big"])
    core = Core(graph.compile())
    core.handle(stimuli.RunStarted({}, 1.0))
    command = core.next()
    assert isinstance(command, Evaluate)
    assert not called
    core.handle(stimuli.Evaluated(command, "big", 1.0))
    assert isinstance(core.next(), StartAttempt)
    assert not called
