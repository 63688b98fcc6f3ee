"""What all runs of one event loop share: clock, time slice, limits of services, watchdog."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final

from anyio.lowlevel import RunVar

from dagorch.ids import RunId
from dagorch.runner.service_limits import Schedule, ServiceLimits, limits_of_process
from dagorch.runner.watchdog import Watchdog
from dagorch.scheduler.admission import Admission
from dagorch.worker_threads import threads_of_loop

__all__ = ["SLICE_SECONDS", "LoopState", "Slice", "shared"]


SLICE_SECONDS: Final = 0.003
"""
How long all runs of a loop together may use it in one turn.

A timer of another task waits up to three turns: one to expire, one to wake its task, one to run it.
"""


class Slice:
    """
    The time that the workers of all runs may use in one turn of the event loop.

    The loop counts its turns. A worker that comes back from a real wait thus knows that other
    tasks have run, and does not step aside.

    Attributes:
        turn: The number of the loop's turns in which a worker did something.
        end: When this turn's slice ends, by the loop's clock.
    """

    __slots__ = ("_counting", "_soon", "end", "turn")

    def __init__(self, soon: Callable[[Callable[[], None]], object]) -> None:
        self._soon = soon
        self._counting = False
        self.turn = 0
        self.end = 0.0

    def enter(self, now: float) -> int:
        """Take part in this turn; the first call begins its slice. Returns the turn."""
        if not self._counting:
            self._counting = True
            self.end = now + SLICE_SECONDS
            self._soon(self._turned)
        return self.turn

    def _turned(self) -> None:
        self.turn += 1
        self._counting = False


class LoopState:
    """The shared state of one event loop, made by its first run."""

    def __init__(self) -> None:
        self.schedule: Schedule = threads_of_loop().schedule
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio

            is_real = type(trio.lowlevel.current_clock()).__name__ == "SystemClock"
            own_clock: Callable[[], float] = trio.current_time
            self.slice = Slice(self.schedule)
        else:
            is_real = type(loop).time is asyncio.BaseEventLoop.time or _is_uvloop(loop)
            own_clock = loop.time
            self.slice = Slice(loop.call_soon)
        # Loops that share limits must agree on the time.
        self.clock = time.monotonic if is_real else own_clock
        self.limits = limits_of_process() if is_real else ServiceLimits()
        self._watchdog = Watchdog(self.schedule)
        self.count = 0
        """The number of running runs."""
        self.accepted_accounts: set[str] = set()
        """Accounts of services that have accepted a call."""
        self.chance = random.Random()
        """Gives runs without a seed theirs."""

    def enter(self, wanted: RunId, freed: Callable[[], None]) -> RunId:
        """
        Register a run: it is watched, and `freed` is called when a resource was freed.

        Returns:
            Its id, the wanted one if that is free.
        """
        run = self.limits.enter(wanted, self.schedule, freed)
        self.count += 1
        self._watchdog.enter()
        return run

    def leave(self, run: str) -> None:
        """Remove a run."""
        self.limits.leave(run)
        self.count -= 1
        self._watchdog.leave()

    def wake(self, run: str) -> None:
        """Report to a run on any loop that a resource was freed, if the run has not ended."""
        self.limits.wake(run, self.schedule)

    @property
    def admission(self) -> Admission:
        return self.limits.admission


def _is_uvloop(loop: asyncio.AbstractEventLoop) -> bool:
    return type(loop).__module__.partition(".")[0] in ("uvloop", "winloop")


_SHARED: RunVar[LoopState] = RunVar("dagorch_shared")


def shared() -> LoopState:
    """Return the state of the running event loop."""
    try:
        return _SHARED.get()
    except LookupError:
        made = LoopState()
        _SHARED.set(made)
        return made
