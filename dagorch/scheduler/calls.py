"""
Calls that function nodes make through their provider.

Asked for, reserved, admitted, and settled like any attempt.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING
from weakref import proxy

from dagorch.errors import BudgetExceededError, RunError
from dagorch.models.usage import Usage
from dagorch.scheduler.admission import Refusal
from dagorch.scheduler.commands import Call, GrantCall, RefuseCall

if TYPE_CHECKING:
    from dagorch.scheduler.attempting import Attempting

__all__ = ["Calls"]


class Calls:
    """
    The calls of one run that wait for a grant, first come, first served.

    They use their attempt's slot.
    """

    __slots__ = ("_core", "blocked", "waiting", "waits")

    def __init__(self, core: Attempting) -> None:
        # A proxy: with a plain reference no core could be freed without the cycle collector.
        self._core: Attempting = proxy(core)
        self.waiting: list[Call] = []
        self.blocked: set[str] = set()
        """Resources that some of them wait for: nobody overtakes them there."""
        self.waits: set[str] = set()
        """What they stand in line for."""

    @property
    def waits_for_money(self) -> bool:
        """Whether the first in line waits for a reservation to come back."""
        if not self.waiting:
            return False
        budget = self._core.budget
        ceiling = budget.ceiling
        worst = self.waiting[0].worst_case_usd
        return ceiling is not None and budget.spent + budget.reserved + worst > ceiling

    def requested(self, call: Call) -> None:
        """Grant, refuse, or put in line."""
        core = self._core
        if call.wait:
            self.waiting.append(call)
            self.serve()
        elif self.waiting or not self._grant(call):
            core.give_way()
            error = self._never_paid(call) or RunError(
                f"node {call.attempt.path!r} made a synchronous call on the event loop that would "
                "have to wait; use the async call, or make the node a plain def",
                path=call.attempt.path,
            )
            core.outbox.append(RefuseCall(call, error))

    def serve(self) -> None:
        """Grant what can be: a full resource holds up its own line, lack of money everybody."""
        core = self._core
        self.blocked.clear()
        self.waits.clear()
        for call in tuple(self.waiting):
            names = () if call.resource is None else call.resource.names
            error: RunError | None
            if call.attempt.cancelling:
                error = RunError(f"node {call.attempt.path!r} is being cancelled")
            elif not self.blocked.isdisjoint(names):
                continue
            elif self._grant(call):
                self.waiting.remove(call)
                continue
            elif core.budget.fits(call.worst_case_usd):
                continue  # so a resource is full, others may not be
            else:
                error = self._never_paid(call)
                if error is None:
                    return
            self.waiting.remove(call)
            core.outbox.append(RefuseCall(call, error))

    def _never_paid(self, call: Call) -> BudgetExceededError | None:
        """Stop the run if nothing is reserved that could come back and the call does not fit."""
        core = self._core
        if core.budget.reserved or not core.budget.never_fits(call.worst_case_usd):
            return None
        path = call.attempt.path
        error = BudgetExceededError(
            f"a call of node {path!r} could cost up to ${call.worst_case_usd}, but of "
            f"max_cost=${core.budget.ceiling} ${core.budget.spent} are spent",
            path=path,
        )
        core.stop_run(error)
        return error

    def _grant(self, call: Call) -> bool:
        core = self._core
        if not core.budget.reserve(call.worst_case_usd):
            return False
        if call.resource is not None:
            permit = core.admission.acquire(core.run_id, [call.resource], core.now, call.demand)
            core.wake(permit.wake)
            if isinstance(permit, Refusal):
                self.blocked.add(permit.lacking)
                self.waits.add(permit.name)
                core.come_back(permit.until)
                core.budget.settle(call.worst_case_usd, Decimal(0))
                return False
            call.permit = permit
        call.reserved = call.worst_case_usd
        core.outbox.append(GrantCall(call))
        return True

    def withdrawn(self, call: Call) -> None:
        """Forget a call whose caller has gone before it was granted."""
        if call in self.waiting:
            self.waiting.remove(call)

    def ended(self, call: Call, usage: Usage) -> None:
        """Settle a granted call; one that was never granted leaves the line."""
        core = self._core
        if call.reserved is None:
            self.withdrawn(call)
            core.give_way()
            self.serve()
            return
        core.budget.settle(call.reserved, usage.cost_usd)
        attempt = call.attempt
        core.book(attempt.frame, attempt.index, attempt.number, call.source, usage)
        if call.permit is not None:
            core.wake(core.admission.release(call.permit, core.now, usage))
        self.serve()
