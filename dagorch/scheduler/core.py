"""
The core: stimuli in, commands out. It decides all and does nothing.

No clock, loop, thread, logging or user code here: time comes in with each stimulus, chance from
a seeded generator, and functions of the user's go out as `Evaluate`. What it keeps is in
`run_state.py`; the rules for node runs are in `noderuns.py`, for attempts in `attempting.py`, for
edges in `propagate.py`, for frames in `containers.py`. This file takes in and gives out; what
most steps are has a straight road of its own, in `straight.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dagorch.errors import InvariantError
from dagorch.models.events import EventType
from dagorch.scheduler import containers, hedging, stimuli
from dagorch.scheduler.attempting import Attempting
from dagorch.scheduler.commands import CONTINUE, Command, Finish
from dagorch.scheduler.deadlines import Due
from dagorch.scheduler.frames import Frame
from dagorch.scheduler.run_state import describe
from dagorch.scheduler.states import State
from dagorch.scheduler.stimuli import Stimulus
from dagorch.scheduler.story import story
from dagorch.scheduler.timers import timer_fired

__all__ = ["Core"]

TRANSITIONS_PER_HANDLE: Final = 1000
_COMPLETED = State.COMPLETED


class Core(Attempting):
    """
    One run of one plan, as a machine: `handle` a stimulus, then `next` until it gives None.

    Args:
        plan: What to run.
        run_id: Names the run in events and in the lines of shared resources.
        max_parallel: Slots.
        max_node_runs: Bound on node runs, those of bodies included.
        max_cost: Ceiling in dollars, or None.
        max_tokens: Ceiling in tokens, or None.
        timeout_seconds: Of the run.
        limits: Bounds of the resources that policies name.
        admission: Shared by all runs of an event loop.
        seed: Of the jitter.
        observed: Whether anybody listens; if not, no event is made.
        freeing: Whether values are let go after their last reader.
    """

    __slots__ = ()

    # -- the machine ------------------------------------------------------------------------

    def handle(self, stimulus: Stimulus) -> None:
        """Take in what happened. Follow with `next()` until it gives None."""
        self.now = stimulus.now
        HANDLERS[type(stimulus)](self, stimulus)
        if self.agenda:
            self.work_off()

    def work_off(self) -> None:
        """Do what is on the agenda, as far as the allowance goes."""
        agenda = self.agenda
        self.allowance = TRANSITIONS_PER_HANDLE
        while agenda and self.allowance > 0:
            action = agenda.popleft()
            action[0](self, *action[1:])

    def next(self) -> Command | None:
        """Give the next command, or None if there is nothing to do until the next stimulus."""
        if self.outbox:
            return self.outbox.popleft()
        if self.agenda:
            return CONTINUE
        if self.calls.waiting:
            self.calls.serve()
        if self.late:
            hedging.serve(self)
        if self.slots_used < self.max_parallel and self.queue:
            item = self.take()
            if item is not None:
                started = self.start(item)
                if not self.outbox and not self.offered:
                    return started
                self.outbox.append(started)
        if self.offered:
            self.pass_on()
        if self.outbox:
            return self.outbox.popleft()
        if self.agenda:  # the budget has just stopped the run
            return CONTINUE
        if not self.slots_used and not self.finished:
            self._check_quiescence()
        return None

    @property
    def has_work(self) -> bool:
        """Whether `next()` may give a command."""
        return bool(
            self.outbox
            or self.agenda
            or self.offered
            or (self.slots_used < self.max_parallel and (self.queue or self.late))
        )

    @property
    def deadline(self) -> float:
        """When to send `TimerFired`; infinity if never."""
        return self.deadlines.earliest

    def on_run_started(self, s: stimuli.RunStarted) -> None:
        self.started = s.now
        if self.observed:
            self.emit(
                EventType.RUN_STARTED,
                None,
                0,
                0,
                {"graph": self.plan.name, "nodes": self.plan.size},
            )
        self.root = containers.open_frame(self, self.plan, dict(s.inputs), None, 0, None)
        self.queue.root = self.root
        if self.timeout_seconds is not None:
            self.deadlines.add(Due(s.now + self.timeout_seconds, "run", self.root, 0))

    def on_run_cancelled(self, s: stimuli.RunCancelled) -> None:
        root = self.root
        if root is not None and not root.stopping and not self.finished:
            self.cancelled = s.reason
            containers.stop(self, root, None)

    def on_tokens(self, s: stimuli.TokensArrived) -> None:
        attempt = s.attempt
        if self.observed and not attempt.cancelling and hedging.may_tell(attempt, s.text):
            self.emit(
                EventType.NODE_TOKENS,
                attempt.frame,
                attempt.index,
                attempt.number,
                {"text": s.text},
            )

    def on_continued(self, s: stimuli.Continued) -> None:
        """Nothing: `handle` goes on with the agenda."""

    def on_resource_freed(self, s: stimuli.ResourceFreed) -> None:
        self.pass_on()

    def finish(self, root: Frame) -> None:
        """The root frame has closed: the run is over."""
        self.finished = True
        self.outcome_error = root.stop_error
        self.wake(self.admission.leave(self.run_id, self.now))
        if self.cancelled is not None:
            kind, data = EventType.RUN_CANCELLED, {"reason": self.cancelled}
        elif (error := containers.verdict(root)[1]) is not None:
            kind, data = EventType.RUN_FAILED, {"error": describe(error)}
        else:
            kind, data = EventType.RUN_COMPLETED, {}
            self.progress = 100.0
        if self.observed:
            self.emit(kind, None, 0, 0, data)
        self.outbox.append(Finish())

    def _check_quiescence(self) -> None:
        """A run with nothing to wait for must have ended."""
        if len(self.queue) or self.deadlines or self.calls.waiting or self.root is None:
            return
        for frame in self.frames.values():
            if frame.tickets or State.PARKED in frame.state:
                return
        for frame in self.frames.values():
            for index in range(frame.plan.size):
                if frame.state[index] < _COMPLETED and index not in frame.containers:
                    raise InvariantError(
                        f"nothing is left to wait for, but {frame.path_of(index)!r} has not ended\n"
                        + "\n".join(story(self, frame, index))
                    )


HANDLERS: Final[dict[type[Stimulus], Callable[[Core, Any], None]]] = {
    stimuli.RunStarted: Core.on_run_started,
    stimuli.AttemptSucceeded: Core.on_succeeded,
    stimuli.Expanded: Core.on_expanded,
    stimuli.AttemptFailed: Core.on_failed,
    stimuli.AttemptCancelled: Core.on_attempt_cancelled,
    stimuli.Evaluated: Core.on_evaluated,
    stimuli.EvaluationFailed: Core.on_evaluation_failed,
    stimuli.TimerFired: timer_fired,
    stimuli.Continued: Core.on_continued,
    stimuli.RunCancelled: Core.on_run_cancelled,
    stimuli.ResourceFreed: Core.on_resource_freed,
    stimuli.Answered: Core.on_answered,
    stimuli.TokensArrived: Core.on_tokens,
    stimuli.ReplyBegan: Core.on_reply_began,
    stimuli.SendingAgain: Core.on_sending_again,
    stimuli.CallRequested: lambda core, s: core.calls.requested(s.call),
    stimuli.CallEnded: lambda core, s: core.calls.ended(s.call, s.usage),
}
