"""
The fast path: a plain node run completes, and the first ready one starts in its slot.

A plain node run needs nothing but a slot. Most steps of most runs are just that, so they are taken
here in one go, over the arrays of the frame at hand. Everything else (policies, labels, quorums, a
stopping frame) takes the slow path, through `Core.handle` and `Core.next`. The runner sends sync
functions, LLM nodes and functions with a `Context` there too. docs/adr/0013
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from heapq import heappop, heappush
from typing import Any, Final

from dagorch.models.events import EventType
from dagorch.scheduler.core import Core
from dagorch.scheduler.edges import judge
from dagorch.scheduler.records import Frame, StartAttempt
from dagorch.scheduler.states import State
from dagorch.scheduler.stimuli import AttemptSucceeded

__all__ = ["Started", "Success", "fast_path"]

Success = tuple[StartAttempt, object, float]
"""An attempt, its value, and the time: an `AttemptSucceeded` without a bill."""
Started = tuple[StartAttempt | None, bool]
"""The attempt that starts in the freed slot, and whether more node runs are ready."""

_PENDING, _READY, _RUNNING = int(State.PENDING), int(State.READY), int(State.RUNNING)
_COMPLETED = int(State.COMPLETED)
_MAX_EDGES: Final = 200
"""A node run with more edges out of it puts them on the agenda."""
_NO_INPUTS: Final[Mapping[str, Any]] = {}
_NOTHING: Final[Started] = (None, False)


def fast_path(core: Core) -> Generator[Started, Success, None]:  # noqa: C901  the hot loop, whole
    """
    Take one success after the other, and give for each the attempt that starts in its slot.

    That attempt is the same object with new contents: nothing else refers to it any more. If it
    is None the slot is free; ask `Core.next`. The steps taken here are (RUNNING, COMPLETED),
    (PENDING, READY) and (READY, RUNNING); the conditions of each are checked beside it.
    """
    dispatcher, outbox, agenda = core.dispatcher, core.outbox, core.agenda
    queue, waiting_calls = dispatcher.queue, dispatcher.waiting_calls
    hedge_candidates = dispatcher.hedge_candidates
    in_order, late, by_needs = queue.in_order, queue.late, queue.by_needs
    start_order, start_position = core.plan.start_order, core.plan.start_position
    observed = core.observed
    frame: Frame | None = None
    known: StartAttempt | None = None  # the attempt of the next two, made once for it
    alone = with_more = started = _NOTHING
    while True:
        attempt, value, now = yield started
        started = _NOTHING
        index = attempt.index
        if attempt.frame is not frame:
            frame = attempt.frame
            plan = frame.plan
            state, times, values, running = frame.state, frame.times, frame.values, frame.running
            pending, edge_counts = frame.pending, frame.edge_counts
            slot_only, unconditional = plan.slot_only, plan.unconditional
            out_edges, targets = plan.out_edges, plan.edge_target
        if agenda or frame.needs_slow_path or not (slot_only[index] and unconditional[index]):
            core.handle(AttemptSucceeded(attempt, value, now))
            del attempt, value  # keep nothing alive until the next success
            known, alone, with_more = None, _NOTHING, _NOTHING
            continue
        core.now = now
        state[index] = _COMPLETED  # only running node runs have attempts
        values[index] = value
        times[3 * index + 2] = now
        core.ended_count += 1
        frame.unended -= 1
        if observed:
            core.emit_end(frame, index, State.COMPLETED)
        # Read before the edges: a node run that is skipped below closes the frame itself.
        is_last = not frame.unended
        del running[index]
        edges = out_edges[index]
        if len(edges) > _MAX_EDGES:
            agenda.append((Core.resolve_out_edges, frame, index))
        else:
            for edge in edges:
                target = targets[edge]
                left = pending[target] - 1
                pending[target] = left
                if left or state[target] != _PENDING:
                    continue
                if not slot_only[target] or target in edge_counts:
                    to = judge(frame, target)
                    if to is not None:
                        core.take_step(frame, target, to)
                    continue
                state[target] = _READY
                times[3 * target] = now
                if observed:
                    core.emit(EventType.NODE_READY, frame, target, 0, {})
                if start_position is None:
                    queue.push_slot_only(frame, target)
                else:
                    entry = start_position[target]
                    if not in_order or in_order[-1] < entry:
                        in_order.append(entry)
                    else:
                        heappush(late, entry)
        if is_last:
            agenda.append((Core.close_frame, frame))
        if agenda:  # frames open and close there, and deadlines begin
            dispatcher.slots_used -= 1
            core.drain_agenda()
            continue
        # The slot is free: the first ready node run takes it, if it needs nothing else.
        while (in_order or late) and not (
            outbox or by_needs or waiting_calls or hedge_candidates or core.admission_pending
        ):
            is_late = late and (not in_order or late[0] < in_order[0])
            entry = late[0] if is_late else in_order[0]
            if start_order is not None:
                index, owner = start_order[entry], frame
            else:
                _, _, _, index, owner = entry
            is_ready = owner.state[index] == _READY  # else it was cancelled since
            if is_ready and not owner.plan.slot_only[index]:
                break
            if is_late:
                heappop(late)
            else:
                in_order.popleft()
            if not is_ready:
                continue
            owner.state[index] = _RUNNING
            owner.times[3 * index + 1] = now
            if observed:
                core.emit_start(owner, index, 1)
            attempt.frame = owner
            attempt.index = index
            attempt.inputs = owner.inputs_of(index) if owner.plan.has_inputs[index] else _NO_INPUTS
            owner.running[index] = attempt
            if attempt is not known:
                known, alone, with_more = attempt, (attempt, False), (attempt, True)
            started = with_more if in_order or late else alone
            break
        if started is _NOTHING:
            dispatcher.slots_used -= 1
