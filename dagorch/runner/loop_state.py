"""What all runs of one event loop share: clock, time slice, admission to resources, watchdog."""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from anyio.lowlevel import RunVar

from dagorch.models.limits import NO_LIMITS, Demand, Limits
from dagorch.models.llm import LLMRequest
from dagorch.models.policy import Retry
from dagorch.nodes.base import Node
from dagorch.ports import HasAccount, Provider, RateLimited
from dagorch.runner.watchdog import Watchdog
from dagorch.scheduler.admission import Admission, Resource

__all__ = ["SLICE_SECONDS", "LoopState", "Slice", "shared"]


_RETRY: Final = Retry()
SLICE_SECONDS: Final = 0.003
"""
How long all runs of a loop together may use it in one turn.

A timer of another task waits up to three turns: one to expire, one to wake its task, one to run it.
"""


class Slice:
    """
    The time that the workers of all runs may use in one turn of the event loop.

    The loop counts its turns. A worker that comes back from a real wait thus knows that other
    tasks have run, and does not step aside.

    Attributes:
        turn: The number of the loop's turns in which a worker did something.
        end: When this turn's slice ends, by the loop's clock.
    """

    __slots__ = ("_counting", "_soon", "end", "turn")

    def __init__(self, soon: Callable[[Callable[[], None]], object]) -> None:
        self._soon = soon
        self._counting = False
        self.turn = 0
        self.end = 0.0

    def enter(self, now: float) -> int:
        """Take part in this turn; the first call begins its slice. Returns the turn."""
        if not self._counting:
            self._counting = True
            self.end = now + SLICE_SECONDS
            self._soon(self._turned)
        return self.turn

    def _turned(self) -> None:
        self.turn += 1
        self._counting = False


class LoopState:
    """The shared state of one event loop, made by its first run."""

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
        """Per run, the function to call when a resource was freed."""
        self.threads_at_work = 0
        """Sync functions that run in a thread right now; virtual time does not jump meanwhile."""
        self.thread_wait_seconds = 0.0
        """How long the loop blocks for a sync function; virtual time only, for a fixed order."""
        self.accepted_accounts: set[str] = set()
        """Accounts of services that have accepted a call."""
        self.chance = random.Random()
        """Gives runs without a seed theirs."""
        self._services: WeakKeyDictionary[Any, _Service] = WeakKeyDictionary()
        self._unweak: dict[int, tuple[Any, _Service]] = {}
        """The same for providers that cannot be a weak key; they are never freed."""
        self._accounts: WeakValueDictionary[str, _Service] = WeakValueDictionary()
        """Per account, the last service that stated limits."""
        self._made = 0

    def __contains__(self, run: str) -> bool:
        return run in self._runs

    @property
    def count(self) -> int:
        """The number of running runs."""
        return len(self._runs)

    def enter(self, run: str, freed: Callable[[], None]) -> None:
        """Register a run: it is watched, and `freed` is called when a resource was freed."""
        self._runs[run] = freed
        self._watchdog.enter()

    def leave(self, run: str) -> None:
        """Remove a run."""
        del self._runs[run]
        self._watchdog.leave()

    def wake(self, run: str) -> None:
        """Tell a run that a resource was freed, if it still runs."""
        freed = self._runs.get(run)
        if freed is not None:
            freed()

    def resource_and_demand(
        self, provider: Provider, request: LLMRequest, node: Node[Any]
    ) -> tuple[Resource, Demand]:
        """Return what an exchange holds, a model within its service, and its demand."""
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
        demand = provider.demand(request) if service.is_paced else Demand.of(request)  # type: ignore[attr-defined]
        demand = replace(demand, patience_seconds=_patience(node))
        model = request.model or provider.default_model
        other = None if service.states_limits else self._accounts.get(service.account)
        return service.of(model) if other is None else service.within(other.of(model)), demand

    def _service_of(self, provider: Provider) -> _Service:
        """
        Make the resources of a provider, or of its account if it names one.

        Providers that state the same limits for one account share them. A provider that states
        none keeps to those of another, and to its own bound on concurrency. Providers that state
        different limits divide the account between them.
        """
        account = provider.account if isinstance(provider, HasAccount) else None
        if not (isinstance(account, str) and account):  # a mock may return anything
            self._made += 1
            return _Service(provider, str(self._made))
        service = _Service(provider, "", account)
        if service.states_limits:
            self._accounts[service.account] = service
        return service


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


_SHARED: RunVar[LoopState] = RunVar("dagorch_shared")


def shared() -> LoopState:
    """Return the state of the running event loop."""
    try:
        return _SHARED.get()
    except LookupError:
        made = LoopState()
        _SHARED.set(made)
        return made
