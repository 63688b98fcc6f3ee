"""
What admission keeps: a lane for each resource, who stands in its line, and what was given out.

Nothing is handed out here; that is `admission.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dagorch.models.limits import NO_LIMITS, Demand
from dagorch.models.usage import Usage
from dagorch.scheduler.adapting import Adaptive
from dagorch.scheduler.commands import Resource
from dagorch.scheduler.latencies import Latencies
from dagorch.scheduler.rates import Bucket, Charge

__all__ = ["NEVER", "Lane", "Permit", "Refusal", "Waiting"]

NEVER: Final = float("inf")


class Waiting:
    """A run in a line: what it asked for last, by lane, and when it will ask by itself."""

    __slots__ = ("asks", "told")

    def __init__(self) -> None:
        self.asks: dict[Lane, Demand] = {}
        self.told = NEVER


class Lane:
    """One resource: how many hold it; of a whole service also who waits, the longest first."""

    __slots__ = (
        "adaptive", "bucket", "capacity", "held", "inner", "latencies", "line", "name", "outer",
        "root",
    )  # fmt: skip

    def __init__(self, resource: Resource, outer: Lane | None) -> None:
        self.name = resource.name
        self.capacity = resource.capacity
        self.bucket = Bucket(resource.limits or NO_LIMITS) if resource.is_service else None
        self.adaptive = Adaptive() if resource.is_service and outer is not None else None
        """Of a model of a service: what it seems to bear at once."""
        self.latencies: Latencies | None = None
        """Of the same: how long its answers take, once somebody has asked."""
        self.held = 0
        self.outer = outer
        self.root: Lane = self if outer is None else outer.root
        self.inner = 0
        """Lanes within this one."""
        self.line: dict[str, Waiting] = {}

    def when(self, demand: Demand, now: float) -> float:
        """When there is room here: now, at a time, or when something is given back."""
        if self.capacity is not None and self.held >= self.capacity:
            return NEVER
        if self.adaptive is not None and self.held and self.held + 1 > self.adaptive.most:
            return NEVER
        return now if self.bucket is None else self.bucket.when(demand, now)

    def knows(self) -> bool:
        """Whether somebody said what the service permits, here or around."""
        lane: Lane | None = self
        while lane is not None:
            if lane.bucket is not None and lane.bucket.knows:
                return True
            lane = lane.outer
        return False

    def lacking(self, demand: Demand, now: float) -> tuple[Lane | None, float]:
        """The narrowest of this lane and those around it without room, and when it has some."""
        lane: Lane | None = self
        while lane is not None:
            at = lane.when(demand, now)
            if at > now:
                return lane, at
            lane = lane.outer
        return None, now


class Permit:
    """What an exchange or an attempt holds; given back with `Admission.release`."""

    __slots__ = ("_lanes", "hedge", "refused", "since", "wake")

    def __init__(
        self, lanes: list[tuple[Lane, Charge | None]], since: float, wake: tuple[str, ...] = ()
    ) -> None:
        self._lanes = lanes
        self.since = since
        """When it was given."""
        self.hedge: Permit | None = None
        """Of what was sent beside it, or itself if it was sent beside another."""
        self.wake = wake
        """Runs that come next, and have to be told so."""
        self.refused = False
        """Whether the service would not have it."""

    @property
    def counts(self) -> bool:
        """Whether it matters when the reply begins."""
        return any(lane.bucket is not None and lane.bucket.counts for lane, _ in self._lanes)

    def tells_latency(self, usage: Usage) -> bool:
        """
        Whether how long it was held says how long answers take.

        What was hedged took longer than most, however it ended; left out, the longest would be
        missing, and each p95 be less than the one before. A hedge that won was a quick one.
        """
        if self.hedge is None:
            return usage.output_tokens > 0 and not usage.estimated
        return self.hedge is not self

    def renew(self, lanes: list[tuple[Lane, Charge | None]]) -> None:
        """Hold the same with other charges."""
        self._lanes = lanes

    def __iter__(self) -> Iterator[tuple[Lane, Charge | None]]:
        return iter(self._lanes)


class Refusal:
    """Why nothing was given; false, so that `if admission.acquire(...)` reads as it should."""

    __slots__ = ("lacking", "name", "until", "wake")

    def __init__(self, name: str, lacking: str, until: float) -> None:
        self.name = name
        """What was asked for, in whose line the run now stands."""
        self.lacking = lacking
        """What there was no room in: that itself, or what it is within."""
        self.until = until
        """When to ask again; infinity: when woken."""
        self.wake: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return False
