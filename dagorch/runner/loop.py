"""
The runner: carries the core's commands out. It decides nothing; attempts are `attempts.py`'s.

A worker takes the next command itself and awaits the attempts it finds, one after another. When
it leaves something to be started it calls one more worker, which does the same: a chain of nodes
needs one worker, a fan of slow ones as many as there are slots. No task, scope or timer exists
per node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from dagorch.errors import DagorchError
from dagorch.runner.attempts import Attempts, is_stray
from dagorch.runner.loop_state import LoopState
from dagorch.scheduler import stimuli
from dagorch.scheduler.commands import (
    CONTINUE,
    CancelAttempt,
    Emit,
    Evaluate,
    Finish,
    GrantCall,
    RefuseCall,
    StartAttempt,
    WakeRun,
)
from dagorch.scheduler.core import Core
from dagorch.scheduler.straight import straight

__all__ = ["Runner"]

_NEVER: Final = float("inf")


class Runner:
    """
    Runs one core on the event loop it is started on.

    Args:
        core: The run, not started.
        attempts: Does what `StartAttempt` and `Evaluate` ask.
        shared: What all runs of this loop share.
        emit: Gets each event; must not block.
    """

    def __init__(
        self,
        core: Core,
        attempts: Attempts,
        shared: LoopState,
        emit: Callable[[Any], None],
    ) -> None:
        self._core = core
        self._attempts = attempts
        self._shared = shared
        self._emit = emit
        self._clock = shared.clock
        self._group: TaskGroup | None = None
        self._idle: list[anyio.Event] = []
        """Of each worker that waits for something to do."""
        self._called = False
        """Whether a worker is on its way that has not asked the core yet."""
        self._timer_at = _NEVER
        self._timer_runs = False
        self._timer_moved: anyio.Event | None = None
        self.broken: BaseException | None = None
        """An error of the engine itself."""
        attempts.bind(self.feed, shared.clock, core)

    async def run(self, inputs: dict[str, Any]) -> None:
        """
        Run to the end. How it ended is the core's to tell.

        Raises:
            BaseException: Cancellation from outside, once every attempt has ended.
        """
        core = self._core
        self._shared.enter(core.run_id, self._resource_freed)
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                core.handle(stimuli.RunStarted(inputs, self._clock()))
                await self._work()
        finally:
            if self.broken is None and (core.outbox or not core.finished):
                self._drain()
            self._group = None
            self._shared.leave(core.run_id)
            self._attempts.unbind()
        if self.broken is not None:
            raise self.broken

    # -- from outside -----------------------------------------------------------------------

    def feed(self, stimulus: stimuli.Stimulus) -> None:
        """Hand the core a stimulus from outside a worker, and see that what it decides is done."""
        if self._core.finished:
            return
        try:
            self._core.handle(stimulus)
        except DagorchError as error:  # an InvariantError: the engine itself is wrong
            self._break(error)
        self._kick()

    def cancel(self, reason: str) -> None:
        """Stop the run."""
        self.feed(stimuli.RunCancelled(reason, self._clock()))

    def _resource_freed(self) -> None:
        self.feed(stimuli.ResourceFreed(self._clock()))

    def _kick(self) -> None:
        """See that a worker is on its way if there is something to do."""
        core = self._core
        if core.deadlines.earliest < self._timer_at:
            self._arm_timer()
        if not self._called and core.has_work:
            self._call()

    def _call(self) -> None:
        """Call one more worker, an idle one if there is one."""
        if self._idle:
            self._called = True
            self._idle.pop().set()
        elif self._group is not None:
            self._called = True
            self._group.start_soon(self._work)

    def _drain(self) -> None:
        """After a cancellation from outside every task has ended: tell the core what it missed."""
        core = self._core
        if not core.finished:
            core.handle(stimuli.RunCancelled("cancelled from outside", self._clock()))
        while (command := core.next()) is not None:
            if command is CONTINUE:
                core.handle(stimuli.Continued(self._clock()))
            else:
                self._obey(command)

    # -- workers ----------------------------------------------------------------------------

    async def _work(self) -> None:
        """Be a worker till the run is over; one that is given up with its attempt begins anew."""
        self._called = False
        group = self._group
        core = self._core
        # To the last command, not to the last node run: somebody has to tell of the end.
        while group is not None and self.broken is None and (core.outbox or not core.finished):
            try:
                if core.plan.cancels_as_unit:  # whatever cancels one attempt cancels them all
                    await self._obey_all(group.cancel_scope)
                else:
                    with anyio.CancelScope() as scope:
                        await self._obey_all(scope)
            except DagorchError as error:  # an InvariantError: the engine itself is wrong
                self._break(error)

    async def _obey_all(self, scope: anyio.CancelScope) -> None:  # noqa: C901  the hot loop, in one piece
        """Do what the core says until the run is over or this scope is cancelled."""
        core, queue = self._core, self._core.queue
        line, heap, others, outbox = queue.line, queue.heap, queue.others, core.outbox
        clock, slice, deadlines = self._clock, self._shared.slice, self._core.deadlines
        road = straight(core)
        next(road)
        advance = road.send
        turn = -1
        while True:
            command = core.next()
            if type(command) is StartAttempt:
                command.worker = scope
                if deadlines.earliest < self._timer_at:
                    self._arm_timer()
                attempt: StartAttempt | None = command
                while attempt is not None:
                    if not self._called and (
                        outbox or ((line or heap or others) and core.slots_used < core.max_parallel)
                    ):
                        self._call()
                    plan, index, inputs = attempt.frame.plan, attempt.index, attempt.inputs
                    function = plan.functions[index]
                    try:
                        if function is None:
                            stimulus = await self._attempts.perform(attempt)
                        elif inputs:  # the most common kind, and nothing in between
                            value = await function(**inputs)
                        else:
                            value = await function()
                    except Exception as error:  # the core retries it or fails the node with it
                        core.handle(stimuli.AttemptFailed(attempt, error, clock()))
                        break
                    except BaseException as error:  # raised again, but a stray CancelledError
                        if not is_stray(error):
                            self._given_up(attempt, error)
                        core.handle(self._attempts.strayed(attempt, error))
                        break
                    if function is None:
                        core.handle(stimulus)
                        break
                    check = plan.checks[index]
                    if check is not None and not check(value):
                        core.handle(self._attempts.wrong_type(attempt, value))
                        break
                    now = clock()
                    if turn != slice.turn:  # it waited, and everybody else had a turn
                        turn = slice.enter(now)
                    elif now >= slice.end:  # no attempt must be on hand while this steps aside
                        core.handle(stimuli.AttemptSucceeded(attempt, value, now))
                        break
                    attempt = advance((attempt, value, now))
                if scope.cancel_called:
                    return
            elif command is None:
                if core.finished:
                    return
                if deadlines.earliest < self._timer_at:
                    self._arm_timer()
                await self._rest()
            elif command is CONTINUE:
                core.handle(stimuli.Continued(clock()))
            else:
                self._obey(command)
            if turn != slice.turn:
                turn = slice.enter(clock())
            elif core.now >= slice.end:
                await checkpoint()

    def _given_up(self, attempt: StartAttempt, error: BaseException) -> NoReturn:
        """
        An attempt was cancelled: by the core, or from outside, and then the whole run is.

        What went wrong in it besides is the attempt's; only the cancellation goes on.
        """
        core, now = self._core, self._clock()
        cancelled, rest = error, None
        if isinstance(error, BaseExceptionGroup):
            parts = error.split(anyio.get_cancelled_exc_class())
            if parts[0] is not None and isinstance(parts[1], Exception):
                cancelled, rest = parts
        if not attempt.cancelling:
            core.handle(stimuli.RunCancelled("cancelled from outside", now))
        ended = self._attempts.cancelled(attempt)
        core.handle(
            ended if rest is None else stimuli.AttemptFailed(attempt, rest, now, ended.usage)
        )
        self._kick()
        raise cancelled

    async def _rest(self) -> None:
        """Wait to be called."""
        event = anyio.Event()
        self._idle.append(event)
        try:
            await event.wait()
        finally:
            if event in self._idle:
                self._idle.remove(event)
        self._called = False

    def _obey(self, command: Any) -> None:
        """Carry out a command that takes no waiting."""
        kind = type(command)
        if kind is Emit:
            self._emit(command.event)
        elif kind is Evaluate:
            self._core.handle(self._attempts.evaluate(command))
        elif kind is CancelAttempt:
            attempt = command.attempt
            if attempt.worker is not None and attempt.is_under_way:
                attempt.worker.cancel()
        elif kind is WakeRun:
            self._shared.wake(command.run)
        elif kind is GrantCall or kind is RefuseCall:
            self._attempts.calls.answer(command)
        elif kind is Finish:
            for event in self._idle:
                event.set()
            if self._timer_moved is not None:
                self._timer_moved.set()
        elif kind is StartAttempt:  # only while draining: nobody is left to do it
            self._core.handle(stimuli.AttemptCancelled(command, self._clock()))

    def _break(self, error: BaseException) -> None:
        self.broken = error
        if self._group is not None:
            self._group.cancel_scope.cancel()

    # -- the one timer ----------------------------------------------------------------------

    def _arm_timer(self) -> None:
        self._timer_at = self._core.deadlines.earliest
        if self._timer_moved is not None:
            self._timer_moved.set()
        if not self._timer_runs and self._group is not None:
            self._timer_runs = True
            self._group.start_soon(self._timer)

    async def _timer(self) -> None:
        """
        Wait for the earliest of all deadlines.

        There is one timer a run, and none without deadlines.
        """
        core = self._core
        while not core.finished and self._group is not None:
            when = core.deadlines.earliest
            self._timer_at = when
            if when == _NEVER:
                break
            self._timer_moved = anyio.Event()
            wait = when - self._clock()
            if wait > 0:
                with anyio.move_on_after(wait):
                    await self._timer_moved.wait()
            now = self._clock()
            if now >= core.deadlines.earliest:
                self.feed(stimuli.TimerFired(now))
        self._timer_at = _NEVER
        self._timer_runs = False
