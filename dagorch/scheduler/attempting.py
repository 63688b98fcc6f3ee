"""
Attempts.

Started when slot, resources and money allow, ended with their bill settled, tried again or not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from dagorch.errors import BudgetExceededError
from dagorch.models.events import EventType
from dagorch.models.limits import NO_DEMAND
from dagorch.models.usage import NO_AMOUNT, NOTHING_USED, Amount, Usage
from dagorch.scheduler import containers, hedging, stimuli
from dagorch.scheduler.admission import Permit
from dagorch.scheduler.calls import NOTHING
from dagorch.scheduler.commands import (
    NOBODY,
    Call,
    CancelAttempt,
    Resource,
    StartAttempt,
    WakeRun,
)
from dagorch.scheduler.deadlines import Due
from dagorch.scheduler.frames import Frame
from dagorch.scheduler.noderuns import NodeRuns
from dagorch.scheduler.ready import Item
from dagorch.scheduler.retry import next_delay
from dagorch.scheduler.run_state import describe, exchange_told
from dagorch.scheduler.states import State

__all__ = ["Attempting"]

Ended = (
    stimuli.AttemptSucceeded | stimuli.Expanded | stimuli.AttemptFailed | stimuli.AttemptCancelled
)
_READY, _RUNNING, _OPEN, _COMPLETED = State.READY, State.RUNNING, State.OPEN, State.COMPLETED
_NEVER = float("inf")
_MONEY = "$"
"""Among the resources of what costs something, so that it is not free to start."""


class Attempting(NodeRuns):
    """What happens to attempts."""

    __slots__ = ()

    def enqueue(self, frame: Frame, index: int) -> None:
        plan = frame.plan
        priority = plan.priorities.get(index, frame.priority) if plan.priorities else frame.priority
        if plan.needs_policy[index]:
            item = (-priority, plan.neg_rank[index] - frame.tail, frame.serial, index, frame)
            needed = tuple(r.name for r in self._resources(frame, index))
            facts = frame.facts.get(index)
            if facts is not None and facts.prepared is not None and facts.prepared.worst:
                needed += (_MONEY,)
            self.queue.push(item, needed)
        else:
            self.queue.push_plain(frame, index)

    def _resources(self, frame: Frame, index: int) -> tuple[Resource, ...]:
        names = frame.plan.nodes[index].policy.resources
        needed = tuple(self.limits[name] for name in names)
        facts = frame.facts.get(index)
        if facts is not None and facts.prepared is not None and facts.prepared.resource is not None:
            needed += (facts.prepared.resource,)
        return needed

    def take(self) -> Item | None:
        if self.queue.others:
            self._budget_line = self.calls.waits_for_money
            waiting = self.calls.waiting
            self._blocked = self.calls.blocked if waiting else NOTHING
            self._waits = self.calls.waits if waiting else NOTHING
        return self.queue.pop(_is_ready, self._admit)

    def _admit(self, item: Item) -> bool:
        """
        Whether an attempt that needs more than a slot may start now.

        If so, all of it is taken.
        """
        frame, index = item[4], item[3]
        resources = self._resources(frame, index)
        blocked = self._blocked
        if blocked and not blocked.isdisjoint(name for r in resources for name in r.names):
            return False
        facts = frame.facts.get(index)
        prepared = facts.prepared if facts is not None else None
        worst = prepared.worst if prepared is not None else NO_AMOUNT
        if prepared is not None and worst:
            if self._budget_line:
                return False
            if not self.budget.reserve(worst):
                self._budget_line = True
                if not self.budget.reserved:
                    if prepared.cheaper is not None:
                        self.agenda.append((Attempting.downgrade, frame, index))
                    else:
                        self.budget_exceeded(frame.path_of(index), worst)
                return False
        demand = prepared.demand if prepared is not None else NO_DEMAND
        permit = self.admission.acquire(self.run_id, resources, self.now, demand)
        if permit.wake:
            self.wake(permit.wake)
        if isinstance(permit, Permit):
            self._permit = permit
            return True
        self._blocked |= {permit.lacking}
        self._waits |= {permit.name}
        self.come_back(permit.until)
        if worst:
            self.budget.settle(worst, NOTHING_USED)
        return False

    @property
    def waits_for_money(self) -> bool:
        """Whether something that could start otherwise waits for a reservation to come back."""
        return self.calls.waits_for_money or (self._budget_line and len(self.queue) > 0)

    def downgrade(self, frame: Frame, index: int) -> None:
        """Turn to the cheaper model of what waits for more money than there will be."""
        facts = frame.facts[index]
        prepared = facts.prepared
        if frame.state[index] != _READY or prepared is None or prepared.cheaper is None:
            return
        self.queue.remove(frame, index)
        facts.prepared = prepared.cheaper
        if self.observed:
            data = dict(zip(("service", "model"), prepared.cheaper.source, strict=True))
            self.emit(EventType.NODE_DOWNGRADED, frame, index, 0, data)
        self.enqueue(frame, index)

    def come_back(self, until: float) -> None:
        """Ask again at that time for what was refused; infinity: when woken."""
        due = self._comes_back
        if until == _NEVER or (due is not None and not due.dropped and due.when <= until):
            return
        if due is not None:
            self.deadlines.drop(due)
        assert self.root is not None
        self._comes_back = self.deadlines.add(Due(until, "admission", self.root, 0))

    def start(self, item: Item) -> StartAttempt:
        frame, index = item[4], item[3]
        plan = frame.plan
        self.move(frame, index, _RUNNING)
        self.slots_used += 1
        attempt = StartAttempt(frame, index, frame.inputs_of(index))
        frame.running[index] = attempt
        if plan.needs_policy[index]:
            facts = frame.fact(index)
            attempt.number = facts.failures + 1
            attempt.began = self.now
            attempt.resources = self._resources(frame, index)
            attempt.model = facts.model
            attempt.permit, self._permit = self._permit, None
            attempt.prepared = facts.prepared
            if attempt.prepared is not None and attempt.prepared.worst:
                attempt.reserved = attempt.prepared.worst
            seconds = plan.nodes[index].policy.attempt_timeout_seconds
            if seconds is not None:
                attempt.due = self.deadlines.add(
                    Due(self.now + seconds, "attempt", frame, index, attempt)
                )
            self.arm_node(frame, index)
            if plan.nodes[index].policy.hedge_after is not None:
                hedging.arm(self, attempt)  # type: ignore[arg-type]  # each of these is a Core
        return attempt

    def pass_on(self) -> None:
        """
        Take what can be had now, and leave the lines that nothing waits in any more.

        It may have been cancelled, or there is no slot for it: the next in line shall not wait
        for that.
        """
        if self.agenda:  # it may yet change what there is to start
            self.offered = True
            return
        self.offered = False
        self.calls.serve()
        waits: Collection[str] = self.calls.waits
        while self.slots_used < self.max_parallel and not self.agenda and len(self.queue):
            item = self.take()
            if item is None:
                waits = self._waits
                break
            self.outbox.append(self.start(item))
        self.wake(self.admission.leave(self.run_id, self.now, waits))

    def wake(self, runs: Iterable[str]) -> None:
        """Tell other runs that what they wait for was given back."""
        self.outbox.extend(WakeRun(run) for run in runs if run != self.run_id)

    def _end_attempt(self, s: Ended) -> bool:
        """
        Settle slot and bill.

        Returns whether what becomes of the node run hangs on this: not while a rival is under
        way, nor if it had lost against one.
        """
        attempt, usage = s.attempt, s.usage
        frame, index = attempt.frame, attempt.index
        self.slots_used -= 1
        if usage is not NOTHING_USED:
            self.book(attempt, attempt, usage)
        if attempt.reserved is not None:
            self.budget.settle(attempt.reserved, usage)
        elif usage is not NOTHING_USED:
            self.budget.settle(NO_AMOUNT, usage)
        if attempt.permit is not None:
            self.wake(self.admission.release(attempt.permit, self.now, usage))
        if attempt.hedge_due is not None:
            self.deadlines.drop(attempt.hedge_due)
        if attempt.rival is not None:
            hedging.one_ended(self, attempt, s)  # type: ignore[arg-type]  # each is a Core
            return False
        if attempt.due is not None:
            self.deadlines.drop(attempt.due)
        del frame.running[index]
        if attempt.won is not None:
            self.complete(frame, index, attempt.won.value)
            return False
        return True

    def book(self, attempt: StartAttempt, asked: StartAttempt | Call, usage: Usage) -> None:
        """Put what an exchange of an attempt used on the node run's bill and on the run's."""
        frame, index = attempt.frame, attempt.index
        source = asked.prepared.source if asked.prepared is not None else NOBODY
        self.usage += usage
        facts = frame.fact(index)
        facts.usage += usage
        bill = (attempt.number, self.models.setdefault(source, len(self.models)), usage)
        facts.bills.append(bill)
        if self.observed and frame.state[index] < _COMPLETED:
            began = asked.began - self.started
            data = exchange_told(asked.prepared, usage, asked.heard, began)
            self.emit(EventType.EXCHANGE_ENDED, frame, index, attempt.number, data)

    def on_reply_began(self, s: stimuli.ReplyBegan) -> None:
        permit = s.ticket.permit
        if permit is not None:
            self.wake(
                self.admission.heard(permit, s.now, s.rates, s.pause_seconds, refused=s.refused)
            )

    def on_sending_again(self, s: stimuli.SendingAgain) -> None:
        permit = s.ticket.permit
        if s.ticket.reserved:  # for one exchange; what is tried again is an attempt of its own
            s.granted = False
        else:
            s.granted = permit is None or self.admission.again(permit, s.now)

    def on_succeeded(self, s: stimuli.AttemptSucceeded) -> None:
        attempt = s.attempt
        if attempt.rival is not None:  # before listeners hear that the exchange has ended
            hedging.take_over(self, attempt, attempt.rival)  # type: ignore[arg-type]
        if self._end_attempt(s):
            self.complete(attempt.frame, attempt.index, s.value)

    def on_expanded(self, s: stimuli.Expanded) -> None:
        attempt = s.attempt
        if self._end_attempt(s):
            frame, index = attempt.frame, attempt.index
            if attempt.cancelling and attempt.stop_error is None:
                self.end(frame, index, State.CANCELLED)
            elif attempt.final and attempt.stop_error is not None:  # too late to open anything
                self.fail(frame, index, attempt.stop_error)
            else:
                containers.open_body(self, frame, index, s.plan, {}, None)

    def on_failed(self, s: stimuli.AttemptFailed) -> None:
        if self._end_attempt(s):
            self._attempt_failed(s.attempt, s.attempt.stop_error or s.error)

    def on_attempt_cancelled(self, s: stimuli.AttemptCancelled) -> None:
        attempt = s.attempt
        if self._end_attempt(s):
            if attempt.stop_error is not None:
                self._attempt_failed(attempt, attempt.stop_error)
            else:
                self.end(attempt.frame, attempt.index, State.CANCELLED)

    def _attempt_failed(self, attempt: StartAttempt, error: BaseException) -> None:
        """Try again later, or not at all."""
        frame, index = attempt.frame, attempt.index
        node = frame.plan.nodes[index]
        facts = frame.fact(index)
        facts.failures += 1
        facts.model_failures += 1
        facts.error = error
        if self.observed:
            self.emit(
                EventType.ATTEMPT_FAILED, frame, index, attempt.number, {"error": describe(error)}
            )
        if attempt.cancelling and attempt.stop_error is None:
            self.end(frame, index, State.CANCELLED)
            return
        retry = getattr(node, "retry", None) or node.policy.retry
        delay = None
        told: dict[str, Any] = {}
        if retry is not None and not frame.stopping and not attempt.final:
            delay = next_delay(retry, facts.model_failures, error, self.rng)
            if delay is not None and self._is_too_late(frame, index, self.now + delay):
                delay = None
            others = node.policy.fallback_models
            if delay is None and facts.model < len(others):
                told["model"] = others[facts.model]
                facts.model += 1
                facts.model_failures = 0
                delay = 0.0
        facts.retries.append(
            f"{self.now - self.started:.3f} s: attempt {attempt.number} failed: {describe(error)}"
            + ("" if delay is None else f"; next in {delay:.3f} s")
            + "".join(f", with model {model!r}" for model in told.values())
        )
        if delay is None:
            self.fail(frame, index, error)
            return
        self.move(frame, index, State.DELAYED)
        if self.observed:
            self.emit(
                EventType.NODE_RETRYING,
                frame,
                index,
                attempt.number,
                {"delay_seconds": delay, **told},
            )
        if delay > 0:
            self.deadlines.add(Due(self.now + delay, "retry", frame, index, facts.failures))
        else:
            self.make_ready(frame, index)

    def _is_too_late(self, frame: Frame, index: int, when: float) -> bool:
        """Whether a deadline will have passed by then: the node's own, or one around it."""
        while True:
            facts = frame.facts.get(index)
            if facts is not None and facts.due is not None and when >= facts.due.when:
                return True
            if frame.parent is None:
                break
            frame, index = frame.parent, frame.parent_index
        return self.timeout_seconds is not None and when >= self.started + self.timeout_seconds

    def cancel_attempt(
        self, attempt: StartAttempt, error: BaseException | None, *, final: bool = False
    ) -> None:
        for one in (attempt, attempt.rival):
            if one is None:
                continue
            one.final = one.final or final
            if not one.cancelling:
                one.cancelling = True
                one.stop_error = error
                self.outbox.append(CancelAttempt(one))
            elif error is None:
                one.stop_error = None

    def stop_run(self, error: BaseException) -> None:
        """End the whole run with an error, whatever is nested where."""
        assert self.root is not None
        containers.stop(self, self.root, error)

    def budget_exceeded(self, path: str, worst: Amount) -> None:
        """Stop the run: nothing is reserved, and the next call does not fit."""
        self.stop_run(BudgetExceededError(f"node {path!r} {self.budget.told(worst)}", path=path))


def _is_ready(item: Item) -> bool:
    state: int = item[4].state[item[3]]
    return state == _READY
