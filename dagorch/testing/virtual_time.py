"""Virtual time: a clock that jumps to the next timer when nothing else is left to do."""

from __future__ import annotations

import math
import random
import selectors
from asyncio import Future, SelectorEventLoop
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, Final, Literal, TypeVar, TypeVarTuple, Unpack

import anyio
from anyio.to_thread import current_default_thread_limiter

from dagorch.errors import DefinitionError
from dagorch.runner.loop_state import shared
from dagorch.worker_threads import threads_of_loop

__all__ = ["Backend", "run_virtual"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Backend = Literal["asyncio", "trio"]

STALL_SECONDS: Final = 5.0


def run_virtual(
    async_fn: Callable[[Unpack[Ts]], Awaitable[T]],
    *args: *Ts,
    backend: Backend = "asyncio",
    seed: int = 0,
    stall_seconds: float = STALL_SECONDS,
) -> T:
    """
    Run an async function on virtual time: hours of waiting take milliseconds.

    Time stands still while there is work to do and jumps to the next timer when there is none,
    so the duration of a run is the sum of its waits, exactly and on every machine. Work in a
    thread (a sync node, `anyio.to_thread`, the loop's executor) takes no time either. A sync
    node holds up the event loop while it computes, so nodes end in the same order each time.

    A thread that waits for the clock (for a lock that only a timer releases, or in another
    thread than a sync node's through `anyio.from_thread.run`) would wait forever. If nothing
    happens for `stall_seconds` of real time, the clock jumps although threads are at work.

    Args:
        async_fn: The function to run.
        args: Its arguments.
        backend: The event loop. Trio picks the order of tasks that are ready at once at random.
        seed: Seeds the jitter of every run inside that has no seed of its own.
        stall_seconds: Real seconds without progress after which the clock jumps while a thread
            is at work.

    Returns:
        The function's return value.

    Raises:
        DefinitionError: `stall_seconds` is not a finite number above 0.

    Example:
        >>> import anyio
        >>> async def nap(hours: float) -> float:
        ...     await anyio.sleep(3600 * hours)
        ...     return anyio.current_time()
        >>> run_virtual(nap, 24)
        86400.0
    """
    if not isinstance(stall_seconds, int | float) or not 0 < stall_seconds < math.inf:
        raise DefinitionError(
            f"run_virtual: stall_seconds={stall_seconds!r} must be a finite number of seconds "
            "above 0"
        )

    async def main() -> T:
        shared().chance = random.Random(seed)
        threads_of_loop().wait_seconds = stall_seconds
        return await async_fn(*args)

    if backend == "trio":
        options = _trio_options(stall_seconds)
    else:
        options = {"loop_factory": lambda: _VirtualLoop(stall_seconds)}
    return anyio.run(main, backend=backend, backend_options=options)


def _threads_at_work() -> bool:
    """Return whether a thread works for this event loop."""
    return threads_of_loop().at_work > 0 or current_default_thread_limiter().borrowed_tokens > 0


class _JumpingSelector(selectors.DefaultSelector):
    """Moves the clock to the next timer instead of sleeping; files and threads come first."""

    def __init__(self, stall_seconds: float) -> None:
        super().__init__()
        self._stall_seconds = stall_seconds
        self.seconds = 0.0
        """The virtual time."""
        self.executing = 0
        """Calls in the loop's executor."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        at_work = self.executing > 0 or _threads_at_work()
        events = super().select(self._stall_seconds if at_work else 0)
        if not events:
            self.seconds += timeout
        return events


class _VirtualLoop(SelectorEventLoop):
    """An asyncio event loop whose time is the selector's."""

    def __init__(self, stall_seconds: float) -> None:
        self._jumping = _JumpingSelector(stall_seconds)
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._jumping.executing += 1
        future.add_done_callback(self._executed)
        return future

    def _executed(self, _future: object) -> None:
        self._jumping.executing -= 1


def _trio_options(stall_seconds: float) -> dict[str, Any]:
    """Trio's own mock clock, which waits for `stall_seconds` before a jump if threads work."""
    import trio.testing

    clock = trio.testing.MockClock(autojump_threshold=0)

    class Watch(trio.abc.Instrument):
        """Work in a thread begins and ends in a step of a task."""

        def after_task_step(self, task: trio.lowlevel.Task) -> None:
            threshold = stall_seconds if _threads_at_work() else 0
            if threshold != clock.autojump_threshold:
                clock.autojump_threshold = threshold

    return {"clock": clock, "instruments": [Watch()]}
