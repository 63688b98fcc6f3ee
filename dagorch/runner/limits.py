"""What all runs of one event loop share: admission to resources, who to wake, and the watchdog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from anyio.lowlevel import RunVar

from dagorch.ports import Provider
from dagorch.runner.watchdog import Watchdog
from dagorch.scheduler.admission import Admission
from dagorch.scheduler.commands import Resource

__all__ = ["Shared", "shared"]


class Shared:
    """One per event loop, made by the first run there."""

    def __init__(self) -> None:
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
