"""
What comes of time: waits that end, deadlines that pass. The heap of them is in `deadlines.py`.

A deadline cancels what it is of; how that ends is decided when it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagorch.errors import NodeTimeoutError
from dagorch.scheduler import containers
from dagorch.scheduler.deadlines import Due
from dagorch.scheduler.frames import Frame
from dagorch.scheduler.states import State
from dagorch.scheduler.stimuli import TimerFired

if TYPE_CHECKING:
    from dagorch.scheduler.core import Core

__all__ = ["timer_fired"]

_READY, _RUNNING, _OPEN, _COMPLETED = State.READY, State.RUNNING, State.OPEN, State.COMPLETED


def timer_fired(core: Core, s: TimerFired) -> None:
    """Do all that is due."""
    while (due := core.deadlines.pop(s.now)) is not None:
        frame, index = due.frame, due.index
        if due.purpose == "run":
            core.stop_run(
                NodeTimeoutError(
                    f"the run took longer than its timeout_seconds={core.timeout_seconds:g}"
                )
            )
        elif due.purpose == "admission":
            core.give_way()
        elif due.purpose == "hedge":
            core.late.append(due.subject)
        elif due.purpose == "retry":
            if frame.state[index] == State.DELAYED and frame.facts[index].failures == due.subject:
                core.make_ready(frame, index)
        elif frame.state[index] < _COMPLETED:
            _timed_out(core, frame, index, due)
    if core.offered:
        core.pass_on()


def _timed_out(core: Core, frame: Frame, index: int, due: Due) -> None:
    node, path = frame.plan.nodes[index], frame.path_of(index)
    if due.purpose == "attempt":
        seconds = node.policy.attempt_timeout_seconds or 0.0
        text = f"attempt {due.subject.number} of node {path!r} took longer than "
        error = NodeTimeoutError(f"{text}attempt_timeout_seconds={seconds:g}", path=path)
        core.cancel_attempt(due.subject, error)
        return
    seconds = node.policy.timeout_seconds or 0.0
    error = NodeTimeoutError(
        f"node {path!r} took longer than timeout_seconds={seconds:g}", path=path
    )
    state = frame.state[index]
    if state == _RUNNING:
        core.cancel_attempt(frame.running[index], error, final=True)
    elif state == _OPEN and index in frame.containers:
        box = frame.containers[index]
        if not box.stopping:
            box.stop_error = error
            containers.stop_container(core, frame, index)
    else:
        if state == _READY:
            core.give_way()
        frame.tickets.pop(index, None)
        core.fail(frame, index, error)
