"""
The runner: carries out the core's commands and reports what happened. It decides nothing.

A worker takes the next command itself and awaits the attempts that it finds, one after another.
When it leaves something to be started it calls one more worker, which does the same: a chain of
nodes needs one worker, a fan of slow ones as many as there are slots. No task, scope or timer
exists per node. What an attempt does is in `attempts.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextvars import copy_context
from typing import Any, Final, NoReturn

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from dagorch.models.events import Event
from dagorch.models.unawaited import SCALARS, unawaited
from dagorch.models.user_objects import with_class
from dagorch.runner.attempts import Attempts
from dagorch.runner.cancellation import interrupt_in, is_foreign_cancellation
from dagorch.runner.loop_state import LoopState
from dagorch.runner.worker_context import (
    equality_shows_changes,
    fresh_context,
    in_own_context,
)
from dagorch.scheduler import stimuli
from dagorch.scheduler.commands import (
    CONTINUE,
    Answer,
    CancelAttempt,
    Command,
    Evaluate,
    Finish,
    GrantCall,
    RefuseCall,
    StartAttempt,
    WakeRun,
)
from dagorch.scheduler.core import Core
from dagorch.scheduler.fast_path import fast_path
from dagorch.scheduler.records import Call
from dagorch.worker_threads import name_event_loop

__all__ = ["Runner"]

_NEVER: Final = float("inf")


class Runner:
    """
    Runs one core on the event loop that it is started on.

    Everything outside a worker reaches the core through `feed`, `request_call` and
    `request_resend`. These make sure that the core's commands are run.

    Args:
        core: The run, not started.
        attempts: Does the work of attempts and evaluations.
        shared: What all runs of this loop share.
        emit: Gets the events, some at a time; must not block.
    """

    def __init__(
        self,
        core: Core,
        attempts: Attempts,
        shared: LoopState,
        emit: Callable[[Sequence[Event]], None],
    ) -> None:
        self._core = core
        self._attempts = attempts
        self._shared = shared
        self._emit = emit
        self._clock = shared.clock
        self._context = copy_context()
        """The context variables that every attempt sees: the caller's, as the run begins."""
        self._context.run(name_event_loop)
        self._always_renews = not equality_shows_changes(self._context)
        self._group: TaskGroup | None = None
        self._idle: list[anyio.Event] = []
        """One per worker that waits for something to do."""
        self._worker_called = False
        """Whether a worker was called that has not asked the core yet."""
        self._timer_at = _NEVER
        self._timer_runs = False
        self._timer_moved: anyio.Event | None = None
        self.broken: Exception | None = None
        """An error of the engine itself."""
        self._cancelled_early: str | None = None
        self._interrupt: BaseException | None = None
        """A `KeyboardInterrupt` or `SystemExit` of user code, raised when the run ends."""
        attempts.bind(self, shared.clock, core)

    async def run(self, inputs: dict[str, Any]) -> None:
        """
        Run to the end; the core knows how it ended.

        Raises:
            BaseException: Cancellation from outside, or a `KeyboardInterrupt` or `SystemExit` of
                user code, once every attempt has ended.
        """
        core = self._core
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                try:
                    core.handle(stimuli.RunStarted(inputs, self._clock()))
                    if self._cancelled_early is not None:
                        self.cancel(self._cancelled_early)
                    await self._run_worker()
                finally:
                    # trio closes the group before this task resumes, and another run may wake
                    # this one in between: a task that is started then raises in that run.
                    self._group = None
        finally:
            if self.broken is None and not core.is_done:
                self._drain()
            self._deliver()
            self._attempts.unbind()
        if self._interrupt is not None:
            raise self._interrupt
        if self.broken is not None:
            raise self.broken

    # -- from outside a worker --------------------------------------------------------------

    def feed(self, stimulus: stimuli.Stimulus) -> None:
        """Hand the core a stimulus, and see that what it decides is carried out."""
        if self._core.finished:
            return
        try:
            self._core.handle(stimulus)
        except Exception as error:
            self._break(error)
        self._deliver()
        self._call_if_needed()

    def request_call(self, call: Call) -> Answer:
        """Ask the core for a call of a function node."""
        answer = self._core.request_call(call, self._clock())
        self._call_if_needed()
        return answer

    def request_resend(self, ticket: StartAttempt | Call) -> bool:
        """Ask the core whether an exchange may be sent once more."""
        return self._core.request_resend(ticket, self._clock())

    def cancel(self, reason: str) -> None:
        """Stop the run, at once or as soon as it has begun."""
        if self._core.root is None:
            self._cancelled_early = reason
            return
        self.feed(stimuli.RunCancelled(reason, self._clock()))

    def answer(self, path: str, value: Any) -> None:
        """Answer the open question of a node run."""
        self.feed(stimuli.Answered(path, value, self._clock()))

    def resource_freed(self) -> None:
        """Ask again for what the run waits for."""
        self.feed(stimuli.ResourceFreed(self._clock()))

    def _deliver(self) -> None:
        """Hand the listeners what has happened, before they or others get their turn."""
        events = self._core.events
        if events:
            self._emit(events)
            events.clear()

    def _call_if_needed(self) -> None:
        """See that the timer is right, and that a worker comes if there is something to do."""
        core = self._core
        if core.next_timer_at < self._timer_at:
            self._set_timer()
        if not self._worker_called and core.has_work:
            self._call_worker()

    def _call_worker(self) -> None:
        """Wake an idle worker, or start one more."""
        if self._idle:
            self._worker_called = True
            self._idle.pop().set()
        elif self._group is not None:
            self._worker_called = True
            self._start(self._run_worker)

    def _start(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start a task; a plain callback of the loop, which belongs to no task, may do it too."""
        if self._group is not None:
            _ = self._context.copy().run(self._group.start_soon, function)

    def _drain(self) -> None:
        """After a cancellation from outside every task has ended: report it all to the core."""
        core = self._core
        if not core.finished:
            core.handle(stimuli.RunCancelled("cancelled from outside", self._clock()))
        while (command := core.next()) is not None:
            if command is CONTINUE:
                core.handle(stimuli.Continued(self._clock()))
            else:
                self._run_command(command)

    # -- workers ----------------------------------------------------------------------------

    async def _run_worker(self) -> None:
        await in_own_context(self._work(), self._context, self._deliver)

    async def _work(self) -> None:
        """Be a worker until the run is over. One whose attempt was cancelled begins anew."""
        self._worker_called = False
        group = self._group
        core = self._core
        # Until the last command, not until the last node run: the end must be reported, too.
        while group is not None and not self._is_over:
            try:
                if core.plan.cancels_as_unit:  # what cancels one attempt cancels all
                    await self._run_commands(group.cancel_scope)
                else:
                    with anyio.CancelScope() as scope:
                        await self._run_commands(scope)
            except Exception as error:
                self._break(error)
            except BaseException as error:
                interrupt = interrupt_in(error)
                if interrupt is None:
                    raise
                self._interrupt = interrupt
                self.cancel(f"user code raised {type(interrupt).__name__}")
                group.cancel_scope.cancel()

    @property
    def _is_over(self) -> bool:
        return self.broken is not None or self._interrupt is not None or self._core.is_done

    async def _run_commands(self, scope: anyio.CancelScope) -> None:  # noqa: C901  the hot loop, in one piece
        """Carry out commands until the run is over or this scope is cancelled."""
        core, clock, slice = self._core, self._clock, self._shared.slice
        path = fast_path(core)
        next(path)
        advance = path.send
        turn = -1
        context_of_run, always_renews = self._context, self._always_renews
        context = await fresh_context()
        while True:
            command = core.next()
            if type(command) is StartAttempt:
                command.worker = scope
                if core.next_timer_at < self._timer_at:
                    self._set_timer()
                attempt: StartAttempt | None = command
                more = True
                while attempt is not None:
                    if more and not self._worker_called and core.can_start:
                        self._call_worker()
                    plan, index, inputs = attempt.frame.plan, attempt.index, attempt.inputs
                    function = plan.functions[index]
                    try:
                        stale = always_renews or context != context_of_run
                    except Exception:  # of a value that cannot be compared
                        stale = True
                    if stale:  # an earlier attempt set a context variable
                        context = await fresh_context()
                    try:
                        if function is None:
                            stimulus = await self._attempts.perform(attempt)
                        else:  # the most common kind, without calls in between
                            value = await (function(**inputs) if inputs else function())
                            check = plan.checks[index]
                            if (check is not None and not check(value)) or (
                                type(value) not in SCALARS and unawaited(value)
                            ):
                                stimulus = self._attempts.wrong_type(attempt, value)
                                function = None
                    except Exception as error:  # the core retries it or fails the node with it
                        core.handle(stimuli.AttemptFailed(attempt, with_class(error), clock()))
                        break
                    except BaseException as error:  # raised again, unless it is foreign
                        if not is_foreign_cancellation(error):
                            self._cancelled(attempt, error)
                        core.handle(self._attempts.foreign_cancellation(attempt, error))
                        break
                    if function is None:
                        core.handle(stimulus)
                        break
                    now = clock()
                    if turn != slice.turn:  # it waited, and everybody else had a turn
                        turn = slice.enter(now)
                    elif now >= slice.end:  # no attempt may be open while this steps aside
                        core.handle(stimuli.AttemptSucceeded(attempt, value, now))
                        break
                    attempt, more = advance((attempt, value, now))
                if scope.cancel_called:
                    return
            elif command is None:
                if core.finished:
                    return
                if core.next_timer_at < self._timer_at:
                    self._set_timer()
                await self._wait_for_work()
            elif command is CONTINUE:
                core.handle(stimuli.Continued(clock()))
            else:
                self._run_command(command)
            if turn != slice.turn:
                turn = slice.enter(clock())
            elif core.now >= slice.end:
                await checkpoint()

    def _cancelled(self, attempt: StartAttempt, error: BaseException) -> NoReturn:
        """
        Report an attempt that was cancelled: by the core, from outside, or by an interrupt.

        Other errors in the group belong to the attempt; only the cancellation is raised again.
        """
        core, now = self._core, self._clock()
        cancelled, rest = error, None
        if isinstance(error, BaseExceptionGroup):
            parts = error.split(anyio.get_cancelled_exc_class())
            if parts[0] is not None and isinstance(parts[1], Exception):
                cancelled, rest = parts
        if not attempt.cancelling and interrupt_in(error) is None:
            core.handle(stimuli.RunCancelled("cancelled from outside", now))
        ended = self._attempts.cancelled(attempt)
        core.handle(
            ended if rest is None else stimuli.AttemptFailed(attempt, rest, now, ended.usage)
        )
        self._call_if_needed()
        raise cancelled

    async def _wait_for_work(self) -> None:
        event = anyio.Event()
        self._idle.append(event)
        try:
            await event.wait()
        finally:
            if event in self._idle:
                self._idle.remove(event)
        self._worker_called = False

    def _run_command(self, command: Command) -> None:
        """Carry out a command that needs no waiting."""
        if type(command) is Evaluate:
            evaluate = self._attempts.evaluate
            self._core.handle(self._context.copy().run(evaluate, command))
        elif type(command) is CancelAttempt:
            attempt = command.attempt
            if attempt.worker is not None and attempt.is_running:
                attempt.worker.cancel()
        elif type(command) is WakeRun:
            self._shared.wake(command.run)
        elif isinstance(command, GrantCall | RefuseCall):
            command.call.on_answer(command)
        elif type(command) is Finish:
            for event in self._idle:
                event.set()
            if self._timer_moved is not None:
                self._timer_moved.set()
        elif type(command) is StartAttempt:  # only while draining: no worker is left
            self._core.handle(stimuli.AttemptCancelled(command, self._clock()))

    def _break(self, error: Exception) -> None:
        """End the run with an error of the engine itself, which no longer knows its state."""
        if self.broken is None:
            self.broken = error
        if self._group is not None:
            self._group.cancel_scope.cancel()

    # -- the one timer ----------------------------------------------------------------------

    def _set_timer(self) -> None:
        self._timer_at = self._core.next_timer_at
        if self._timer_moved is not None:
            self._timer_moved.set()
        if not self._timer_runs and self._group is not None:
            self._timer_runs = True
            self._start(self._timer)

    async def _timer(self) -> None:
        """Wait for the earliest of the core's timers; there is one such task per run."""
        core = self._core
        while not core.finished and self._group is not None:
            when = core.next_timer_at
            self._timer_at = when
            if when == _NEVER:
                break
            self._timer_moved = anyio.Event()
            wait = when - self._clock()
            if wait > 0:
                with anyio.move_on_after(wait):
                    await self._timer_moved.wait()
            now = self._clock()
            if now >= core.next_timer_at:
                self.feed(stimuli.TimerFired(now))
        self._timer_at = _NEVER
        self._timer_runs = False
