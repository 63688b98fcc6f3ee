"""
What all runs of one event loop share.

Its clock, their slice of its time, admission to resources, the watchdog.
"""

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
How long all runs of a loop together may keep it in one turn before others get theirs.

A timer of somebody else waits up to three turns: one for its time to come, one to wake, one to run.
"""


class Slice:
    """
    The time that runs may use in one turn of the event loop: one slice for all their workers.

    The loop itself says when it has gone round, so a worker that comes back from a real wait
    knows that others have had theirs, and need not step aside.

    Attributes:
        turn: Counts the loop's turns in which a worker did something.
        end: When this turn's slice is used up, by the loop's clock.
    """

    __slots__ = ("_counting", "_soon", "end", "turn")

    def __init__(self, soon: Callable[[Callable[[], None]], object]) -> None:
        self._soon = soon
        self._counting = False
        self.turn = 0
        self.end = 0.0

    def enter(self, now: float) -> int:
        """Take part in this turn; the first to do so begins its slice. Returns the turn."""
        if not self._counting:
            self._counting = True
            self.end = now + SLICE_SECONDS
            self._soon(self._turned)
        return self.turn

    def _turned(self) -> None:
        self.turn += 1
        self._counting = False


class LoopState:
    """One per event loop, made by the first run there."""

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
        """Per run under way: what tells it that a resource was freed."""
        self.threads_at_work = 0
        """Sync functions that run in a thread right now; virtual time does not jump meanwhile."""
        self.thread_wait_seconds = 0.0
        """How long the loop blocks for a sync function; virtual time only, for a fixed order."""
        self.chance = random.Random()
        """Where runs that are given no seed draw theirs."""
        self._services: WeakKeyDictionary[Any, _Service] = WeakKeyDictionary()
        self._unweak: dict[int, tuple[Any, _Service]] = {}
        """The same for providers that cannot be a weak key; these are kept."""
        self._accounts: WeakValueDictionary[str, _Service] = WeakValueDictionary()
        """Of each account, the last to say what is permitted."""
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

    def asked_of(
        self, provider: Provider, request: LLMRequest, node: Node[Any]
    ) -> tuple[Resource, Demand]:
        """What an exchange holds, one of the model within the service, and what it asks for."""
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
        asked = provider.demand(request) if service.is_paced else Demand.of(request)  # type: ignore[attr-defined]
        demand = replace(asked, patience_seconds=_patience(node))
        model = request.model or provider.default_model
        told = None if service.says else self._accounts.get(service.account)
        return service.of(model) if told is None else service.within(told.of(model)), demand

    def _service_of(self, provider: Provider) -> _Service:
        """
        Make the resources of a provider, those of its account if it tells whose it uses.

        Objects that say the same of one account share its limits, and one that says nothing keeps
        to what another says, and to its own bound on exchanges at once. Those that say different
        things have divided it among them.
        """
        account = provider.account if isinstance(provider, HasAccount) else None
        if not (isinstance(account, str) and account):  # a mock's may be anything
            self._made += 1
            return _Service(provider, str(self._made))
        service = _Service(provider, "", account)
        if service.says:
            self._accounts[service.account] = service
        return service


def _patience(node: Node[Any]) -> float:
    """
    How long a node waits for a service that asked for a pause.

    As long as it would wait for it itself, had it been refused: a `Retry-After` past its
    deadline or its longest delay fails at once.
    """
    policy = node.policy
    retry = getattr(node, "retry", None) or policy.retry or _RETRY
    return min(
        retry.max_delay_seconds,
        math.inf if policy.timeout_seconds is None else policy.timeout_seconds,
    )


class _Service:
    """
    The resources of one provider: itself, and each of its models.

    It holds on to nothing of the provider, under which it is kept. Equal names are one resource
    to `Admission`, which remembers what was sent for longer than any object lives.

    Args:
        provider: Whose.
        number: Tells it from others of that name.
        account: Does the same where it is not empty, together with what it says is permitted.
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
        self._most = min(bounds, default=None)
        self.says = self._limits != NO_LIMITS
        """Whether it was told what the service permits."""
        if account:
            said = f"{account} {self._limits} {bounds}"
            number = hashlib.blake2b(said.encode(), digest_size=6).hexdigest()
        self._whole = Resource(
            f"{provider.name}#{number}", self._most, is_service=True, limits=self._limits
        )
        self._models: dict[str, Resource] = {}

    def of(self, model: str) -> Resource:
        """One model of it, which has pauses of its own."""
        found = self._models.get(model)
        if found is None:
            limits = self._limits.of(model)
            found = self._models[model] = Resource(
                f"{self._whole.name}/{model}",
                limits.concurrency if limits is not None else None,
                is_service=True,
                limits=limits,
                within=self._whole,
            )
        return found

    def within(self, told: Resource) -> Resource:
        """What another object of the account says of a model, with its own bound beside."""
        if self._most is None:
            return told
        return Resource(f"{told.name}, {self._most} at once", self._most, within=told)


_SHARED: RunVar[LoopState] = RunVar("dagorch_shared")


def shared() -> LoopState:
    """The event loop's own."""
    try:
        return _SHARED.get()
    except LookupError:
        made = LoopState()
        _SHARED.set(made)
        return made
