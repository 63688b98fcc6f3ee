"""
The straight road: a plain node run ends well, and the first ready one starts in its slot.

Most steps of most runs are just that, so they are taken here in one go, over the arrays of the
frame at hand. Whatever is not plain (limits, labels, quorums, listeners, a stopping frame) goes
the long way, through `Core.handle` and `Core.next`. docs/adr/0013
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from dagorch.scheduler import containers, stimuli
from dagorch.scheduler.commands import StartAttempt
from dagorch.scheduler.propagate import judge, release
from dagorch.scheduler.states import State

if TYPE_CHECKING:
    from dagorch.scheduler.core import Core
    from dagorch.scheduler.frames import Frame

__all__ = ["Success", "straight"]

Success = tuple[StartAttempt, object, float]
"""An attempt, the value that it gave, and when: `AttemptSucceeded` of one without a bill."""

_PENDING, _READY, _RUNNING = int(State.PENDING), int(State.READY), int(State.RUNNING)
_COMPLETED = int(State.COMPLETED)
_FEW: Final = 200
"""Edges out of a node run that are resolved at once; more of them go on the agenda."""
_NO_INPUTS: Final[Mapping[str, Any]] = {}


def straight(core: Core) -> Generator[StartAttempt | None, Success, None]:  # noqa: C901  one road
    """
    Take one success after the other, and give for each the attempt that starts in its slot.

    What is given serves as the ticket of the next attempt when that ends here too, for nobody
    else holds it by then. None: the slot is free, ask `Core.next`. The steps taken are
    (RUNNING, COMPLETED), (PENDING, READY) and (READY, RUNNING), each checked where it is taken.
    """
    queue, outbox, agenda = core.queue, core.outbox, core.agenda
    line, heap, others, waiting = queue.line, queue.heap, queue.others, core.calls.waiting
    late = core.late
    order, place = core.plan.start_order, core.plan.start_rank
    frame: Frame | None = None
    following: StartAttempt | None = None
    while True:
        attempt, value, now = yield following
        following = None
        index = attempt.index
        if attempt.frame is not frame:
            frame = attempt.frame
            plan = frame.plan
            state, times, values, running = frame.state, frame.times, frame.values, frame.running
            pending, marks = frame.pending, frame.marks
            direct, plain = plan.slot_only, plan.unconditional
            out_edges, targets = plan.out_edges, plan.edge_target
        if agenda or frame.detour or not (direct[index] and plain[index]):
            core.handle(stimuli.AttemptSucceeded(attempt, value, now))
            del attempt, value  # nothing is kept alive between two ends
            continue
        core.now = now
        state[index] = _COMPLETED  # only running node runs have attempts
        values[index] = value
        times[3 * index + 2] = now
        core.ended_count += 1
        frame.unended -= 1
        is_last = not frame.unended  # else whoever ends the last one closes the frame: a skip, too
        del running[index]
        edges = out_edges[index]
        if len(edges) > _FEW:
            agenda.append((release, frame, index))
        else:
            for edge in edges:
                target = targets[edge]
                left = pending[target] - 1
                pending[target] = left
                if left or state[target] != _PENDING:
                    continue
                if not direct[target] or target in marks:
                    judge(core, frame, target)
                    continue
                state[target] = _READY
                times[3 * target] = now
                if place is None:
                    queue.push_plain(frame, target)
                else:
                    entry = place[target]
                    if not line or line[-1] < entry:
                        line.append(entry)
                    else:
                        heappush(heap, entry)
        if is_last:
            agenda.append((containers.close, frame))
        if agenda:  # frames open and close there, and deadlines begin
            core.slots_used -= 1
            core.work_off()
            continue
        # The slot is free: whatever comes first takes it over, if that is plain too.
        while (line or heap) and not (outbox or others or waiting or late or core.offered):
            out_of_line = heap and (not line or heap[0] < line[0])
            entry = heap[0] if out_of_line else line[0]
            if order is not None:
                index, owner = order[entry], frame
            else:
                _, _, _, index, owner = entry
            ready = owner.state[index] == _READY  # else it was cancelled since
            if ready and not owner.plan.slot_only[index]:
                break
            if out_of_line:
                heappop(heap)
            else:
                line.popleft()
            if not ready:
                continue
            owner.state[index] = _RUNNING
            owner.times[3 * index + 1] = now
            attempt.frame = owner
            attempt.index = index
            attempt.inputs = owner.inputs_of(index) if owner.plan.has_inputs[index] else _NO_INPUTS
            owner.running[index] = following = attempt
            break
        if following is None:
            core.slots_used -= 1
