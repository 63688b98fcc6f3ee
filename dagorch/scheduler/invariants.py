"""
What must hold of a core after every step.

Each rule recounts from scratch what the core keeps count of.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dagorch.errors import InvariantError
from dagorch.models.usage import NO_AMOUNT
from dagorch.scheduler.containers import open_container
from dagorch.scheduler.frames import MISSING, Container, Frame
from dagorch.scheduler.propagate import release
from dagorch.scheduler.states import State
from dagorch.scheduler.story import story

if TYPE_CHECKING:
    from dagorch.scheduler.core import Core

__all__ = ["check"]

_ENDED = int(State.COMPLETED)


def check(core: Core) -> None:
    """
    Check everything that can be checked between two calls of the core.

    Raises:
        InvariantError: A rule does not hold; the message names it and tells the story.

    Cost: O(open node runs + edges).
    """
    queued = {(item[2], item[3]) for item in core.queue}
    alarms = {(due.frame.serial, due.index) for due in core.deadlines if due.purpose == "retry"}
    running = foreseen = 0
    reserved = NO_AMOUNT
    held: Counter[str] = Counter()
    for frame in core.frames.values():
        _check_frame(core, frame)
        _check_waiting(core, frame, queued, alarms)
        foreseen += sum(_to_come(box) for box in frame.containers.values())
        for first in frame.running.values():
            for attempt in (first, first.rival):
                if attempt is None:
                    continue
                running += 1
                reserved += attempt.reserved or NO_AMOUNT
                held.update(name for r in attempt.resources for name in r.names)
            rival = first.rival
            _must(
                rival is None or (rival.rival is first and rival.is_hedge != first.is_hedge),
                "two attempts at once that are not one and its hedge",
                core,
                frame,
                first.index,
            )
    _must(
        core.slots_used <= core.max_parallel, f"{core.slots_used} slots used of {core.max_parallel}"
    )
    _must(core.slots_used == running, f"{core.slots_used} slots used by {running} running attempts")
    _must(core.opened <= core.max_node_runs, "more node runs than max_node_runs")
    _must(
        core.foreseen == foreseen,
        f"{foreseen} node runs of items are to come, counted {core.foreseen}",
    )
    rest = core.budget.reserved - reserved
    _must(rest.cost_usd >= 0 <= rest.tokens, "more is reserved by attempts than by the budget")
    _must(core.budget.is_kept, "a ceiling is broken")
    for name, count in held.items():
        _must(core.admission.held(name) >= count, f"{name} is held more often than admitted")
    core.admission.check()
    _must(not core.finished or not core.frames, "the run is finished, but a frame is open")
    _must(0.0 <= core.progress <= 100.0, f"progress is {core.progress}")


def _to_come(box: Container) -> int:
    """The node runs of a map's items that will still be opened."""
    if box.body is None or box.stopping or not box.items:
        return 0
    return (len(box.items) - box.next_item) * box.body.size


def _check_frame(core: Core, frame: Frame) -> None:
    plan, state = frame.plan, frame.state
    unended = sum(end < _ENDED for end in state)
    _must(
        frame.unended == unended,
        f"{unended} node runs have not ended, counted {frame.unended}",
        core,
        frame,
    )
    releasing = {
        (action[2]) for action in core.agenda if action[0] is release and action[1] is frame
    }
    for index in range(plan.size):
        now = state[index]
        has_value = frame.values[index] is not MISSING
        _must(
            has_value == (now == State.COMPLETED),
            "a value without completion, or none with it",
            core,
            frame,
            index,
        )
        _must(
            (index in frame.running) == (now == State.RUNNING),
            "running without an attempt",
            core,
            frame,
            index,
        )
        if now == State.OPEN:
            waits = index in frame.containers or index in frame.tickets
            _must(waits, "open, but waits for nothing", core, frame, index)
        if now == State.PENDING and not releasing and not frame.stopping:
            sources = [
                plan.edge_source[e] for e in range(plan.in_start[index], plan.in_start[index + 1])
            ]
            pending = sum(state[source] < _ENDED for source in sources)
            _must(
                frame.pending[index] == pending,
                f"{pending} edges are pending, counted {frame.pending[index]}",
                core,
                frame,
                index,
            )
        box = frame.containers.get(index)
        if box is not None:
            _must(now == State.OPEN, "frames under a node run that is not open", core, frame, index)
            for child in box.frames.values():
                _must(
                    child.serial in core.frames,
                    "a frame that is not open is still waited for",
                    core,
                    frame,
                    index,
                )


def _check_waiting(
    core: Core, frame: Frame, queued: set[tuple[int, int]], alarms: set[tuple[int, int]]
) -> None:
    """Whatever could go on will be found: in the queue, on the agenda, among the deadlines."""
    opening = {
        action[2] for action in core.agenda if action[0] is open_container and action[1] is frame
    }
    for index in range(frame.plan.size):
        now, place = frame.state[index], (frame.serial, index)
        if now == State.READY and not frame.stopping:
            found = place in queued or index in frame.tickets or index in opening
            _must(found, "ready, but nobody will start it", core, frame, index)
        elif now == State.DELAYED:
            _must(place in alarms, "delayed, but nothing will wake it", core, frame, index)


def _must(
    holds: bool, rule: str, core: Core | None = None, frame: Frame | None = None, index: int = 0
) -> None:
    if holds:
        return
    told = "\n".join(story(core, frame, index)) if core is not None and frame is not None else ""
    raise InvariantError(f"{rule}\n{told}".rstrip())
