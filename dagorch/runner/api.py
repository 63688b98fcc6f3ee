"""
The doors to a run: `run`, `run_sync`, a handle, a stream of events.

What a run is, is in `session.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.lowlevel import checkpoint, current_token

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.graph.graph import Graph
from dagorch.models.events import Event
from dagorch.models.result import Result
from dagorch.models.usage import Usage
from dagorch.nodes.types import type_name, value_check
from dagorch.runner.limits import shared
from dagorch.runner.session import Session, single_error
from dagorch.runner.stream import Queue
from dagorch.scheduler import stimuli
from dagorch.scheduler.states import State

__all__ = ["RunHandle", "RunStream", "run", "run_sync"]


async def run(graph: Graph, given: Mapping[str, Any]) -> Result:
    """See `Graph.run`."""
    return await Session(graph, given).run()


def run_sync(graph: Graph, given: Mapping[str, Any]) -> Result:
    """See `Graph.run_sync`."""
    try:
        current_token()
    except RuntimeError:
        pass
    else:
        raise DefinitionError(
            "run_sync was called where an event loop runs; use 'await graph.run(...)'"
        )
    session = Session(graph, given)

    async def main() -> Result:
        try:
            return await session.run()
        finally:
            with anyio.CancelScope(shield=True):
                for provider in session.providers:
                    await provider.aclose()

    return anyio.run(main)


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

    def __init__(self, graph: Graph, given: Mapping[str, Any]) -> None:
        self._session = Session(graph, given)
        self._finished: anyio.Event | None = None
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._group: Any = None
        self._asked = False

    async def __aenter__(self) -> Self:
        self._finished = anyio.Event()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._run)
        await checkpoint()
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
            raise single_error(group) from None
        if error is None and self._error is not None and not self._asked:
            raise self._error
        return bool(swallowed)

    async def _run(self) -> None:
        assert self._finished is not None
        try:
            self._result = await self._session.run()
        except Exception as error:
            self._error = error
        finally:
            self._finished.set()

    @property
    def run_id(self) -> str:
        """The run's id; empty until it has begun."""
        return self._session.core.run_id if self._session.core else ""

    @property
    def status(self) -> dict[str, str]:
        """The state of each node run of the graph by id, as it is now."""
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
        """0 to 100; counted over the node runs known so far."""
        core = self._session.core
        if core is None or not core.opened:
            return 0.0
        return 100.0 if core.finished else min(99.0, 100.0 * core.ended_count / core.opened)

    def cancel(self, reason: str = "cancelled by its handle") -> None:
        """Stop the run; `result()` then raises a `RunError` with what had finished."""
        if self._session.runner is not None:
            self._session.runner.cancel(reason)

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
        if check is not None and not check(value):
            raise DefinitionError(
                f"question {path!r} wants {type_name(node.output)}, not {type_name(type(value))}: "
                f"{value!r:.60}"
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
        self._asked = True
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    async def events(self) -> AsyncIterator[Event]:
        """Give the run's events from here on; the last is the run's end."""
        queue = self._session.subscribe()
        while (event := await queue.get()) is not None:
            yield event


class _Host:
    """
    The task of a stream's run.

    It knows nothing of the stream, so that a forgotten stream can go.
    """

    __slots__ = ("error", "finished", "queue", "result", "scope", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.queue: Queue = session.subscribe()
        self.scope: anyio.CancelScope | None = None
        self.result: Result | None = None
        self.error: Exception | None = None
        self.finished = False

    async def main(self) -> None:
        """Run to the end, keeping what it came to."""
        with anyio.CancelScope() as self.scope:
            try:
                self.result = await self.session.run()
            except Exception as error:
                self.error = error
        self.finished = True
        self.queue.close()

    def stop(self) -> None:
        if self.scope is not None and not self.finished:
            self.scope.cancel()


class RunStream:
    """
    A run as a stream of events; made by `Graph.stream`.

    The run begins with the first event asked for and goes on by itself in between. When the
    stream is left early, or forgotten, the run is cancelled; `aclose()` or `async with` does so
    at a place of one's choosing.

    Attributes:
        result: What the run came to, once the stream has ended.
    """

    def __init__(self, graph: Graph, given: Mapping[str, Any]) -> None:
        self._host = _Host(Session(graph, given))
        self._task: asyncio.Task[None] | None = None
        self._begun = False

    @property
    def result(self) -> Result:
        """What the run came to. Raises `DefinitionError` before the stream has ended."""
        if self._host.result is None:
            raise DefinitionError("the run has not completed; read the stream to its end first")
        return self._host.result

    def _begin(self) -> None:
        self._begun = True
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio

            trio.lowlevel.spawn_system_task(self._host.main)
        else:
            self._task = loop.create_task(self._host.main())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if not self._begun:
            self._begin()
        try:
            event = await self._host.queue.get()
        except BaseException:
            self._host.stop()
            raise
        if event is not None:
            return event
        if self._host.error is not None:
            raise self._host.error
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the run if it still goes on, and wait until it has ended."""
        self._host.stop()
        with anyio.CancelScope(shield=True):
            while (
                self._begun and not self._host.finished and await self._host.queue.get() is not None
            ):
                pass

    def __del__(self) -> None:
        self._host.stop()
