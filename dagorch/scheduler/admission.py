"""
Admission: bounded resources shared by all runs of the process, round robin among them.

Pure: it neither waits nor reads a clock. How much a service's rates leave is in `rates.py`.

A service and its models are one tree with one queue of waiting runs. A run does not overtake one
that waits before it: if that one waits for the service, everybody behind it waits too; if it waits
for one model, only runs that want that model do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from dagorch.models.limits import NO_DEMAND, Demand
from dagorch.models.rates import RateLimits
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.scheduler.latencies import Latencies
from dagorch.scheduler.rates import Charge
from dagorch.scheduler.resource_queues import (
    NEVER,
    Permit,
    Refusal,
    Resource,
    ResourceQueue,
    Waiter,
)

__all__ = ["Admission", "Permit", "Refusal", "Resource"]

_MIN_SWEPT: Final = 16
"""Fewer queues than this are not swept for those no longer needed."""


class Admission:
    """
    Grants resources to the attempts of several runs, round robin among the runs that wait.

    A run that is refused waits in the resource's queue. When something is given back, the first
    run that can go ahead is returned, to be woken; until it asks again, no other run overtakes
    it. A run that only has to wait for a rate gets the time of its next try.

    Example:
        >>> admission, gpu = Admission(), Resource("gpu", 1)
        >>> permit = admission.acquire("a", [gpu])
        >>> bool(permit), bool(admission.acquire("b", [gpu]))
        (True, False)
        >>> admission.release(permit)
        ['b']
    """

    __slots__ = ("_queues", "_sweep_at")

    def __init__(self) -> None:
        self._queues: dict[str, ResourceQueue] = {}
        self._sweep_at = _MIN_SWEPT

    def acquire(
        self,
        run: str,
        resources: Iterable[Resource],
        now: float = 0.0,
        demand: Demand = NO_DEMAND,
    ) -> Permit | Refusal:
        """Take one of each resource for a run; or none, and wait for the first full one."""
        wanted: list[ResourceQueue] = []
        for resource in resources:
            queue = self._queue(resource, now)
            lacking, until = _claimed_by_earlier(queue, run, now)
            if lacking is None:
                lacking, until = queue.bottleneck(demand, now)
            if lacking is not None:
                waiter = queue.root.waiters.setdefault(run, Waiter())
                waiter.demands[queue] = demand
                waiter.retry_at = until
                return Refusal(queue.name, lacking.name, until)
            wanted.append(queue)
        wake: dict[str, None] = {}
        holdings: list[tuple[ResourceQueue, Charge | None]] = []
        for inner in wanted:
            for queue in inner.chain:
                queue.held += 1
                charge = None if queue.window is None else queue.window.charge(demand, now)
                holdings.append((queue, charge))
            if inner.root.waiters:
                inner.root.waiters.pop(run, None)
                _find_next(inner.root, now, wake)
        return Permit(holdings, now, tuple(wake))

    def acquire_hedge(self, permit: Permit, now: float) -> Permit | None:
        """Grant the same once more, if there is room at once and no run waits."""
        for queue, charge in permit:
            demand = NO_DEMAND if charge is None else charge.demand
            if queue.root.waiters or queue.available_at(demand, now) > now:
                return None
        holdings: list[tuple[ResourceQueue, Charge | None]] = []
        for queue, charge in permit:
            queue.held += 1
            again = queue.window.charge(charge.demand, now) if queue.window and charge else None
            holdings.append((queue, again))
        permit.hedge = hedge = Permit(holdings, now)
        hedge.hedge = hedge
        return hedge

    def p95(self, permit: Permit) -> float | None:
        """Return the 95th percentile of the model's response times; None if too few are known."""
        for queue, _ in permit:
            if queue.aimd is not None:
                queue.latencies = queue.latencies or Latencies()
                return queue.latencies.p95
        return None

    def reply_began(
        self,
        permit: Permit,
        now: float,
        rates: RateLimits | None = None,
        pause_seconds: float | None = None,
        *,
        refused: bool = False,
    ) -> list[str]:
        """
        Update from a reply that has begun, and from what it says of the service's limits.

        That holds for the first service of the permit, the narrowest: a model's own if it has
        one. A refusal lowers the number of exchanges in flight if no limits are known.

        Returns:
            The runs to wake.
        """
        wake: dict[str, None] = {}
        is_narrowest = True
        permit.refused = permit.refused or refused
        for queue, charge in permit:
            if queue.window is None or charge is None:
                continue
            queue.window.reply_began(charge, now)
            if is_narrowest:
                is_narrowest = False
                if rates is not None:
                    queue.window.report(rates, charge, now)
                if pause_seconds is not None:
                    queue.window.pause(pause_seconds, now)
                if refused and queue.aimd is not None and not queue.knows_limits():
                    pause = queue.aimd.refused(charge.serial, queue.window.sent, queue.held, now)
                    if pause_seconds is None:
                        queue.window.pause(pause, now)
            if queue.root is queue:
                _find_next(queue, now, wake)
        return list(wake)

    def charge_resend(self, permit: Permit, now: float) -> bool:
        """
        Charge a second sending of an exchange, if there is room and no run waits.

        The service may have counted the first one.
        """
        for queue, charge in permit:
            if queue.window is None or charge is None:
                continue
            if queue.root.waiters or queue.window.available_at(charge.demand, now) > now:
                return False
        permit.renew(
            [
                (queue, queue.window.renew(charge, now) if queue.window and charge else charge)
                for queue, charge in permit
            ]
        )
        return True

    def release(
        self, permit: Permit | Refusal, now: float = 0.0, usage: Usage = NOTHING_USED
    ) -> list[str]:
        """Give back what a permit holds, with what was used. Returns the runs to wake."""
        wake: dict[str, None] = {}
        if isinstance(permit, Permit):
            for queue, charge in permit:
                queue.held -= 1
                if queue.latencies is not None and permit.is_latency_sample(usage):
                    queue.latencies.add(now - permit.since, now)
                if queue.aimd is not None and usage.output_tokens and not permit.refused:
                    queue.aimd.succeeded(now)
                if queue.window is not None and charge is not None:
                    queue.window.settle(charge, now, usage)
            for queue, _ in permit:
                if queue.root is queue:
                    _find_next(queue, now, wake)
                self._drop_if_idle(queue, now)
        return list(wake)

    def leave(self, run: str, now: float = 0.0, keep: Collection[str] = ()) -> list[str]:
        """
        Stop waiting for everything but `keep`: the run has nothing to start with it.

        Returns:
            The runs to wake.
        """
        wake: dict[str, None] = {}
        for root in [queue for queue in self._queues.values() if queue.root is queue]:
            waiter = root.waiters.get(run)
            if waiter is None:
                continue
            kept = {queue: d for queue, d in waiter.demands.items() if queue.name in keep}
            if len(kept) < len(waiter.demands):
                if kept:
                    waiter.demands = kept
                else:
                    del root.waiters[run]
                _find_next(root, now, wake)
        if not keep:
            self._sweep(now)
        return list(wake)

    def held(self, name: str) -> int:
        """Return how many hold a resource now."""
        queue = self._queues.get(name)
        return queue.held if queue else 0

    @property
    def at_rest(self) -> bool:
        """Whether nothing is held and no run waits."""
        return not any(queue.held or queue.waiters for queue in self._queues.values())

    def check(self) -> None:
        """Recount every service. Raises `InvariantError` if a count is wrong."""
        for queue in self._queues.values():
            if queue.window is not None:
                queue.window.check(queue.held)

    def _queue(self, resource: Resource, now: float) -> ResourceQueue:
        queue = self._queues.get(resource.name)
        if queue is None:
            if len(self._queues) >= self._sweep_at:
                self._sweep(now)
                self._sweep_at = max(_MIN_SWEPT, 2 * len(self._queues))
            outer = None if resource.within is None else self._queue(resource.within, now)
            if outer is not None:
                outer.inner += 1
            queue = self._queues[resource.name] = ResourceQueue(resource, outer)
        return queue

    def _sweep(self, now: float) -> None:
        for queue in tuple(self._queues.values()):
            self._drop_if_idle(queue, now)

    def _drop_if_idle(self, queue: ResourceQueue, now: float) -> None:
        if (
            not queue.held
            and not queue.inner
            and not queue.root.waiters
            and (queue.aimd is None or queue.aimd.is_idle(now))
            and (queue.latencies is None or queue.latencies.is_idle(now))
            and (queue.window is None or queue.window.is_idle(now))
            and self._queues.get(queue.name) is queue
        ):
            del self._queues[queue.name]
            if queue.outer is not None:
                queue.outer.inner -= 1
                self._drop_if_idle(queue.outer, now)


