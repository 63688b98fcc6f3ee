"""
The dispatcher: which ready node runs, calls and hedges may go ahead, by slot, resource and money.

It keeps the ready queue, the slots, the budget and the calls that wait. It knows no core: each
method returns what was decided, and the core carries that out.

A reservation is made when an attempt or a call is admitted, and settled when it ends, in
`settle_attempt` and `settle_call`. That holds for a cancelled attempt as well: until it reports
its end it keeps its slot, its permit and its reservation, since the service may yet charge for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from itertools import islice
from typing import Final

from dagorch.errors import BudgetExceededError, RunError
from dagorch.graph.plan import Plan
from dagorch.models.limits import NO_DEMAND
from dagorch.models.usage import NO_AMOUNT, NOTHING_USED, Amount, Usage
from dagorch.scheduler.admission import Admission
from dagorch.scheduler.budget import Budget
from dagorch.scheduler.commands import WAITING, Answer, GrantCall, RefuseCall, WakeRun
from dagorch.scheduler.ready import Item, Needs, ReadyQueue
from dagorch.scheduler.records import Call, Frame, Prepared, StartAttempt
from dagorch.scheduler.resource_queues import NEVER, Permit, Refusal, Resource
from dagorch.scheduler.states import State

__all__ = ["Decisions", "Dispatcher", "Scan"]

_READY: Final = int(State.READY)
_RUNNING: Final = int(State.RUNNING)
_NO_NAMES: Final[frozenset[str]] = frozenset()


class Decisions:
    """What was decided about waiting calls."""

    __slots__ = ("commands", "retry_at", "stop_error")

    def __init__(self) -> None:
        self.commands: list[GrantCall | RefuseCall | WakeRun] = []
        self.retry_at = NEVER
        """When to ask again for what was refused only for now."""
        self.stop_error: BudgetExceededError | None = None
        """Why the run must stop: a call can never be paid."""


class Scan:
    """
    One search of the ready queue for a node run that may start, and its by-products.

    Attributes:
        permit: What the admitted node run holds.
        wake: The runs that this one lets go first.
        retry_at: When to ask again for what was refused only for now.
        waits_for: The names of the resources that this run now waits for.
        downgrade: A node run that must use its cheaper model, since it can never be paid.
        refused: A node run that can never be paid, and why.
    """

    __slots__ = (
        "_claimed", "_dispatcher", "_now", "downgrade", "permit", "refused", "retry_at",
        "short_of_money", "waits_for", "wake",
    )  # fmt: skip

    def __init__(self, dispatcher: Dispatcher, now: float) -> None:
        self._dispatcher = dispatcher
        self._now = now
        calls = dispatcher.waiting_calls
        self._claimed = dispatcher.claimed_by_calls if calls else _NO_NAMES
        """Resources that something of higher rank waits for: nothing overtakes it there."""
        self.waits_for = dispatcher.calls_wait_for if calls else _NO_NAMES
        self.short_of_money = dispatcher.calls_wait_for_money
        self.permit: Permit | None = None
        self.wake: list[str] = []
        self.retry_at = NEVER
        self.downgrade: Item | None = None
        self.refused: tuple[Item, BudgetExceededError] | None = None

    def admit(self, item: Item) -> bool:
        """Take all that a node run needs beside its slot, or nothing."""
        dispatcher = self._dispatcher
        frame, index = item[4], item[3]
        resources = dispatcher.resources_of(frame, index)
        if self._claimed and not self._claimed.isdisjoint(n for r in resources for n in r.names):
            return False
        details = frame.node_details.get(index)
        prepared = details.prepared if details is not None else None
        own, demand = NO_AMOUNT, NO_DEMAND
        if details is not None and prepared is not None:
            own = details.set_aside
            if prepared.worst:
                if self.short_of_money:
                    return False
                affordable = dispatcher.affordable(prepared, own)
                if affordable is None:
                    self.short_of_money = True
                    self._cannot_be_paid(item, prepared, own)
                    return False
                prepared = affordable
                dispatcher.budget.reserve(prepared.worst, own)
            demand = prepared.demand
        permit = dispatcher.admission.acquire(dispatcher.run_id, resources, self._now, demand)
        self.wake.extend(permit.wake)
        if isinstance(permit, Permit):
            self.permit = permit
            if details is not None:
                details.prepared = prepared
            return True
        self._claimed |= {permit.lacking}
        self.waits_for |= {permit.name}
        self.retry_at = min(self.retry_at, permit.until)
        if prepared is not None and prepared.worst:
            dispatcher.budget.give_back(prepared.worst, own)
        return False

    def _cannot_be_paid(self, item: Item, prepared: Prepared, own: Amount) -> None:
        """Let a node run wait for money, use its cheaper model, or be refused."""
        dispatcher = self._dispatcher
        if own or dispatcher.over_budget is None:
            if dispatcher.budget.reserved:
                return  # some of it may come back
            if prepared.cheaper is not None:
                self.downgrade = item
                return
        path, worst = item[4].path_of(item[3]), prepared.least.worst
        self.refused = item, dispatcher.refuse("node", path, worst, own)


class Dispatcher:
    """
    Slots, resources and money of one run; see `Core` for the arguments.

    Waiting calls are served in the order of their requests, before any node run of the ready
    queue. They use their attempt's slot.
    """

    __slots__ = (
        "admission",
        "budget",
        "calls_wait_for",
        "claimed_by_calls",
        "finishes",
        "hedge_candidates",
        "limits",
        "max_parallel",
        "over_budget",
        "queue",
        "run_id",
        "short_of_money",
        "slots_lost",
        "slots_used",
        "waiting_calls",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        run_id: str,
        *,
        max_parallel: int,
        max_cost: Decimal | None,
        max_tokens: int | None,
        finishes: bool,
        limits: Mapping[str, int] | None,
        admission: Admission | None,
    ) -> None:
        self.run_id = run_id
        self.max_parallel = max_parallel
        self.slots_used = 0
        self.slots_lost = 0
        """Those of `slots_used` that threads hold which outlived their attempts."""
        self.limits = {
            name: Resource(f"{run_id}/{name}", bound) for name, bound in (limits or {}).items()
        }
        self.admission = Admission() if admission is None else admission
        self.budget = Budget(max_cost, max_tokens)
        self.finishes = finishes
        """Whether a call that can never be paid is refused, and the rest of the run goes on."""
        self.over_budget: BudgetExceededError | None = None
        """The first such refusal: from then on only what is set aside is paid for."""
        self.queue = ReadyQueue(plan)
        self.short_of_money = False
        """Whether the last scan left something that waits for money: nothing overtakes it."""
        self.waiting_calls: list[Call] = []
        self.claimed_by_calls = _NO_NAMES
        """Resources that waiting calls lack: nothing overtakes them there."""
        self.calls_wait_for = _NO_NAMES
        """Resources that waiting calls asked for."""
        self.hedge_candidates: list[StartAttempt] = []
        """Attempts that have taken so long that they are to be hedged."""

    @property
    def can_start(self) -> bool:
        """Whether a slot is free for something that may be ready."""
        return self.slots_used < self.max_parallel and bool(self.queue)

    @property
    def has_candidates(self) -> bool:
        """Whether a slot is free for something that may be ready, or for a hedge."""
        return self.slots_used < self.max_parallel and bool(self.queue or self.hedge_candidates)

    # -- node runs --------------------------------------------------------------------------

    def enqueue(self, frame: Frame, index: int) -> None:
        """Add a ready node run that makes attempts."""
        plan = frame.plan
        if not plan.needs_policy[index]:
            self.queue.push_slot_only(frame, index)
            return
        priority = plan.priorities.get(index, frame.priority) if plan.priorities else frame.priority
        item = (-priority, plan.neg_rank[index] - frame.tail, frame.serial, index, frame)
        details = frame.node_details.get(index)
        prepared = details.prepared if details is not None else None
        names = tuple(resource.name for resource in self.resources_of(frame, index))
        self.queue.push(item, Needs(names, prepared is not None and bool(prepared.worst)))

    def resources_of(self, frame: Frame, index: int) -> tuple[Resource, ...]:
        """Return what a node run holds: what its policy names, then the service that it asks."""
        names = frame.plan.nodes[index].policy.resources
        resources = tuple(self.limits[name] for name in names)
        details = frame.node_details.get(index)
        prepared = details.prepared if details is not None else None
        if prepared is not None and prepared.resource is not None:
            resources += (prepared.resource,)
        return resources

    def pop_admissible(self, now: float) -> tuple[Item | None, Scan | None]:
        """
        Remove the first ready node run that may start, and take what it needs beside a slot.

        Returns:
            The node run, or None, and the by-products of the search; None if nothing in the
            queue needs more than a slot.
        """
        if not self.queue.by_needs:
            return self.queue.pop(_is_ready, _is_ready), None
        scan = Scan(self, now)
        item = self.queue.pop(_is_ready, scan.admit)
        self.short_of_money = scan.short_of_money
        return item, scan

    def settle_attempt(self, attempt: StartAttempt, usage: Usage, now: float) -> list[str]:
        """Free an attempt's slot, settle its reservation and release its permit. Returns runs."""
        if attempt.keeps_slot:
            self.slots_lost += 1
        else:
            self.slots_used -= 1
        if attempt.reserved is not None:
            self.budget.settle(attempt.reserved, usage)
        elif usage is not NOTHING_USED:
            self.budget.settle(NO_AMOUNT, usage)
        if attempt.set_aside:
            used = Amount(usage.cost_usd, usage.total_tokens)
            self.set_aside(attempt.frame, attempt.index, attempt.set_aside.beyond(used))
        if attempt.permit is None:
            return []
        return self.admission.release(attempt.permit, now, usage)

    def set_aside(self, frame: Frame, index: int, amount: Amount) -> None:
        """Set an amount aside for a node run's next attempt, instead of what was before."""
        details = frame.details(index)
        self.budget.set_aside += amount - details.set_aside
        details.set_aside = amount

    def affordable(self, prepared: Prepared, own: Amount = NO_AMOUNT) -> Prepared | None:
        """
        Return the version of an exchange that can be paid now, or None.

        An exchange that does not bound its own reply gets its share: what is left, divided by the
        paid attempts that can start now. If even the shortest reply is above the share, it gets
        the shortest.

        Args:
            prepared: The exchange.
            own: What is set aside for it.
        """
        if not prepared.worst:
            return prepared
        if self.over_budget is not None and not own:
            return None
        if prepared.shorter:
            if self.budget.fits(prepared.worst, own, self.max_parallel):
                return prepared  # whatever the count is, which costs a pass over the queue
            count = self._payable_count
            for version in (prepared, *prepared.shorter):
                if self.budget.fits(version.worst, own, count):
                    return version
        least = prepared.least
        return least if self.budget.fits(least.worst, own) else None

    @property
    def _payable_count(self) -> int:
        """How many paid attempts can start now: ready nodes, and functions that may call."""
        callers = max(
            self.slots_used - self.slots_lost - self.budget.holders, len(self.waiting_calls)
        )
        ready = sum(1 for _ in islice(filter(_may_pay, self.queue), self.max_parallel))
        return max(1, min(self.max_parallel, callers + ready))

    def refuse(
        self, who: str, path: str, worst: Amount, own: Amount = NO_AMOUNT
    ) -> BudgetExceededError:
        """Return the error of what can never be paid; it may be the first refusal of the run."""
        if self.over_budget is not None and self.budget.fits(worst, own):
            first = self.over_budget
            return BudgetExceededError(
                f"{who} {path!r} is not paid for, since the budget was used up before: {first}",
                path=path,
            )
        error = self.budget_exceeded(who, path, worst, own)
        if self.finishes and self.over_budget is None:
            self.over_budget = error
        return error

    def budget_exceeded(
        self, who: str, path: str, worst: Amount, own: Amount = NO_AMOUNT
    ) -> BudgetExceededError:
        """Return the error of an amount that does not fit."""
        return BudgetExceededError(f"{who} {path!r} {self.budget.explain(worst, own)}", path=path)

    def leave(self, now: float, keep: Collection[str] = ()) -> list[str]:
        """Stop waiting for everything but `keep`. Returns the runs to wake."""
        return self.admission.leave(self.run_id, now, keep)

    def wake(self, runs: Iterable[str]) -> list[WakeRun]:
        """Return the commands that wake other runs."""
        return [WakeRun(run) for run in runs if run != self.run_id]

    # -- calls ------------------------------------------------------------------------------

    @property
    def calls_wait_for_money(self) -> bool:
        """Whether the first waiting call waits for a reservation to come back."""
        calls = self.waiting_calls
        return bool(calls) and self.affordable(calls[0].prepared, _own(calls[0])) is None

    def request_call(self, call: Call, now: float) -> tuple[Answer, Decisions]:
        """Grant a call, refuse it, or let it wait; others that wait may be served on the way."""
        if call.wait:
            self.waiting_calls.append(call)
            decisions = self.serve_calls(now)
            for command in decisions.commands:
                if not isinstance(command, WakeRun) and command.call is call:
                    decisions.commands.remove(command)
                    return command, decisions
            return WAITING, decisions
        decisions = Decisions()
        if not self.waiting_calls and self._grant(call, now, decisions):
            return GrantCall(call), decisions
        path = call.attempt.path
        error: RunError | None = self._never_paid(call, decisions)
        return RefuseCall(
            call,
            error
            or RunError(
                f"node {path!r} made a synchronous call on the event loop that would have to wait; "
                "use the async call, or make the node a plain def",
                path=path,
            ),
        ), decisions

    def serve_calls(self, now: float) -> Decisions:
        """
        Grant every waiting call that can go ahead.

        A full resource holds up the calls that need it; lack of money holds up all.
        """
        decisions = Decisions()
        self.claimed_by_calls = self.calls_wait_for = _NO_NAMES
        for call in tuple(self.waiting_calls):
            resource = call.prepared.resource
            error: RunError | None
            if call.attempt.cancelling:
                error = RunError(f"node {call.attempt.path!r} is being cancelled")
            elif resource is not None and not self.claimed_by_calls.isdisjoint(resource.names):
                continue
            elif self._grant(call, now, decisions):
                self.waiting_calls.remove(call)
                decisions.commands.append(GrantCall(call))
                continue
            elif self.affordable(call.prepared, _own(call)) is not None:
                continue  # its resource is full, others may not be
            else:
                error = self._never_paid(call, decisions)
                if error is None:
                    break
            self.waiting_calls.remove(call)
            decisions.commands.append(RefuseCall(call, error))
        return decisions

    def _never_paid(self, call: Call, decisions: Decisions) -> BudgetExceededError | None:
        """
        Refuse a call if it does not fit and nothing is reserved that could come back.

        That stops the run, unless it is to finish.
        """
        worst, own = call.prepared.least.worst, _own(call)
        if not worst or (
            (own or self.over_budget is None)
            and (self.budget.reserved or not self.budget.never_fits(worst, own))
        ):
            return None
        error = self.refuse("a call of node", call.attempt.path, worst, own)
        if not self.finishes:
            decisions.stop_error = decisions.stop_error or error
        return error

    def _grant(self, call: Call, now: float, decisions: Decisions) -> bool:
        own = _own(call)
        prepared = self.affordable(call.prepared, own)
        while prepared is None:
            cheaper = call.prepared.cheaper
            is_over = self.over_budget is not None and not own
            if cheaper is None or self.budget.reserved or is_over:
                return False
            call.prepared = cheaper
            prepared = self.affordable(cheaper, own)
        if not prepared.worst:
            own = NO_AMOUNT
        self.budget.reserve(prepared.worst, own)
        if prepared.resource is not None:
            permit = self.admission.acquire(self.run_id, [prepared.resource], now, prepared.demand)
            decisions.commands += self.wake(permit.wake)
            if isinstance(permit, Refusal):
                self.claimed_by_calls |= {permit.lacking}
                self.calls_wait_for |= {permit.name}
                decisions.retry_at = min(decisions.retry_at, permit.until)
                self.budget.give_back(prepared.worst, own)
                return False
            call.permit = permit
        if own:
            call.attempt.frame.details(call.attempt.index).set_aside = NO_AMOUNT
            call.set_aside = own
        call.prepared = prepared
        call.reserved = prepared.worst
        call.sent_at = now
        return True

    def withdraw_call(self, call: Call) -> None:
        """Remove a call whose caller no longer waits for a grant."""
        if call in self.waiting_calls:
            self.waiting_calls.remove(call)

    def settle_call(self, call: Call, usage: Usage, now: float) -> list[str]:
        """Settle a granted call's reservation and release its permit. Returns the runs to wake."""
        assert call.reserved is not None
        self.budget.settle(call.reserved, usage)
        frame, index = call.attempt.frame, call.attempt.index
        if call.set_aside and frame.state[index] == _RUNNING:
            used = Amount(usage.cost_usd, usage.total_tokens)
            self.set_aside(frame, index, call.set_aside.beyond(used))
        return [] if call.permit is None else self.admission.release(call.permit, now, usage)

    # -- hedges -----------------------------------------------------------------------------

    def start_hedges(self, now: float) -> list[StartAttempt]:
        """
        Start the hedges whose time has come, before anything else: their nodes came first.

        They wait for a slot only. One without room at its service or in the budget is tried again
        when a slot is next free.
        """
        if self.slots_used >= self.max_parallel:
            return []
        hedges: list[StartAttempt] = []
        full: set[tuple[Resource, ...]] = set()
        waiting: list[StartAttempt] = []
        for first in self.hedge_candidates:
            if first.cancelling or not first.is_running:
                continue
            hedge = self._start_hedge(first, full, now)
            if hedge is None:
                waiting.append(first)
            else:
                hedges.append(hedge)
        self.hedge_candidates[:] = waiting
        return hedges

    def _start_hedge(
        self, first: StartAttempt, full: set[tuple[Resource, ...]], now: float
    ) -> StartAttempt | None:
        """Start an attempt's hedge if possible. `full` collects what has no room."""
        worst = first.reserved
        if self.slots_used >= self.max_parallel or first.resources in full:
            return None
        if worst and (
            self.over_budget is not None or self._waits_for_money or not self.budget.reserve(worst)
        ):
            return None
        permit = None
        if first.permit is not None:
            permit = self.admission.acquire_hedge(first.permit, now)
            if permit is None:
                if worst:
                    self.budget.give_back(worst)
                full.add(first.resources)
                return None
        hedge = StartAttempt(first.frame, first.index, first.inputs)
        hedge.number, hedge.model, hedge.prepared = first.number, first.model, first.prepared
        hedge.resources, hedge.permit, hedge.reserved = first.resources, permit, worst
        hedge.is_hedge, hedge.sent_at = True, now
        hedge.rival, first.rival = first, hedge
        self.slots_used += 1
        return hedge

    @property
    def _waits_for_money(self) -> bool:
        """Whether something that could start otherwise waits for a reservation to come back."""
        return self.calls_wait_for_money or (self.short_of_money and len(self.queue) > 0)


def _own(call: Call) -> Amount:
    """Return what is set aside for a call."""
    details = call.attempt.frame.node_details.get(call.attempt.index)
    return NO_AMOUNT if details is None else details.set_aside


def _may_pay(item: Item) -> bool:
    """Return whether a ready node run makes a paid call, or is a function that may make one."""
    frame, index = item[4], item[3]
    details = frame.node_details.get(index)
    prepared = details.prepared if details is not None else None
    makes_calls = index in frame.plan.contexts
    return _is_ready(item) and (makes_calls or (prepared is not None and bool(prepared.worst)))


def _is_ready(item: Item) -> bool:
    return item[4].state[item[3]] == _READY
