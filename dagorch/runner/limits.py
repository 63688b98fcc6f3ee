"""What all runs of one event loop share: its clock, their slice of its time, admission to resources, the watchdog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from anyio.lowlevel import RunVar, checkpoint

from dagorch.ports import Provider
from dagorch.runner.watchdog import Watchdog
from dagorch.scheduler.admission import Admission
from dagorch.scheduler.commands import Resource

__all__ = ["SLICE_SECONDS", "Shared", "Slice", "shared"]


SLICE_SECONDS: Final = 0.005
"""How long all runs of a loop together may keep it in one turn before others get theirs."""


class Slice:
    """
    The time that runs may use in this turn of the event loop, one slice for all their workers.

    The loop itself says when it has gone round: a worker that comes back from a real wait, long
    after its slice, need not step aside for anybody.

    Attributes:
        end: When it is used up, by the loop's clock.
    """

    __slots__ = ("_clock", "_soon", "_turned", "end")

    def __init__(self, clock: Callable[[], float], soon: Callable[[Callable[[], None]], object]) -> None:
        self._clock = clock
        self._soon = soon
        self._turned = True
        self.end = 0.0

    async def next(self) -> None:
        """Begin the next slice, once the loop has had a turn."""
        while not self._turned:
            await checkpoint()
            if self._clock() < self.end:  # somebody else has begun it
                return
        self._turned = False
        self.end = self._clock() + SLICE_SECONDS
        self._soon(self._turn)

    def _turn(self) -> None:
        self._turned = True


class Shared:
    """One per event loop, made by the first run there."""

    def __init__(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio

            self.clock: Callable[[], float] = trio.current_time
            self.slice = Slice(self.clock, trio.lowlevel.current_trio_token().run_sync_soon)
        else:
            plain = type(loop).time is asyncio.BaseEventLoop.time
            self.clock = time.monotonic if plain else loop.time
            self.slice = Slice(self.clock, loop.call_soon)
        self.admission = Admission()
        self._watchdog = Watchdog()
        self._runs: dict[str, Callable[[], None]] = {}
        """Per run under way: what tells it that a resource was freed."""
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
