"""
The runner: carries the core's commands out. It decides nothing; what an attempt does is in `attempts.py`.

A worker takes the next command itself and runs the attempts it finds, one after another. Only
when an attempt really suspends is another worker started, if there is more to start: a chain of
nodes that never wait needs one worker, a fan of slow ones as many as there are slots. No task,
scope or limiter exists per node.
"""

from __future__ import annotations

import time
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, TypeVar

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from dagorch.errors import DagorchError
from dagorch.runner.attempts import Attempts
from dagorch.runner.limits import Shared
from dagorch.runner.watchdog import Step
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

__all__ = ["Runner"]

T = TypeVar("T")

SLICE_SECONDS: Final = 0.005
"""How long a run may keep the loop in one turn before others get theirs."""


class Runner:
    """
    Runs one core on the event loop it is started on.

    Args:
        core: The run, not started.
        attempts: Does what `StartAttempt` and `Evaluate` ask.
        shared: What all runs of this loop share.
        emit: Gets each event; must not block.
        clock: Seconds, as the event loop counts them.
    """

    def __init__(
        self,
        core: Core,
        attempts: Attempts,
        shared: Shared,
        emit: Callable[[Any], None],
        clock: Callable[[], float],
    ) -> None:
        self._core = core
        self._attempts = attempts
        self._shared = shared
        self._emit = emit
        self._clock = clock
        self._group: TaskGroup | None = None
        self._done: anyio.Event | None = None
        self._looking = 0
        """Workers that will ask the core for more without being woken."""
        self._slice_end = 0.0
        self._slice_owner: object | None = None
        self._timer_at = float("inf")
        self._timer_moved: anyio.Event | None = None
        self._step = Step()
        self.broken: BaseException | None = None
        """An error of the engine itself."""
        attempts.bind(self.feed, self._clock, core)

    async def run(self, inputs: dict[str, Any]) -> None:
        """
        Run to the end. How it ended is the core's to tell.

        Raises:
            BaseException: Cancellation from outside, once every attempt has ended.
        """
        core = self._core
        self._shared.wake[core.run_id] = self._resource_freed
        self._shared.watchdog.watch(self._step)
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                core.handle(stimuli.RunStarted(inputs, self._clock()))
                self._slice_end = time.perf_counter() + SLICE_SECONDS
                self._looking += 1
                await self._work()
                if not core.finished and self.broken is None:
                    self._done = anyio.Event()
                    try:
                        await self._done.wait()
                    except BaseException:
                        self.cancel("cancelled from outside")
                        raise
        finally:
            if not core.finished:
                self._drain()
            self._group = None
            self._shared.watchdog.unwatch(self._step)
            del self._shared.wake[core.run_id]
        if self.broken is not None:
            raise self.broken

    # -- from outside -----------------------------------------------------------------------

    def feed(self, stimulus: stimuli.Stimulus) -> None:
        """Hand the core a stimulus from outside a worker, and see that what it decides is done."""
        if self._core.finished:
            return
        self._core.handle(stimulus)
        self._kick()

    def cancel(self, reason: str) -> None:
        """Stop the run."""
        self.feed(stimuli.RunCancelled(reason, self._clock()))

    def _resource_freed(self) -> None:
        self.feed(stimuli.ResourceFreed(self._clock()))

    def _kick(self) -> None:
        """Start a worker if there is something to do and nobody who will look."""
        if not self._looking and self._group is not None and self._core.has_work:
            self._looking += 1
            self._group.start_soon(self._work)
        elif self._core.deadline < self._timer_at:
            self._arm_timer()

    def _drain(self) -> None:
        """After a cancellation from outside: every task has ended, so the core is told what it missed."""
        core = self._core
        while not core.finished:
            command = core.next()
            if command is None:
                break
            self._obey(command)

    # -- workers ----------------------------------------------------------------------------

    async def _work(self) -> None:
        """Be a worker: do what the core says until there is nothing to do."""
        core = self._core
        clock = self._clock
        with anyio.CancelScope() as scope:
            try:
                while True:
                    command = core.next()
                    if type(command) is StartAttempt:
                        command.worker = scope
                        await self._attempt(command)
                        if scope.cancel_called:
                            break
                    elif command is None:
                        break
                    elif command is CONTINUE:
                        core.handle(stimuli.Continued(clock()))
                    else:
                        self._obey(command)
                    if time.perf_counter() >= self._slice_end:
                        await self._next_turn()
            except DagorchError as error:  # an InvariantError: the engine itself is wrong
                self._break(error)
        self._looking -= 1
        self._kick()

    async def _next_turn(self) -> None:
        """Let the loop have a turn; one slice a turn is shared by all workers of the run."""
        token = object()
        if self._slice_owner is None:
            self._slice_owner = token
        try:
            await checkpoint()
        finally:
            if self._slice_owner is token:
                self._slice_owner = None
                self._slice_end = time.perf_counter() + SLICE_SECONDS

    def _obey(self, command: Any) -> None:
        """Carry out a command that takes no waiting."""
        kind = type(command)
        if kind is Emit:
            self._emit(command.event)
        elif kind is Evaluate:
            self._step.attempt = command
            self._step.count += 1
            stimulus = self._attempts.evaluate(command)
            self._step.attempt = None
            self._core.handle(stimulus)
        elif kind is CancelAttempt:
            attempt = command.attempt
            if attempt.worker is not None:
                attempt.worker.cancel()
        elif kind is WakeRun:
            wake = self._shared.wake.get(command.run)
            if wake is not None:
                wake()
        elif kind is GrantCall or kind is RefuseCall:
            self._attempts.answer(command)
        elif kind is Finish:
            if self._done is not None:
                self._done.set()
            if self._timer_moved is not None:
                self._timer_moved.set()
        elif kind is StartAttempt:  # only while draining: nobody is left to do it
            self._core.handle(stimuli.AttemptCancelled(command, self._clock()))

    async def _attempt(self, attempt: StartAttempt) -> None:
        """Do one attempt, and report how it ended, whatever happens."""
        core = self._core
        if core.deadline < self._timer_at:
            self._arm_timer()
        try:
            stimulus = await self._drive(attempt, self._attempts.perform(attempt))
        except BaseException:
            attempt.worker = None
            if not attempt.cancelling and not core.finished:  # not from the core: from outside
                core.handle(stimuli.RunCancelled("cancelled from outside", self._clock()))
            core.handle(self._attempts.cancelled(attempt))
            self._looking -= 1
            try:
                self._kick()
            finally:
                self._looking += 1
            raise
        attempt.worker = None
        core.handle(stimulus)

    @types.coroutine
    def _drive(self, attempt: StartAttempt, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        """
        Await `work`, noting when it first suspends, for then somebody else may go on.

        While it runs in the loop's thread the watchdog knows in whose code.
        """
        step = self._step
        step.attempt = attempt
        step.count += 1
        try:
            waits_for = work.send(None)
        except StopIteration as stop:
            step.attempt = None
            return stop.value  # type: ignore[no-any-return]  # what a coroutine returns is untyped here
        except BaseException:
            step.attempt = None
            raise
        step.attempt = None
        self._looking -= 1
        self._kick()
        try:
            while True:
                try:
                    sent = yield waits_for
                except BaseException as error:
                    step.attempt = attempt
                    step.count += 1
                    waits_for = work.throw(error)
                else:
                    step.attempt = attempt
                    step.count += 1
                    waits_for = work.send(sent)
                step.attempt = None
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # as above
        finally:
            step.attempt = None
            self._looking += 1

    def _break(self, error: BaseException) -> None:
        self.broken = error
        if self._done is not None:
            self._done.set()
        if self._group is not None:
            self._group.cancel_scope.cancel()

    # -- the one timer ----------------------------------------------------------------------

    def _arm_timer(self) -> None:
        running = self._timer_at != float("inf")
        self._timer_at = self._core.deadline
        if running and self._timer_moved is not None:
            self._timer_moved.set()
        elif self._group is not None:
            self._group.start_soon(self._timer)

    async def _timer(self) -> None:
        """Wait for the earliest of all deadlines; there is one timer a run, and none without deadlines."""
        core = self._core
        while not core.finished and self._group is not None:
            when = core.deadline
            self._timer_at = when
            if when == float("inf"):
                return
            self._timer_moved = anyio.Event()
            wait = when - self._clock()
            if wait > 0:
                with anyio.move_on_after(wait):
                    await self._timer_moved.wait()
            now = self._clock()
            if now >= core.deadline:
                self.feed(stimuli.TimerFired(now))
        self._timer_at = float("inf")


