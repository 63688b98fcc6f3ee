"""
Admission: bounded resources shared by all runs of an event loop, handed round among them.

Pure, no waiting here.
"""

from __future__ import annotations

from collections.abc import Iterable

from dagorch.scheduler.commands import Resource

__all__ = ["Admission"]


class _Lane:
    """One resource: how many hold it, and which runs wait for it, the longest first."""

    __slots__ = ("capacity", "held", "waiting")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.held = 0
        self.waiting: dict[str, None] = {}


class Admission:
    """
    Grants resources to attempts of several runs, round robin among the runs that wait.

    A run that is refused stands in line; when something is given back, the first in line is
    named, to be woken, and until it has come nobody else overtakes it.

    Example:
        >>> admission, gpu = Admission(), Resource("gpu", 1)
        >>> admission.acquire("a", [gpu]), admission.acquire("b", [gpu])
        (True, False)
        >>> admission.release([gpu])
        ['b']
    """

    __slots__ = ("_lanes",)

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}

    def acquire(self, run: str, resources: Iterable[Resource]) -> bool:
        """Take one of each resource for `run`, or none and a place in the first full one's line."""
        taken: list[tuple[str, _Lane]] = []
        for resource in resources:
            if resource.capacity is None:
                continue
            lane = self._lanes.get(resource.name)
            if lane is None:
                lane = self._lanes[resource.name] = _Lane(resource.capacity)
            first = next(iter(lane.waiting), run)
            if lane.held >= lane.capacity or first != run:
                lane.waiting.setdefault(run)
                for name, other in taken:
                    other.held -= 1
                    self._forget(name, other)
                return False
            lane.held += 1
            taken.append((resource.name, lane))
        for _, lane in taken:
            lane.waiting.pop(run, None)
        return True

    def release(self, resources: Iterable[Resource]) -> list[str]:
        """Give one of each back. Returns the runs to wake."""
        woken: dict[str, None] = {}
        for resource in resources:
            if resource.capacity is None:
                continue
            lane = self._lanes[resource.name]
            lane.held -= 1
            self._wake(resource.name, lane, woken)
        return list(woken)

    def withdraw(self, run: str) -> list[str]:
        """Leave every line, as a run that has nothing more to start. Returns the runs to wake."""
        woken: dict[str, None] = {}
        for name, lane in list(self._lanes.items()):
            if run in lane.waiting:
                del lane.waiting[run]
                self._wake(name, lane, woken)
        return list(woken)

    def _wake(self, name: str, lane: _Lane, woken: dict[str, None]) -> None:
        if lane.waiting and lane.held < lane.capacity:
            woken.setdefault(next(iter(lane.waiting)))
        self._forget(name, lane)

    def _forget(self, name: str, lane: _Lane) -> None:
        """Keep nothing of resources long gone."""
        if not lane.waiting and not lane.held:
            del self._lanes[name]

    def held(self, name: str) -> int:
        """How many of a resource are held now."""
        lane = self._lanes.get(name)
        return lane.held if lane else 0
