"""
The limits of services: who may call one now, over all event loops of a process.

A loop on virtual time has limits of its own.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from dagorch.ids import RunId
from dagorch.models.limits import NO_DEMAND, NO_LIMITS, Demand, Limits
from dagorch.models.llm import LLMRequest
from dagorch.models.policy import Retry
from dagorch.models.rates import RateLimits
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.nodes.base import Node
from dagorch.ports import HasAccount, Provider, RateLimited
from dagorch.scheduler.admission import Admission, Permit, Refusal, Resource

__all__ = ["Schedule", "ServiceLimits", "account_of", "forget_limits", "limits_of_process"]

Schedule = Callable[[Callable[[], object]], object]
"""Calls a function on an event loop, from any thread."""

_RETRY: Final = Retry()


class _LockedAdmission(Admission):
    """An `Admission` that the event loops of several threads use."""

    __slots__ = ("_lock",)

    def __init__(self, lock: threading.RLock) -> None:
        super().__init__()
        self._lock = lock

    def acquire(
        self,
        run: str,
        resources: Iterable[Resource],
        now: float = 0.0,
        demand: Demand = NO_DEMAND,
    ) -> Permit | Refusal:
        with self._lock:
            return super().acquire(run, resources, now, demand)

    def acquire_hedge(self, permit: Permit, now: float) -> Permit | None:
        with self._lock:
            return super().acquire_hedge(permit, now)

    def p95(self, permit: Permit) -> float | None:
        with self._lock:
            return super().p95(permit)

    def reply_began(
        self,
        permit: Permit,
        now: float,
        rates: RateLimits | None = None,
        pause_seconds: float | None = None,
        *,
        refused: bool = False,
    ) -> list[str]:
        with self._lock:
            return super().reply_began(permit, now, rates, pause_seconds, refused=refused)

    def charge_resend(self, permit: Permit, now: float) -> bool:
        with self._lock:
            return super().charge_resend(permit, now)

    def release(
        self, permit: Permit | Refusal, now: float = 0.0, usage: Usage = NOTHING_USED
    ) -> list[str]:
        with self._lock:
            return super().release(permit, now, usage)

    def leave(self, run: str, now: float = 0.0, keep: Collection[str] = ()) -> list[str]:
        with self._lock:
            return super().leave(run, now, keep)

    def held(self, name: str) -> int:
        with self._lock:
            return super().held(name)

    @property
    def at_rest(self) -> bool:
        with self._lock:
            return super().at_rest

    def check(self) -> None:
        with self._lock:
            super().check()


class ServiceLimits:
    """
    The admission of the runs of one or several event loops to the services that they call.

    Every method may be called from any thread. The loops have one clock, `time.monotonic`, unless
    there is one loop only.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.admission: Admission = _LockedAdmission(self._lock)
        self._runs: dict[str, tuple[Schedule, Callable[[], None]]] = {}
        """Per run, how to reach its event loop, and what to call when a resource was freed."""
        self._services: WeakKeyDictionary[Any, _Service] = WeakKeyDictionary()
        self._unweak: dict[int, tuple[Any, _Service]] = {}
        """The same for providers that cannot be a weak key; they are never freed."""
        self._accounts: WeakValueDictionary[str, _Service] = WeakValueDictionary()
        """Per account, the last service that stated limits."""
        self._made = 0

    def enter(self, wanted: RunId, schedule: Schedule, freed: Callable[[], None]) -> RunId:
        """
        Register a run; its `freed` is called when a resource was freed.

        Returns:
            The wanted id, or a similar one if another run has it: with equal seeds, two runs that
                begin in the same millisecond.
        """
        with self._lock:
            run = wanted if wanted not in self._runs else RunId(f"{wanted}-{len(self._runs)}")
            self._runs[run] = schedule, freed
        return run

    def leave(self, run: str) -> None:
        """Remove a run."""
        with self._lock:
            del self._runs[run]

    def wake(self, run: str, schedule: Schedule) -> None:
        """Report a freed resource to a run, if it has not ended; `schedule` is the caller's."""
        with self._lock:
            known = self._runs.get(run)
        if known is None:
            return
        its_schedule, freed = known
        if its_schedule is schedule:
            freed()
        else:
            with suppress(RuntimeError):  # its event loop is closed, and the run with it
                its_schedule(freed)

    def resource_and_demand(
        self, provider: Provider, request: LLMRequest, node: Node[Any]
    ) -> tuple[Resource, Demand]:
        """Return what an exchange holds, a model within its service, and its demand."""
        with self._lock:
            service = self._service(provider)
        if service.is_paced:
            demand = cast("RateLimited", provider).demand(request)
        else:
            demand = Demand.of(request)
        demand = replace(demand, patience_seconds=_patience(node))
        model = request.model or provider.default_model
        with self._lock:
            other = None if service.states_limits else self._accounts.get(service.account)
            resource = service.of(model) if other is None else service.within(other.of(model))
        return resource, demand

    def _service(self, provider: Provider) -> _Service:
        try:
            service = self._services.get(provider)
        except TypeError:
            service = self._unweak.get(id(provider), (None, None))[1]
        if service is None:
            service = self._service_of(provider)
            try:
                self._services[provider] = service
            except TypeError:
                self._unweak[id(provider)] = (provider, service)
        return service

    def _service_of(self, provider: Provider) -> _Service:
        """
        Make the resources of a provider, or of its account if it names one.

        Providers that state the same limits for one account share them. A provider that states
        none keeps to those of another, and to its own bound on concurrency. Providers that state
        different limits divide the account between them.
        """
        account = account_of(provider)
        if not account:
            self._made += 1
            return _Service(provider, str(self._made))
        service = _Service(provider, "", account)
        if service.states_limits:
            self._accounts[service.account] = service
        return service


