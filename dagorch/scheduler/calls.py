"""
Calls that function nodes make through their provider.

Asked for, reserved, admitted, and settled like any attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import proxy

from dagorch.errors import BudgetExceededError, RunError
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.scheduler.admission import Refusal
from dagorch.scheduler.commands import Call, GrantCall, RefuseCall

if TYPE_CHECKING:
    from dagorch.scheduler.attempting import Attempting

__all__ = ["NOTHING", "Calls"]


NOTHING: Final[frozenset[str]] = frozenset()
"""What most runs wait for, all their life."""


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
        self.blocked = NOTHING
        """Resources that some of them wait for: nobody overtakes them there."""
        self.waits = NOTHING
        """What they stand in line for."""

    @property
    def waits_for_money(self) -> bool:
        """Whether the first in line waits for a reservation to come back."""
        if not self.waiting:
            return False
        return not self._core.budget.fits(self.waiting[0].prepared.worst)

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
        self.blocked = self.waits = NOTHING
        for call in tuple(self.waiting):
            resource = call.prepared.resource
            names = () if resource is None else resource.names
            error: RunError | None
            if call.attempt.cancelling:
                error = RunError(f"node {call.attempt.path!r} is being cancelled")
            elif not self.blocked.isdisjoint(names):
                continue
            elif self._grant(call):
                self.waiting.remove(call)
                continue
            elif core.budget.fits(call.prepared.worst):
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
        worst = call.prepared.worst
        if core.budget.reserved or not core.budget.never_fits(worst):
            return None
        path = call.attempt.path
        error = BudgetExceededError(f"a call of node {path!r} {core.budget.told(worst)}", path=path)
        core.stop_run(error)
        return error

    def _grant(self, call: Call) -> bool:
        core = self._core
        while not core.budget.reserve(call.prepared.worst):
            cheaper = call.prepared.cheaper
            if cheaper is None or core.budget.reserved:
                return False
            call.prepared = cheaper
        prepared = call.prepared
        if prepared.resource is not None:
            asked = [prepared.resource]
            permit = core.admission.acquire(core.run_id, asked, core.now, prepared.demand)
            core.wake(permit.wake)
            if isinstance(permit, Refusal):
                self.blocked |= {permit.lacking}
                self.waits |= {permit.name}
                core.come_back(permit.until)
                core.budget.settle(prepared.worst, NOTHING_USED)
                return False
            call.permit = permit
        call.reserved = prepared.worst
        call.began = core.now
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
        core.budget.settle(call.reserved, usage)
        core.book(call.attempt, call, usage)
        if call.permit is not None:
            core.wake(core.admission.release(call.permit, core.now, usage))
        self.serve()