def _claimed_by_earlier(
    wanted: ResourceQueue, run: str, now: float
) -> tuple[ResourceQueue | None, float]:
    """Return what of a queue and those around it belongs to runs that wait before this one."""
    root = wanted.root
    claimed: set[ResourceQueue] = set()
    for other, waiter in root.waiters.items():
        if other == run:
            break
        for queue, demand in waiter.demands.items():
            lacking, _ = queue.bottleneck(demand, now)
            if lacking is root or lacking is None:  # it waits for the service, or was just woken
                return root, NEVER
            claimed.add(lacking)
    for queue in wanted.chain:
        if queue in claimed:
            return queue, NEVER
    return None, now


def _find_next(root: ResourceQueue, now: float, wake: dict[str, None]) -> None:
    """
    Add the first waiting run that can go ahead now to `wake`.

    Also add the runs before it that can go ahead earlier than they plan to ask again.
    """
    lacking_now: set[ResourceQueue] = set()
    for run, waiter in root.waiters.items():
        soonest = NEVER
        for queue, demand in waiter.demands.items():
            if queue in lacking_now:
                continue
            lacking, at = queue.bottleneck(demand, now)
            if lacking is None:
                wake.setdefault(run)
                return
            soonest = min(soonest, at)
            lacking_now.add(lacking)
        if soonest < waiter.retry_at:
            waiter.retry_at = soonest
            wake.setdefault(run)
        if root in lacking_now:
            return
