"""
Resources that attempts hold, and per resource the queue of runs that wait for it.

This file keeps what is held and who waits; `admission.py` decides who gets something.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dagorch.models.limits import NO_LIMITS, Demand, Limits
from dagorch.models.usage import Usage
from dagorch.scheduler.aimd import AIMDLimit
from dagorch.scheduler.latencies import Latencies
from dagorch.scheduler.rates import Charge, SlidingWindowLog

__all__ = ["NEVER", "Permit", "Refusal", "Resource", "ResourceQueue", "Waiter"]

NEVER: Final = float("inf")


class Resource:
    """
    A bounded thing that attempts hold: a service, a model of it, or a name with a limit of the run.

    Args:
        name: Resources of equal name are one resource.
        capacity: How many attempts may hold it at once; None means no bound.
        is_service: Whether it has rates and can ask for pauses.
        limits: Its rates; None: no rates are known.
        within: What is held together with it: the service of a model.
    """

    __slots__ = ("capacity", "is_service", "limits", "name", "names", "within")

    def __init__(
        self,
        name: str,
        capacity: int | None,
        *,
        is_service: bool = False,
        limits: Limits | None = None,
        within: Resource | None = None,
    ) -> None:
        self.name = name
        self.capacity = capacity
        self.is_service = is_service or limits is not None
        self.limits = limits
        self.within = within
        self.names: tuple[str, ...] = (name, *(within.names if within is not None else ()))
        """Its name and those of everything held with it."""


class Waiter:
    """A run that waits: its last demand per resource, and when it will ask again by itself."""

    __slots__ = ("demands", "retry_at")

    def __init__(self) -> None:
        self.demands: dict[ResourceQueue, Demand] = {}
        self.retry_at = NEVER


class ResourceQueue:
    """
    One resource: how many hold it and, at the root of a service's tree, who waits.

    A service is the root (`outer` is None) and its models are inside it.
    """

    __slots__ = (
        "aimd", "capacity", "chain", "held", "inner", "latencies", "name", "outer", "root",
        "waiters", "window",
    )  # fmt: skip

    def __init__(self, resource: Resource, outer: ResourceQueue | None) -> None:
        self.name = resource.name
        self.capacity = resource.capacity
        self.window = (
            SlidingWindowLog(resource.limits or NO_LIMITS) if resource.is_service else None
        )
        self.aimd = AIMDLimit() if resource.is_service and outer is not None else None
        """Of a model: how many exchanges it seems to bear at once."""
        self.latencies: Latencies | None = None
        """Of a model: how long its responses take; made when first asked for."""
        self.held = 0
        self.outer = outer
        self.chain: tuple[ResourceQueue, ...] = (self, *(() if outer is None else outer.chain))
        """This queue and those around it."""
        self.root: ResourceQueue = self if outer is None else outer.root
        self.inner = 0
        """How many queues are inside this one."""
        self.waiters: dict[str, Waiter] = {}
        """By run, the longest wait first."""

    def available_at(self, demand: Demand, now: float) -> float:
        """Return when there is room here: `now`, a later time, or `NEVER` until a release."""
        if self.capacity is not None and self.held >= self.capacity:
            return NEVER
        if self.aimd is not None and self.held and self.held + 1 > self.aimd.limit:
            return NEVER
        return now if self.window is None else self.window.available_at(demand, now)

    def knows_limits(self) -> bool:
        """Return whether the limits of this resource or of its service are known."""
        return any(queue.window is not None and queue.window.knows_limits for queue in self.chain)

    def bottleneck(self, demand: Demand, now: float) -> tuple[ResourceQueue | None, float]:
        """Return the narrowest of this queue and those around it without room, and until when."""
        for queue in self.chain:
            at = queue.available_at(demand, now)
            if at > now:
                return queue, at
        return None, now


class Permit:
    """What an exchange or an attempt holds; given back with `Admission.release`."""

    __slots__ = ("_holdings", "hedge", "refused", "since", "wake")

    def __init__(
        self,
        holdings: list[tuple[ResourceQueue, Charge | None]],
        since: float,
        wake: tuple[str, ...] = (),
    ) -> None:
        self._holdings = holdings
        self.since = since
        """When it was granted."""
        self.hedge: Permit | None = None
        """The permit of its hedge; of a hedge's permit, itself."""
        self.wake = wake
        """The runs to wake because of this grant."""
        self.refused = False
        """Whether the service refused the exchange."""

    @property
    def needs_reply_time(self) -> bool:
        """Whether some rate needs to know when the reply begins."""
        return any(
            queue.window is not None and queue.window.has_limits for queue, _ in self._holdings
        )

    def is_latency_sample(self, usage: Usage) -> bool:
        """
        Return whether the time that it was held is a latency of the service.

        A hedged exchange took longer than most, however it ended. Without it the longest would
        be missing, and each p95 be less than the one before. A hedge that won was a quick one.
        """
        if self.hedge is None:
            return usage.output_tokens > 0 and not usage.estimated
        return self.hedge is not self

    def renew(self, holdings: list[tuple[ResourceQueue, Charge | None]]) -> None:
        """Replace the charges."""
        self._holdings = holdings

    def __iter__(self) -> Iterator[tuple[ResourceQueue, Charge | None]]:
        return iter(self._holdings)


class Refusal:
    """Why nothing was granted. False, so that `if admission.acquire(...)` reads well."""

    __slots__ = ("lacking", "name", "until", "wake")

    def __init__(self, name: str, lacking: str, until: float) -> None:
        self.name = name
        """The resource that was asked for; the run now waits for it."""
        self.lacking = lacking
        """The resource without room: that one, or one around it."""
        self.until = until
        """When to ask again; infinity: when woken."""
        self.wake: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return False
