"""A host of runs for services: started here, watched and answered elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from dagorch.errors import DefinitionError
from dagorch.models.bounds import count_problem
from dagorch.models.log import logger
from dagorch.runner.api import RunHandle, leave_group
from dagorch.runner.loop_caller import LoopCaller
from dagorch.scheduler.events import describe

__all__ = ["RunHost"]


class RunHost(Mapping[str, RunHandle]):
    """
    Owns runs that outlive the request that starts them; a mapping of run id to handle.

    Leaving the block waits for its runs; `cancel()` stops them first. An error in the block
    cancels them. A run that fails disturbs no other: its error is raised by `result()`, and logged
    if nobody asks.

    Args:
        keep: How many ended runs can still be looked up; beyond it the oldest are forgotten.

    Example:
        >>> from dagorch import Graph, RunHost
        >>> graph = Graph("one")
        >>> @graph.function
        ... async def one() -> int:
        ...     return 1
        >>> async def main() -> int:
        ...     async with RunHost() as host:
        ...         run_id = host.add(graph.start()).run_id
        ...         return (await host[run_id].result())[one]
        >>> import anyio
        >>> anyio.run(main)
        1
    """

    def __init__(self, keep: int = 100) -> None:
        problem = count_problem("keep", keep, 0)
        if problem:
            raise DefinitionError(problem)
        self._keep = keep
        self._runs: dict[str, RunHandle] = {}
        self._loop: LoopCaller | None = None
        self._group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        if self._loop is not None:
            raise DefinitionError("a RunHost is entered once; make another one")
        self._loop = LoopCaller()
        self._group = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        group, self._group = self._group, None
        assert group is not None
        if error is not None:
            self.cancel("the block of the host was left by an error")
        try:
            return await leave_group(group, error, self._interrupt)
        finally:
            for run in self._runs.values():
                _log_unread(run)

    def _interrupt(self) -> BaseException | None:
        return next((run.interrupt for run in self._runs.values() if run.interrupt), None)

    def add(self, run: RunHandle) -> RunHandle:
        """
        Begin a run, from any thread: `host.add(graph.start(question=..., provider=...))`.

        Returns:
            The same handle; its `run_id` finds it again.

        Raises:
            DefinitionError: The host is not open, or the run has begun already.
        """
        if not isinstance(run, RunHandle):
            raise DefinitionError(f"{run!r:.60} is not a run; pass what graph.start(...) returned")
        if self._loop is None:
            raise DefinitionError("the host is not open; use 'async with RunHost() as host'")
        return self._loop.call(lambda: self._add(run))

    def _add(self, run: RunHandle) -> RunHandle:
        if self._group is None:
            raise DefinitionError("the host was left, so it takes no more runs")
        run.prepare()
        ended = [run_id for run_id, known in self._runs.items() if known.ended]
        for run_id in ended[: max(0, len(ended) - self._keep)]:
            _log_unread(self._runs.pop(run_id))
        self._runs[run.run_id] = run
        run.begin(self._group)
        return run

    def cancel(self, reason: str = "cancelled by its host") -> None:
        """Stop every run."""
        for run in tuple(self._runs.values()):
            run.cancel(reason)

    def __getitem__(self, run_id: str) -> RunHandle:
        return self._runs[run_id]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._runs))

    def __len__(self) -> int:
        return len(self._runs)


def _log_unread(run: RunHandle) -> None:
    error = run.unread_error
    if error is not None:
        logger().warning("run failed", run_id=run.run_id, error=describe(error))
