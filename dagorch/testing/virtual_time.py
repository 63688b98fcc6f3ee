"""Virtual time: a clock that jumps to the next timer when nothing else is left to do."""

from __future__ import annotations

import asyncio
import math
import random
import selectors
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, Literal, TypeVar, TypeVarTuple, Unpack

import anyio
from anyio.to_thread import current_default_thread_limiter

from dagorch.runner.loop_state import shared

__all__ = ["Backend", "run_virtual"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Backend = Literal["asyncio", "trio"]


def run_virtual(
    async_fn: Callable[[Unpack[Ts]], Awaitable[T]],
    *args: *Ts,
    backend: Backend = "asyncio",
    seed: int = 0,
) -> T:
    """
    Run an async function on virtual time: hours of waiting take milliseconds.

    Time stands still while there is something to do and jumps to the next timer when there is
    not, so what a run takes is the sum of its waits, exactly. While a thread works (a sync node,
    or whatever `anyio.to_thread` or the loop's executor runs) time passes as on the wall.

    Args:
        async_fn: What to run.
        args: Its arguments.
        backend: The event loop. Among tasks that are ready at once trio picks the order itself.
        seed: Of every run inside that is given none of its own, so that its jitter is repeated.

    Returns:
        What the function returns.

    Example:
        >>> import anyio
        >>> async def nap(hours: float) -> float:
        ...     await anyio.sleep(3600 * hours)
        ...     return anyio.current_time()
        >>> run_virtual(nap, 24)
        86400.0
    """

    async def main() -> T:
        shared().chance = random.Random(seed)
        return await async_fn(*args)

    options = _trio_options() if backend == "trio" else {"loop_factory": _VirtualLoop}
    return anyio.run(main, backend=backend, backend_options=options)


def _threads_at_work() -> bool:
    """Whether a thread is doing something for this event loop."""
    return shared().threads_at_work > 0 or current_default_thread_limiter().borrowed_tokens > 0


class _Clock:
    """Seconds since the loop was made; they pass only while `running`."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None
        self.executing = 0
        """Calls in the loop's executor."""

    def time(self) -> float:
        return self._seconds + (0.0 if self._since is None else time.monotonic() - self._since)

    def jump(self, seconds: float) -> None:
        self._seconds += seconds

    @property
    def running(self) -> bool:
        return self._since is not None

    @running.setter
    def running(self, running: bool) -> None:
        if running != self.running:
            self._seconds = self.time()
            self._since = time.monotonic() if running else None


class _JumpingSelector(selectors.DefaultSelector):
    """Moves the clock to the next timer instead of sleeping; files and threads come first."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        clock = self._clock
        clock.running = clock.executing > 0 or _threads_at_work()
        if timeout is None or timeout <= 0 or clock.running:
            return super().select(timeout)
        events = super().select(0)
        if not events:
            clock.jump(timeout)
        return events


class _VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop of asyncio's own on such a clock."""

    def __init__(self) -> None:
        self._virtual = _Clock()
        super().__init__(_JumpingSelector(self._virtual))

    def time(self) -> float:
        return self._virtual.time()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._virtual.executing += 1
        future.add_done_callback(self._executed)
        return future

    def _executed(self, _future: object) -> None:
        self._virtual.executing -= 1


def _trio_options() -> dict[str, Any]:
    """Trio's own mock clock, which runs at the wall's rate while a thread works."""
    import trio.testing

    clock = trio.testing.MockClock(autojump_threshold=0)

    class Watch(trio.abc.Instrument):
        """A thread's work begins and ends in some task's step, so that is when to look."""

        def after_task_step(self, task: trio.lowlevel.Task) -> None:
            working = _threads_at_work()
            if working != (clock.rate > 0):
                clock.autojump_threshold = math.inf if working else 0
                clock.rate = 1.0 if working else 0.0

    return {"clock": clock, "instruments": [Watch()]}
