"""How a run is started: `run`, `run_sync`, a handle, a stream. The run is in `session.py`."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint, current_token

from dagorch.errors import DefinitionError, RunError, did_you_mean
from dagorch.graph.graph import Graph
from dagorch.models.events import Event
from dagorch.models.question import Question
from dagorch.models.result import Result
from dagorch.models.run_options import RunArguments
from dagorch.models.usage import Usage
from dagorch.models.user_objects import passes, short_repr
from dagorch.nodes.types import type_name, value_check
from dagorch.runner.cancellation import single_error
from dagorch.runner.event_delivery import EventQueue
from dagorch.runner.loop_caller import LoopCaller
from dagorch.runner.session import Session
from dagorch.scheduler.states import State

__all__ = ["RunEvents", "RunHandle", "RunStream", "leave_group", "run", "run_sync"]

T = TypeVar("T")


async def run(graph: Graph, arguments: RunArguments) -> Result:
    """See `Graph.run`."""
    return await Session(graph, arguments).run()


def run_sync(graph: Graph, arguments: RunArguments) -> Result:
    """See `Graph.run_sync`."""
    try:
        current_token()
    except RuntimeError:
        pass
    else:
        raise DefinitionError(
            "run_sync was called where an event loop runs; use 'await graph.run(...)'"
        )
    session = Session(graph, arguments)
    faster = {"use_uvloop": True} if find_spec("uvloop") else {}
    try:
        return anyio.run(session.run, backend_options=faster)
    except RunError as error:  # without the frames of the event loop
        raise error.with_traceback(None) from error.__cause__


class RunHandle:
    """
    A run beside other work; made by `Graph.start`, an async context manager.

    `cancel`, `answer`, `questions` and the other attributes may be used from any thread; `events`
    and `result` on the run's event loop.

    Example:
        >>> from dagorch import Graph
        >>> graph = Graph("one")
        >>> @graph.function
        ... async def one() -> int:
        ...     return 1
        >>> async def main() -> int:
        ...     async with graph.start() as run:
        ...         return (await run.result())[one]
        >>> import anyio
        >>> anyio.run(main)
        1
    """

    def __init__(self, graph: Graph, arguments: RunArguments) -> None:
        self._session = Session(graph, arguments)
        self._session.keep_events()
        self._loop: LoopCaller | None = None
        self._finished: anyio.Event | None = None
        self._result: Result | None = None
        self._error: BaseException | None = None
        self.interrupt: BaseException | None = None
        """A `KeyboardInterrupt` or `SystemExit` of user code."""
        self._group: Any = None
        self._result_read = False
        self._cancelled_early: str | None = None
        self._highest = 0.0

    async def __aenter__(self) -> Self:
        self.prepare()
        group = anyio.create_task_group()
        await group.__aenter__()
        self.begin(group)
        try:
            while not self.status and not self.ended:
                await checkpoint()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        if error is not None:
            self.cancel("the block was left by an error")
        swallowed = await leave_group(self._group, error, lambda: self.interrupt)
        if error is None and self._error is not None and not self._result_read:
            raise self._error
        return swallowed

    def prepare(self) -> None:
        """
        Give the run its id, on the event loop that it will run on.

        Raises:
            DefinitionError: The run has begun already.
        """
        if self._loop is not None:
            raise DefinitionError("a run handle runs once; make another with graph.start(...)")
        self._loop = LoopCaller()
        self._finished = anyio.Event()
        self._session.begin()
        if self._cancelled_early is not None:
            self.cancel(self._cancelled_early)

    def begin(self, group: TaskGroup) -> None:
        """Run in a task of a group, which an interrupt of user code cancels."""
        self._group = group
        group.start_soon(self._run)

    @property
    def ended(self) -> bool:
        """Whether the run has ended."""
        return self._finished is not None and self._finished.is_set()

    @property
    def unread_error(self) -> BaseException | None:
        """The error of a run that has ended, unless `result()` has raised it."""
        return None if self._result_read else self._error

    async def _run(self) -> None:
        assert self._finished is not None
        try:
            self._result = await self._session.run()
        except Exception as error:
            self._error = error
        except (KeyboardInterrupt, SystemExit) as error:
            # Raised by the task that owns the run: raised here, it would stop asyncio's loop.
            self._error = self.interrupt = error
            self._group.cancel_scope.cancel()
        except BaseException:
            self._error = RunError("the run was cancelled from outside")
            raise
        finally:
            self._finished.set()

    @property
    def run_id(self) -> str:
        """The run's id; empty until it has begun."""
        return self._session.core.run_id if self._session.core else ""

    @property
    def status(self) -> dict[str, str]:
        """The current state of each node run of the graph, by id."""
        return self._on_loop(self._status)

    def _status(self) -> dict[str, str]:
        core = self._session.core
        if core is None or core.root is None:
            return {}
        states = core.root.state
        return {node.id: State(states[i]).name.lower() for i, node in enumerate(core.plan.nodes)}

    @property
    def usage(self) -> Usage:
        """Tokens and money so far."""
        return self._session.core.usage if self._session.core else Usage()

    @property
    def progress(self) -> float:
        """0 to 100 over the node runs known so far; never falls, 100 only on completion."""
        core = self._session.core
        if core is not None:
            self._highest = max(self._highest, core.measured_progress, core.progress)
        return self._highest

    def cancel(self, reason: str = "cancelled by its handle") -> None:
        """
        Stop the run, at once or as soon as it has begun.

        `result()` then raises a `RunError` with the values that had completed.
        """

        def cancel() -> None:
            if self._session.runner is not None:
                self._session.runner.cancel(reason)
            elif self._session.core is None:
                self._cancelled_early = reason

        self._on_loop(cancel)

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions that wait for an answer now."""
        return self._on_loop(self._questions)

    def _questions(self) -> tuple[Question, ...]:
        core = self._session.core
        parked = core.parked() if core is not None else {}
        return tuple(
            Question(
                path, frame.node_details[index].question, frame.plan.nodes[index].output_type()
            )
            for path, (frame, index) in parked.items()
        )

    def answer(self, question: Question | str, value: Any) -> None:
        """
        Answer an open question.

        Args:
            question: The question, or its path.
            value: The answer, of the question's `answer_type`.

        Raises:
            DefinitionError: No such question is waiting, or the answer has the wrong type.
        """
        path = question if isinstance(question, str) else question.path
        self._on_loop(lambda: self._answer(path, value))

    def _answer(self, path: str, value: Any) -> None:
        runner = self._session.runner
        waiting = {question.path: question for question in self._questions()}
        if runner is None or path not in waiting:
            raise DefinitionError(
                f"no question {path!r} is waiting for an answer{did_you_mean(path, waiting)}"
            )
        wanted = waiting[path].answer_type
        if not passes(value_check(wanted), value):
            raise DefinitionError(
                f"question {path!r} wants {type_name(wanted)}, not {type_name(type(value))}: "
                f"{short_repr(value, 60)}"
            )
        runner.answer(path, value)

    def _on_loop(self, function: Callable[[], T]) -> T:
        return function() if self._loop is None else self._loop.call(function)

    async def result(self) -> Result:
        """
        Wait for the end.

        Raises:
            RunError: The run stopped; `.partial_results` holds what finished.
        """
        if self._finished is None:
            raise DefinitionError("the run has not begun: use 'async with graph.start(...) as run'")
        await self._finished.wait()
        self._result_read = True
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def events(self, after: int = 0) -> RunEvents:
        """
        Iterate over the run's events, from the first or from a number on, to the run's end.

        The last 10,000 events are kept for readers that come late or come back. A reader that was
        cut off goes on with `events(after=...)`: the number of the last event that it has seen,
        which is the `id` that `dagorch.exporters.to_sse` writes. A gap in the numbers means that
        events were no longer there.

        Args:
            after: The number of the last event that the reader has.
        """
        return RunEvents(self._session, after)


class RunEvents:
    """The events of a run, for one reader; made by `RunHandle.events`."""

    def __init__(self, session: Session, after: int) -> None:
        self._session = session
        self._queue = session.subscribe(after)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._queue.get()
        if event is None:
            self._close()
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """Read no more."""
        self._close()

    def _close(self) -> None:
        self._session.unsubscribe(self._queue)
        self._queue.close()

    def __del__(self) -> None:  # a reader that leaves its loop early need not close anything
        self._session.unsubscribe(self._queue)


async def leave_group(
    group: TaskGroup, error: BaseException | None, interrupt: Callable[[], BaseException | None]
) -> bool:
    """
    Leave a task group by hand: wait for its tasks, and raise one error instead of a group.

    Args:
        group: The group.
        error: The error that leaves the block, or None.
        interrupt: Returns the interrupt for which a task cancelled the group, to be raised instead.

    Returns:
        The value for `__aexit__` to return.
    """
    try:
        swallowed = await group.__aexit__(
            None if error is None else type(error), error, getattr(error, "__traceback__", None)
        )
    except BaseExceptionGroup as several:
        single = interrupt() or single_error(several)
        if single is error:
            return False  # raised again as it is, with its cause
        raise single from single.__cause__
    cause = interrupt()
    if cause is not None and error is not cause:
        raise cause
    return bool(swallowed)


class _Host:
    """
    The task of a stream's run.

    It holds no reference to the stream, so that an unused stream can be freed.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.queue: EventQueue = session.subscribe()
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()
        self.result: Result | None = None
        self.error: BaseException | None = None

    async def main(self) -> None:
        """Run to the end, and keep the result or the error."""
        try:
            with self.scope:
                self.result = await self.session.run()
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:
            self.error = error
        finally:
            self.queue.close()
            self.ended.set()

    def begin(self) -> asyncio.Task[None] | None:
        """Start the task; on asyncio the caller must keep a reference to it."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio

            trio.lowlevel.spawn_system_task(self.main, context=contextvars.copy_context())
            return None
        return loop.create_task(self.main())

    def stop(self) -> None:
        if not self.queue.closed:  # else the last event was sent, and the result follows
            self.scope.cancel()


class RunStream:
    """
    A run as a stream of events; made by `Graph.stream`.

    The run begins when the first event is requested and continues between events. If the stream
    is left early, or freed, the run is cancelled. `aclose()` or `async with` cancels it at a
    known place and waits for its end.

    Attributes:
        result: The result, once the stream has ended.
    """

    def __init__(self, graph: Graph, arguments: RunArguments) -> None:
        self._host: _Host | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._session = Session(graph, arguments)

    @property
    def result(self) -> Result:
        """The result of the run. Raises `DefinitionError` before the stream has ended."""
        if self._host is None or self._host.result is None:
            raise DefinitionError("the run has not completed; read the stream to its end first")
        return self._host.result

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if self._closed:
            raise StopAsyncIteration
        if self._host is None:
            self._host = _Host(self._session)
            self._task = self._host.begin()
        try:
            event = await self._host.queue.get()
            if event is not None:
                return event
            await self._host.ended.wait()
        except BaseException:
            await self.aclose()
            raise
        self._closed = True
        if self._host.error is not None:
            raise self._host.error
        if self._host.result is None:
            raise RunError("the run was cancelled from outside")
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the run if it has not ended, and wait for its end."""
        self._closed = True
        if self._host is not None:
            self._host.stop()
            with anyio.CancelScope(shield=True):
                await self._host.ended.wait()

    def __del__(self) -> None:
        host = getattr(self, "_host", None)
        if host is not None:
            with contextlib.suppress(RuntimeError):  # the event loop is closed, and the run with it
                host.stop()
