"""
Admission: bounded resources shared by all runs of an event loop, handed round among them.

Pure: no waiting and no clock here. How much a service's rates leave is `rates.py`'s.

A service and its models are one tree with one line of waiting runs. Nobody overtakes where
somebody before it waits: for the service, then everybody behind waits; for one model of it,
then whoever wants that model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from dagorch.models.limits import NO_DEMAND, NO_LIMITS, Demand
from dagorch.models.rates import RateLimits
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.scheduler.adapting import Adaptive
from dagorch.scheduler.commands import Resource
from dagorch.scheduler.rates import Bucket, Charge

__all__ = ["Admission", "Permit", "Refusal"]

_NEVER: Final = float("inf")
_FEW: Final = 16
"""Lanes below which none is looked at to see whether it is still needed."""


class _Waiting:
    """A run in a line: what it asked for last, by lane, and when it will ask by itself."""

    __slots__ = ("asks", "told")

    def __init__(self) -> None:
        self.asks: dict[_Lane, Demand] = {}
        self.told = _NEVER


class _Lane:
    """One resource: how many hold it; of a whole service also who waits, the longest first."""

    __slots__ = (
        "adaptive", "bucket", "capacity", "held", "inner", "line", "name", "outer", "root",
    )  # fmt: skip

    def __init__(self, resource: Resource, outer: _Lane | None) -> None:
        self.name = resource.name
        self.capacity = resource.capacity
        self.bucket = Bucket(resource.limits or NO_LIMITS) if resource.is_service else None
        self.adaptive = Adaptive() if resource.is_service and outer is not None else None
        """Of a model of a service: what it seems to bear at once."""
        self.held = 0
        self.outer = outer
        self.root: _Lane = self if outer is None else outer.root
        self.inner = 0
        """Lanes within this one."""
        self.line: dict[str, _Waiting] = {}

    def when(self, demand: Demand, now: float) -> float:
        """When there is room here: now, at a time, or when something is given back."""
        if self.capacity is not None and self.held >= self.capacity:
            return _NEVER
        if self.adaptive is not None and self.held and self.held + 1 > self.adaptive.most:
            return _NEVER
        return now if self.bucket is None else self.bucket.when(demand, now)

    def knows(self) -> bool:
        """Whether somebody said what the service permits, here or around."""
        lane: _Lane | None = self
        while lane is not None:
            if lane.bucket is not None and lane.bucket.knows:
                return True
            lane = lane.outer
        return False

    def lacking(self, demand: Demand, now: float) -> tuple[_Lane | None, float]:
        """The narrowest of this lane and those around it without room, and when it has some."""
        lane: _Lane | None = self
        while lane is not None:
            at = lane.when(demand, now)
            if at > now:
                return lane, at
            lane = lane.outer
        return None, now


class Permit:
    """What an exchange or an attempt holds; given back with `Admission.release`."""

    __slots__ = ("_lanes", "refused", "wake")

    def __init__(self, lanes: list[tuple[_Lane, Charge | None]], wake: tuple[str, ...]) -> None:
        self._lanes = lanes
        self.wake = wake
        """Runs that come next, and have to be told so."""
        self.refused = False
        """Whether the service would not have it."""

    @property
    def counts(self) -> bool:
        """Whether it matters when the reply begins."""
        return any(lane.bucket is not None and lane.bucket.counts for lane, _ in self._lanes)

    def renew(self, lanes: list[tuple[_Lane, Charge | None]]) -> None:
        """Hold the same with other charges."""
        self._lanes = lanes

    def __iter__(self) -> Iterator[tuple[_Lane, Charge | None]]:
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


class Admission:
    """
    Grants resources to attempts of several runs, round robin among the runs that wait.

    A run that is refused stands in line; when something is given back, the first that can go is
    named, to be woken, and until it has come nobody else overtakes it. Where only time is
    lacking, a run is told when to ask again.

    Example:
        >>> admission, gpu = Admission(), Resource("gpu", 1)
        >>> permit = admission.acquire("a", [gpu])
        >>> bool(permit), bool(admission.acquire("b", [gpu]))
        (True, False)
        >>> admission.release(permit)
        ['b']
    """

    __slots__ = ("_lanes", "_many")

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._many = _FEW

    def acquire(
        self,
        run: str,
        resources: Iterable[Resource],
        now: float = 0.0,
        demand: Demand = NO_DEMAND,
    ) -> Permit | Refusal:
        """Take one of each resource for `run`, or none and a place in the first full one's line."""
        wanted: list[_Lane] = []
        for resource in resources:
            lane = self._lane(resource, now)
            lacking, until = _before(lane, run, now)
            if lacking is None:
                lacking, until = lane.lacking(demand, now)
            if lacking is not None:
                waiting = lane.root.line.get(run)
                if waiting is None:
                    waiting = lane.root.line[run] = _Waiting()
                waiting.asks[lane] = demand
                waiting.told = until
                return Refusal(lane.name, lacking.name, until)
            wanted.append(lane)
        wake: dict[str, None] = {}
        taken: list[tuple[_Lane, Charge | None]] = []
        for inner in wanted:
            lane_: _Lane | None = inner
            while lane_ is not None:
                lane_.held += 1
                charge = None if lane_.bucket is None else lane_.bucket.charge(demand, now)
                taken.append((lane_, charge))
                lane_ = lane_.outer
            if inner.root.line:
                inner.root.line.pop(run, None)
                _call(inner.root, now, wake)
        return Permit(taken, tuple(wake))

    def heard(
        self,
        permit: Permit,
        now: float,
        rates: RateLimits | None = None,
        pause_seconds: float | None = None,
        *,
        refused: bool = False,
    ) -> list[str]:
        """
        Take in that a reply has begun, and what it said of the service's limits.

        A refusal, as too much, of a service of which nobody said what it permits has fewer
        exchanges under way at once from then on.

        What it said holds for the first of the permit's services, the narrowest: a model's own
        where there is one. Returns the runs to wake.
        """
        wake: dict[str, None] = {}
        narrowest = True
        permit.refused = permit.refused or refused
        for lane, charge in permit:
            if lane.bucket is None or charge is None:
                continue
            lane.bucket.answered(charge, now)
            if narrowest:
                narrowest = False
                if rates is not None:
                    lane.bucket.hear(rates, charge, now)
                if pause_seconds is not None:
                    lane.bucket.pause(pause_seconds, now)
                if refused and lane.adaptive is not None and not lane.knows():
                    wait = lane.adaptive.refused(charge.serial, lane.bucket.sent, lane.held, now)
                    if pause_seconds is None:
                        lane.bucket.pause(wait, now)
            if lane.root is lane:
                _call(lane, now, wake)
        return list(wake)

    def again(self, permit: Permit, now: float) -> bool:
        """
        Charge an exchange once more that has to be sent again, if there is room and nobody waits.

        The service may have counted what was sent before.
        """
        for lane, charge in permit:
            if lane.bucket is None or charge is None:
                continue
            if lane.root.line or lane.bucket.when(charge.demand, now) > now:
                return False
        permit.renew(
            [
                (lane, lane.bucket.renew(charge, now) if lane.bucket and charge else charge)
                for lane, charge in permit
            ]
        )
        return True

    def release(
        self, permit: Permit | Refusal, now: float = 0.0, usage: Usage = NOTHING_USED
    ) -> list[str]:
        """Give back what a permit holds, with what was used. Returns the runs to wake."""
        wake: dict[str, None] = {}
        if isinstance(permit, Permit):
            for lane, charge in permit:
                lane.held -= 1
                if lane.adaptive is not None and usage.output_tokens and not permit.refused:
                    lane.adaptive.went_well(now)
                if lane.bucket is not None and charge is not None:
                    lane.bucket.settle(charge, now, usage)
            for lane, _ in permit:
                if lane.root is lane:
                    _call(lane, now, wake)
                self._forget(lane, now)
        return list(wake)

    def leave(self, run: str, now: float = 0.0, keep: Collection[str] = ()) -> list[str]:
        """
        Ask no more for anything but `keep`: the run has nothing that it could start with it.

        Returns the runs to wake.
        """
        wake: dict[str, None] = {}
        for root in [lane for lane in self._lanes.values() if lane.root is lane]:
            waiting = root.line.get(run)
            if waiting is None:
                continue
            kept = {lane: demand for lane, demand in waiting.asks.items() if lane.name in keep}
            if len(kept) < len(waiting.asks):
                if kept:
                    waiting.asks = kept
                else:
                    del root.line[run]
                _call(root, now, wake)
        if not keep:
            self._sweep(now)
        return list(wake)

    def _lane(self, resource: Resource, now: float) -> _Lane:
        lane = self._lanes.get(resource.name)
        if lane is None:
            if len(self._lanes) >= self._many:
                self._sweep(now)
                self._many = max(_FEW, 2 * len(self._lanes))
            outer = None if resource.within is None else self._lane(resource.within, now)
            if outer is not None:
                outer.inner += 1
            lane = self._lanes[resource.name] = _Lane(resource, outer)
        return lane

    def _sweep(self, now: float) -> None:
        for lane in tuple(self._lanes.values()):
            self._forget(lane, now)

    def _forget(self, lane: _Lane, now: float) -> None:
        """Keep nothing of resources long gone."""
        if (
            not lane.held
            and not lane.inner
            and not lane.root.line
            and (lane.adaptive is None or lane.adaptive.is_idle(now))
            and (lane.bucket is None or lane.bucket.is_idle(now))
            and self._lanes.get(lane.name) is lane
        ):
            del self._lanes[lane.name]
            if lane.outer is not None:
                lane.outer.inner -= 1
                self._forget(lane.outer, now)

    def held(self, name: str) -> int:
        """How many of a resource are held now."""
        lane = self._lanes.get(name)
        return lane.held if lane else 0

    @property
    def at_rest(self) -> bool:
        """Whether nobody holds anything and nobody waits."""
        return not any(lane.held or lane.line for lane in self._lanes.values())

    def check(self) -> None:
        """Recount every service. Raises `InvariantError` if what is kept is not what is."""
        for lane in self._lanes.values():
            if lane.bucket is not None:
                lane.bucket.check(lane.held)


