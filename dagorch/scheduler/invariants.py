"""
What must hold of a core after every step.

Each rule recounts from scratch what the core keeps count of.
"""

from __future__ import annotations

from collections import Counter

from dagorch.errors import InvariantError
from dagorch.models.usage import NO_AMOUNT
from dagorch.scheduler.core import Core
from dagorch.scheduler.records import MISSING, Frame, TimerKind
from dagorch.scheduler.states import State
from dagorch.scheduler.story import story

__all__ = ["check"]

_COMPLETED = int(State.COMPLETED)


def check(core: Core) -> None:
    """
    Check everything that can be checked between two calls of the core.

    Raises:
        InvariantError: A rule does not hold; the message names it and tells the story.

    Cost: O(open node runs + edges).
    """
    dispatcher = core.dispatcher
    queued = {(item[2], item[3]) for item in dispatcher.queue}
    retries = {(t.frame.serial, t.index) for t in core.timers if t.kind is TimerKind.RETRY}
    running = unopened = 0
    reserved = NO_AMOUNT
    held: Counter[str] = Counter()
    for frame in core.frames.values():
        _check_frame(core, frame)
        _check_waiting(core, frame, queued, retries)
        for container in frame.containers.values():
            if not container.stopping:
                unopened += container.unopened_node_runs
        for first in frame.running.values():
            rival = first.rival
            for attempt in (first, rival):
                if attempt is None:
                    continue
                running += 1
                reserved += attempt.reserved or NO_AMOUNT
                held.update(name for r in attempt.resources for name in r.names)
            _must(
                rival is None or (rival.rival is first and rival.is_hedge != first.is_hedge),
                "two attempts at once that are not one and its hedge",
                core,
                frame,
                first.index,
            )
    used = dispatcher.slots_used
    _must(used <= dispatcher.max_parallel, f"{used} slots used of {dispatcher.max_parallel}")
    running += dispatcher.slots_lost
    _must(used == running, f"{used} slots used by {running} running attempts and threads")
    _must(core.opened_count <= core.max_node_runs, "more node runs than max_node_runs")
    _must(
        core.unopened_count == unopened,
        f"{unopened} node runs of items are to come, counted {core.unopened_count}",
    )
    set_aside = sum(
        (
            details.set_aside
            for frame in core.frames.values()
            for details in frame.node_details.values()
        ),
        NO_AMOUNT,
    )
    text = f"{set_aside} is set aside by node runs, {dispatcher.budget.set_aside} by the budget"
    _must(dispatcher.budget.set_aside == set_aside, text)
    rest = dispatcher.budget.reserved - reserved
    _must(rest.cost_usd >= 0 <= rest.tokens, "more is reserved by attempts than by the budget")
    _must(dispatcher.budget.is_kept, "a ceiling is broken")
    for name, count in held.items():
        is_held = dispatcher.admission.held(name) >= count
        _must(is_held, f"{name} is held more often than admitted")
    dispatcher.admission.check()
    _must(not core.finished or not core.frames, "the run is finished, but a frame is open")
    _must(0.0 <= core.progress <= 100.0, f"progress is {core.progress}")


def _check_frame(core: Core, frame: Frame) -> None:
    plan, state = frame.plan, frame.state
    unended = sum(end < _COMPLETED for end in state)
    text = f"{unended} node runs have not ended, counted {frame.unended}"
    _must(frame.unended == unended, text, core, frame)
    is_releasing = any(
        action[0] is Core.resolve_out_edges and action[1] is frame for action in core.agenda
    )
    for index in range(plan.size):
        now = state[index]
        has_value = frame.values[index] is not MISSING
        text = "a value without completion, or none with it"
        _must(has_value == (now == State.COMPLETED), text, core, frame, index)
        is_running = index in frame.running
        text = "running without an attempt"
        _must(is_running == (now == State.RUNNING), text, core, frame, index)
        if now == State.OPEN:
            waits = index in frame.containers or index in frame.evaluations
            _must(waits, "open, but waits for nothing", core, frame, index)
        if now == State.PENDING and not is_releasing and not frame.stopping:
            edges = range(plan.in_start[index], plan.in_start[index + 1])
            pending = sum(state[plan.edge_source[edge]] < _COMPLETED for edge in edges)
            text = f"{pending} edges are pending, counted {frame.pending[index]}"
            _must(frame.pending[index] == pending, text, core, frame, index)
        container = frame.containers.get(index)
        if container is not None:
            _must(now == State.OPEN, "frames under a node run that is not open", core, frame, index)
            is_open = all(serial in core.frames for serial in container.frames)
            _must(is_open, "a frame that is not open is still waited for", core, frame, index)


def _check_waiting(
    core: Core, frame: Frame, queued: set[tuple[int, int]], retries: set[tuple[int, int]]
) -> None:
    """Whatever could go on is in the queue, on the agenda, or has a timer."""
    opening = {
        action[2]
        for action in core.agenda
        if action[0] is Core.open_container and action[1] is frame
    }
    for index in range(frame.plan.size):
        now, key = frame.state[index], (frame.serial, index)
        if now == State.READY and not frame.is_stopping(index):
            is_found = key in queued or index in frame.evaluations or index in opening
            _must(is_found, "ready, but nothing will start it", core, frame, index)
        elif now == State.DELAYED:
            _must(key in retries, "delayed, but nothing will wake it", core, frame, index)


def _must(
    holds: bool, rule: str, core: Core | None = None, frame: Frame | None = None, index: int = 0
) -> None:
    if holds:
        return
    lines = story(frame, index, core.started) if core is not None and frame is not None else ()
    raise InvariantError("\n".join((rule, *lines)))
