"""
Admission: bounded resources shared by all runs of an event loop, handed round among them.

Pure: no waiting and no clock here. How much a service's rates leave is `rates.py`'s.

A service and its models are one tree with one line of waiting runs. Nobody overtakes where
somebody before it waits: for the service, then everybody behind waits; for one model of it,
then whoever wants that model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from dagorch.models.limits import NO_DEMAND, Demand
from dagorch.models.rates import RateLimits
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.scheduler.commands import Resource
from dagorch.scheduler.lanes import NEVER, Lane, Permit, Refusal, Waiting
from dagorch.scheduler.latencies import Latencies
from dagorch.scheduler.rates import Charge

__all__ = ["Admission", "Permit", "Refusal"]

_FEW: Final = 16
"""Lanes below which none is looked at to see whether it is still needed."""


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
        self._lanes: dict[str, Lane] = {}
        self._many = _FEW

    def acquire(
        self,
        run: str,
        resources: Iterable[Resource],
        now: float = 0.0,
        demand: Demand = NO_DEMAND,
    ) -> Permit | Refusal:
        """Take one of each resource for `run`, or none and a place in the first full one's line."""
        wanted: list[Lane] = []
        for resource in resources:
            lane = self._lane(resource, now)
            lacking, until = _before(lane, run, now)
            if lacking is None:
                lacking, until = lane.lacking(demand, now)
            if lacking is not None:
                waiting = lane.root.line.get(run)
                if waiting is None:
                    waiting = lane.root.line[run] = Waiting()
                waiting.asks[lane] = demand
                waiting.told = until
                return Refusal(lane.name, lacking.name, until)
            wanted.append(lane)
        wake: dict[str, None] = {}
        taken: list[tuple[Lane, Charge | None]] = []
        for inner in wanted:
            lane_: Lane | None = inner
            while lane_ is not None:
                lane_.held += 1
                charge = None if lane_.bucket is None else lane_.bucket.charge(demand, now)
                taken.append((lane_, charge))
                lane_ = lane_.outer
            if inner.root.line:
                inner.root.line.pop(run, None)
                _call(inner.root, now, wake)
        return Permit(taken, now, tuple(wake))

    def twice(self, permit: Permit, now: float) -> Permit | None:
        """Give the same once more, for a hedge, if there is room at once and nobody waits."""
        for lane, charge in permit:
            demand = NO_DEMAND if charge is None else charge.demand
            if lane.root.line or lane.when(demand, now) > now:
                return None
        taken: list[tuple[Lane, Charge | None]] = []
        for lane, charge in permit:
            lane.held += 1
            again = lane.bucket.charge(charge.demand, now) if lane.bucket and charge else None
            taken.append((lane, again))
        permit.hedge = hedge = Permit(taken, now)
        hedge.hedge = hedge
        return hedge

    def p95(self, permit: Permit) -> float | None:
        """Seconds within which nineteen of twenty answers came; None while too few have."""
        for lane, _ in permit:
            if lane.adaptive is not None:
                lane.latencies = lane.latencies or Latencies()
                return lane.latencies.p95
        return None

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
                if lane.latencies is not None and permit.tells_latency(usage):
                    lane.latencies.add(now - permit.since, now)
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

    def _lane(self, resource: Resource, now: float) -> Lane:
        lane = self._lanes.get(resource.name)
        if lane is None:
            if len(self._lanes) >= self._many:
                self._sweep(now)
                self._many = max(_FEW, 2 * len(self._lanes))
            outer = None if resource.within is None else self._lane(resource.within, now)
            if outer is not None:
                outer.inner += 1
            lane = self._lanes[resource.name] = Lane(resource, outer)
        return lane

    def _sweep(self, now: float) -> None:
        for lane in tuple(self._lanes.values()):
            self._forget(lane, now)

    def _forget(self, lane: Lane, now: float) -> None:
        """Keep nothing of resources long gone."""
        if (
            not lane.held
            and not lane.inner
            and not lane.root.line
            and (lane.adaptive is None or lane.adaptive.is_idle(now))
            and (lane.latencies is None or lane.latencies.is_idle(now))
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


def _before(wanted: Lane, run: str, now: float) -> tuple[Lane | None, float]:
    """What of a lane and those around it is for runs that stand before this one in the line."""
    root = wanted.root
    taken: set[Lane] = set()
    for other, waiting in root.line.items():
        if other == run:
            break
        for lane, demand in waiting.asks.items():
            lacking, _ = lane.lacking(demand, now)
            if lacking is root or lacking is None:  # it waits for the whole, or is on its way
                return root, NEVER
            taken.add(lacking)
    if taken:
        lane_: Lane | None = wanted
        while lane_ is not None:
            if lane_ in taken:
                return lane_, NEVER
            lane_ = lane_.outer
    return None, now


def _call(root: Lane, now: float, wake: dict[str, None]) -> None:
    """
    Name the first in a line that can go now.

    Also named are those before it that can go at another time than they were told.
    """
    taken: set[Lane] = set()
    for run, waiting in root.line.items():
        soonest = NEVER
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