def _before(wanted: _Lane, run: str, now: float) -> tuple[_Lane | None, float]:
    """What of a lane and those around it is for runs that stand before this one in the line."""
    root = wanted.root
    taken: set[_Lane] = set()
    for other, waiting in root.line.items():
        if other == run:
            break
        for lane, demand in waiting.asks.items():
            lacking, _ = lane.lacking(demand, now)
            if lacking is root or lacking is None:  # it waits for the whole, or is on its way
                return root, _NEVER
            taken.add(lacking)
    if taken:
        lane_: _Lane | None = wanted
        while lane_ is not None:
            if lane_ in taken:
                return lane_, _NEVER
            lane_ = lane_.outer
    return None, now


def _call(root: _Lane, now: float, wake: dict[str, None]) -> None:
    """
    Name the first in a line that can go now.

    Also named are those before it that can go at another time than they were told.
    """
    taken: set[_Lane] = set()
    for run, waiting in root.line.items():
        soonest = _NEVER
        for lane, demand in waiting.asks.items():
            if lane in taken:
                continue
            lacking, at = lane.lacking(demand, now)
            if lacking is None:
                wake.setdefault(run)
                return
            soonest = min(soonest, at)
            taken.add(lacking)
        if soonest < waiting.told:
            waiting.told = soonest
            wake.setdefault(run)
        if root in taken:
            return