def account_of(provider: Provider) -> str:
    """Return the account that a provider names; empty if it names none."""
    account = provider.account if isinstance(provider, HasAccount) else None
    return account if isinstance(account, str) else ""  # a mock may return anything


def _patience(node: Node[Any]) -> float:
    """
    Return how long a node waits for a service that asked for a pause.

    As long as its own retry would: a `Retry-After` past its deadline or its longest delay fails
    at once.
    """
    policy = node.policy
    retry = getattr(node, "retry", None) or policy.retry or _RETRY
    return min(
        retry.max_delay_seconds,
        math.inf if policy.timeout_seconds is None else policy.timeout_seconds,
    )


class _Service:
    """
    The resources of one provider: the service, and each of its models.

    It keeps no reference to the provider, which is its weak key. `Admission` treats equal names
    as one resource, and remembers what was sent for longer than any object lives.

    Args:
        provider: The provider.
        number: Distinguishes it from others of that name.
        account: Replaces `number` if not empty, together with the stated limits.
    """

    def __init__(self, provider: Provider, number: str, account: str = "") -> None:
        paced = provider if isinstance(provider, RateLimited) else None
        self.is_paced = paced is not None
        self.account = account
        limits = None if paced is None else paced.limits
        self._limits = limits if isinstance(limits, Limits) else NO_LIMITS
        bounds = [
            bound
            for bound in (provider.max_concurrency, self._limits.concurrency)
            if bound is not None
        ]
        self._max_concurrency = min(bounds, default=None)
        self.states_limits = self._limits != NO_LIMITS
        """Whether the provider states limits."""
        if account:
            stated = f"{account} {self._limits} {bounds}"
            number = hashlib.blake2b(stated.encode(), digest_size=6).hexdigest()
        self._service = Resource(
            f"{provider.name}#{number}", self._max_concurrency, is_service=True, limits=self._limits
        )
        self._models: dict[str, Resource] = {}

    def of(self, model: str) -> Resource:
        """Return the resource of one model, which has its own pauses."""
        found = self._models.get(model)
        if found is None:
            limits = self._limits.of(model)
            found = self._models[model] = Resource(
                f"{self._service.name}/{model}",
                limits.concurrency if limits is not None else None,
                is_service=True,
                limits=limits,
                within=self._service,
            )
        return found

    def within(self, other: Resource) -> Resource:
        """Return a resource of another provider of the account, under this one's own bound."""
        if self._max_concurrency is None:
            return other
        return Resource(
            f"{other.name}, {self._max_concurrency} at once", self._max_concurrency, within=other
        )


_of_process = ServiceLimits()


def limits_of_process() -> ServiceLimits:
    """Return the limits that all event loops share whose time is the real time."""
    return _of_process


def forget_limits() -> None:
    """Forget permits and reported limits: for tests, and for a forked process."""
    global _of_process
    _of_process = ServiceLimits()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_limits)
