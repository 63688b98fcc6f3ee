"""How a run is started: `run`, `run_sync`, a handle, a stream. The run is in `session.py`."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.lowlevel import checkpoint, current_token

from dagorch.errors import DefinitionError, RunError, did_you_mean
from dagorch.graph.graph import Graph
from dagorch.models.events import Event
from dagorch.models.result import Result
from dagorch.models.run_options import RunArguments
from dagorch.models.usage import Usage
from dagorch.models.user_objects import passes, short_repr
from dagorch.nodes.types import type_name, value_check
from dagorch.runner.cancellation import single_error
from dagorch.runner.event_delivery import EventQueue
from dagorch.runner.loop_state import shared
from dagorch.runner.session import Session
from dagorch.scheduler import stimuli
from dagorch.scheduler.states import State

__all__ = ["RunHandle", "RunStream", "run", "run_sync"]


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
        self._finished: anyio.Event | None = None
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._interrupt: BaseException | None = None
        self._group: Any = None
        self._result_read = False
        self._highest = 0.0

    async def __aenter__(self) -> Self:
        self._finished = anyio.Event()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._run)
        try:
            while self._session.runner is None and not self._finished.is_set():
                await checkpoint()  # until there is a run to cancel
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
        try:
            swallowed = await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            single = self._interrupt or single_error(group)
            if single is error:
                return False  # raised again as it is, with its cause
            raise single from single.__cause__
        if self._interrupt is not None and error is not self._interrupt:
            raise self._interrupt
        if error is None and self._error is not None and not self._result_read:
            raise self._error
        return bool(swallowed)

    async def _run(self) -> None:
        assert self._finished is not None
        try:
            self._result = await self._session.run()
        except Exception as error:
            self._error = error
        except (KeyboardInterrupt, SystemExit) as error:
            # Raised by the task that owns the run: raised here, it would stop asyncio's loop.
            self._error = self._interrupt = error
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
        """Stop the run; `result()` then raises a `RunError` with the values that had completed."""
        if self._session.runner is not None:
            self._session.runner.cancel(reason)

    @property
    def questions(self) -> tuple[str, ...]:
        """The paths of the questions that wait for an answer now."""
        core = self._session.core
        return tuple(core.parked()) if core is not None else ()

    def answer(self, path: str, value: Any) -> None:
        """
        Answer a parked question.

        Raises:
            DefinitionError: No question of that path is waiting, or the answer has the wrong type.
        """
        core, runner = self._session.core, self._session.runner
        parked = core.parked() if core is not None else {}
        if runner is None or path not in parked:
            raise DefinitionError(
                f"no question {path!r} is waiting for an answer{did_you_mean(path, parked)}"
            )
        frame, index = parked[path]
        node: Any = frame.plan.nodes[index]
        check = value_check(node.output)
        if not passes(check, value):
            raise DefinitionError(
                f"question {path!r} wants {type_name(node.output)}, not {type_name(type(value))}: "
                f"{short_repr(value, 60)}"
            )
        runner.feed(stimuli.Answered(path, value, shared().clock()))

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

    async def events(self) -> AsyncIterator[Event]:
        """Yield the run's events from here on; the last is the run's end."""
        queue = self._session.subscribe()
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._session.unsubscribe(queue)


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
