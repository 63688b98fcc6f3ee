"""
What all runs of one event loop share.

Its clock, their slice of its time, admission to resources, the watchdog.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from anyio.lowlevel import RunVar

from dagorch.ports import Provider
from dagorch.runner.watchdog import Watchdog
from dagorch.scheduler.admission import Admission
from dagorch.scheduler.commands import Resource

__all__ = ["SLICE_SECONDS", "Shared", "Slice", "shared"]


SLICE_SECONDS: Final = 0.003
"""
How long all runs of a loop together may keep it in one turn before others get theirs.

A timer of somebody else waits up to three turns: one for its time to come, one to wake, one to run.
"""


class Slice:
    """
    The time that runs may use in one turn of the event loop: one slice for all their workers.

    The loop itself says when it has gone round, so a worker that comes back from a real wait
    knows that others have had theirs, and need not step aside.

    Attributes:
        turn: Counts the loop's turns in which a worker did something.
        end: When this turn's slice is used up, by the loop's clock.
    """

    __slots__ = ("_counting", "_soon", "end", "turn")

    def __init__(self, soon: Callable[[Callable[[], None]], object]) -> None:
        self._soon = soon
        self._counting = False
        self.turn = 0
        self.end = 0.0

    def enter(self, now: float) -> int:
        """Take part in this turn; the first to do so begins its slice. Returns the turn."""
        if not self._counting:
            self._counting = True
            self.end = now + SLICE_SECONDS
            self._soon(self._turned)
        return self.turn

    def _turned(self) -> None:
        self.turn += 1
        self._counting = False


class Shared:
    """One per event loop, made by the first run there."""

    def __init__(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio

            self.clock: Callable[[], float] = trio.current_time
            self.slice = Slice(trio.lowlevel.current_trio_token().run_sync_soon)
        else:
            plain = type(loop).time is asyncio.BaseEventLoop.time
            self.clock = time.monotonic if plain else loop.time
            self.slice = Slice(loop.call_soon)
        self.admission = Admission()
        self._watchdog = Watchdog()
        self._runs: dict[str, Callable[[], None]] = {}
        """Per run under way: what tells it that a resource was freed."""
        self.threads_at_work = 0
        """Sync functions that run in a thread right now; virtual time does not jump meanwhile."""
        self.chance = random.Random()
        """Where runs that are given no seed draw theirs."""
        self._resources: WeakKeyDictionary[Any, Resource] = WeakKeyDictionary()
        self._made = 0

    def __contains__(self, run: str) -> bool:
        return run in self._runs

    @property
    def count(self) -> int:
        """Runs under way."""
        return len(self._runs)

    def enter(self, run: str, freed: Callable[[], None]) -> None:
        """Take a run in: it is watched, and woken by `freed`."""
        self._runs[run] = freed
        self._watchdog.enter()

    def leave(self, run: str) -> None:
        """Let a run go."""
        del self._runs[run]
        self._watchdog.leave()

    def wake(self, run: str) -> None:
        """Tell a run that a resource was freed; one that has ended needs to know nothing."""
        freed = self._runs.get(run)
        if freed is not None:
            freed()

    def resource_of(self, provider: Provider) -> Resource | None:
        """What an exchange with this provider holds; None if it knows no bound."""
        if provider.max_concurrency is None:
            return None
        found = self._resources.get(provider)
        if found is None:
            self._made += 1
            name = f"{provider.name}#{self._made}"
            found = self._resources[provider] = Resource(name, provider.max_concurrency)
        return found


_SHARED: RunVar[Shared] = RunVar("dagorch_shared")


def shared() -> Shared:
    """The event loop's own."""
    try:
        return _SHARED.get()
    except LookupError:
        made = Shared()
        _SHARED.set(made)
        return made
