"""
The core: stimuli in, commands out. It decides all and does nothing.

No clock, loop, thread, logging or user code here: time comes in with each stimulus, chance from
a seeded generator, and functions of the user's go out as `Evaluate`. The rules for edges are in
`propagate.py`, those for frames in `containers.py`; this file moves node runs and attempts.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from dagorch.errors import BudgetExceededError, InvariantError, NodeTimeoutError
from dagorch.graph.plan import ASK, BRANCH, LLM_CALL, MERGE, Plan
from dagorch.models.events import Event, EventType
from dagorch.models.policy import NO_FALLBACK
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.nodes.branch import Branch, labels_of
from dagorch.nodes.merge import Merge
from dagorch.scheduler import containers, stimuli
from dagorch.scheduler.admission import Admission
from dagorch.scheduler.budget import Budget
from dagorch.scheduler.calls import Calls
from dagorch.scheduler.commands import (
    CONTINUE,
    CancelAttempt,
    Command,
    Emit,
    Evaluate,
    Finish,
    Resource,
    StartAttempt,
    WakeRun,
)
from dagorch.scheduler.deadlines import Deadlines, Due
from dagorch.scheduler.frames import Frame
from dagorch.scheduler.propagate import merge_values, release
from dagorch.scheduler.ready import Item, ReadyQueue
from dagorch.scheduler.retry import next_delay
from dagorch.scheduler.states import LEGAL, State
from dagorch.scheduler.stimuli import Stimulus
from dagorch.scheduler.story import story

__all__ = ["Core"]

TRANSITIONS_PER_HANDLE: Final = 1000
_WIDTH = len(State)
_READY, _RUNNING, _OPEN, _COMPLETED = State.READY, State.RUNNING, State.OPEN, State.COMPLETED
_END_EVENTS = {
    State.COMPLETED: EventType.NODE_COMPLETED,
    State.FAILED: EventType.NODE_FAILED,
    State.SKIPPED: EventType.NODE_SKIPPED,
    State.BLOCKED: EventType.NODE_BLOCKED,
    State.CANCELLED: EventType.NODE_CANCELLED,
}


class Core:
    """
    One run of one plan, as a machine: `handle` a stimulus, then `next` until it gives None.

    Args:
        plan: What to run.
        run_id: Names the run in events and in the lines of shared resources.
        max_parallel: Slots.
        max_node_runs: Bound on node runs, those of bodies included.
        max_cost: Ceiling in dollars, or None.
        timeout_seconds: Of the run.
        limits: Bounds of the resources that policies name.
        admission: Shared by all runs of an event loop.
        seed: Of the jitter.
        observed: Whether anybody listens; if not, no event is made.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        run_id: str = "run",
        max_parallel: int = 16,
        max_node_runs: int = 1_000_000,
        max_cost: Decimal | None = None,
        timeout_seconds: float | None = None,
        limits: Mapping[str, int] | None = None,
        admission: Admission | None = None,
        seed: int = 0,
        observed: bool = False,
    ) -> None:
        self.plan = plan
        self.run_id = run_id
        self.max_parallel = max_parallel
        self.max_node_runs = max_node_runs
        self.timeout_seconds = timeout_seconds
        self.limits = {name: Resource(f"{run_id}/{name}", bound) for name, bound in (limits or {}).items()}
        self.admission = Admission() if admission is None else admission
        self.budget = Budget(max_cost)
        self.calls = Calls(self)
        self.rng = random.Random(seed)
        self.observed = observed

        self.now = 0.0
        self.started = 0.0
        self.root: Frame | None = None
        self.frames: dict[int, Frame] = {}
        """Open frames by serial."""
        self.agenda: deque[tuple[Any, ...]] = deque()
        """Work left over when a `handle` had made its share of transitions."""
        self.allowance = 0
        self.outbox: deque[Command] = deque()
        self.queue = ReadyQueue()
        self.deadlines = Deadlines()
        self.slots_used = 0
        self.serial = 0
        self.opened = 0
        self.ended_count = 0
        self.usage: Usage = NOTHING_USED
        self.loops: dict[str, tuple[tuple[Any, ...], bool]] = {}
        """Per loop: the state after each pass, and whether it converged."""
        self.finished = False
        self.outcome_error: BaseException | None = None
        self.cancelled: str | None = None
        self.progress = 0.0
        self.event_number = 0
        self._offered = False
        self._budget_line = False
        """Set while the first in line for money waits: nobody overtakes it."""

    # -- the machine ------------------------------------------------------------------------

    def handle(self, stimulus: Stimulus) -> None:
        """Take in what happened. Follow with `next()` until it gives None."""
        self.now = stimulus.now
        self.allowance = TRANSITIONS_PER_HANDLE
        HANDLERS[type(stimulus)](self, stimulus)
        agenda = self.agenda
        while agenda and self.allowance > 0:
            action = agenda.popleft()
            action[0](self, *action[1:])

    def next(self) -> Command | None:
        """Give the next command, or None if there is nothing to do until the next stimulus."""
        if self.outbox:
            return self.outbox.popleft()
        if self.agenda:
            return CONTINUE
        if self.calls.waiting:
            self.calls.serve()
        if self.slots_used < self.max_parallel:
            item = self._take()
            if item is not None:
                return self._start(item)
        if self._offered:
            self._pass_on()
        if self.outbox:
            return self.outbox.popleft()
        if not self.slots_used and not self.finished:
            self._check_quiescence()
        return None

    @property
    def has_work(self) -> bool:
        """Whether `next()` may give a command."""
        return bool(
            self.outbox
            or self.agenda
            or (self.slots_used < self.max_parallel and (self.queue.free or self.queue.waits_for_resources))
        )

    @property
    def deadline(self) -> float:
        """When to send `TimerFired`; infinity if never."""
        return self.deadlines.next

    # -- moving node runs -------------------------------------------------------------------

    def move(self, frame: Frame, index: int, to: State) -> None:
        """Take one legal step; every step of every node run is taken here."""
        now = frame.state[index]
        if not LEGAL[now * _WIDTH + to]:
            raise InvariantError(
                f"node run {frame.path_of(index)!r} cannot go from {State(now).name} to {to.name}\n"
                + "\n".join(story(self, frame, index))
            )
        frame.state[index] = to
        self.allowance -= 1
        if to >= _COMPLETED:
            frame.times[3 * index + 2] = self.now
            frame.unended -= 1
            self.ended_count += 1
            if not frame.unended:
                self.agenda.append((containers.close, frame))
        elif to == _READY:
            frame.times[3 * index] = self.now
        elif not frame.times[3 * index + 1]:
            frame.times[3 * index + 1] = self.now
        if self.observed:
            self._tell(frame, index, to)

    def make_ready(self, frame: Frame, index: int) -> None:
        """Let a node run go ahead: into the queue, or, where it makes no attempts, on at once."""
        self.move(frame, index, _READY)
        plan = frame.plan
        kind = plan.kinds[index]
        if kind < BRANCH:
            if kind == LLM_CALL:
                facts = frame.facts.get(index)
                failed = facts.error if facts is not None else None
                self.evaluate(Evaluate(frame, index, "prepare", None, frame.inputs_of(index), failed))
            else:
                self._queue(frame, index)
        elif kind == MERGE:
            node = plan.nodes[index]
            assert isinstance(node, Merge)
            self.move(frame, index, _OPEN)
            self.evaluate(Evaluate(frame, index, "reduce", node.fold, {}, merge_values(frame, index)))
        elif kind == BRANCH:
            node = plan.nodes[index]
            assert isinstance(node, Branch)
            self.move(frame, index, _OPEN)
            self.evaluate(Evaluate(frame, index, "select", node.select, frame.inputs_of(index)))
        elif kind == ASK:
            self.evaluate(Evaluate(frame, index, "question", None, frame.inputs_of(index)))
        else:
            self.agenda.append((containers.open_container, frame, index))

    def complete(self, frame: Frame, index: int, value: Any) -> None:
        """End a node run with a value."""
        frame.values[index] = value
        box = frame.containers.pop(index, None) if frame.containers else None
        if box is not None and box.recovering is not None:
            frame.fact(index).recovered_from = box.recovering
        self.end(frame, index, _COMPLETED)

    def end(self, frame: Frame, index: int, state: State) -> None:
        """End a node run and let its edges know."""
        self.move(frame, index, state)
        plan = frame.plan
        if frame.facts:
            facts = frame.facts.get(index)
            if facts is not None and facts.due is not None:
                self.deadlines.drop(facts.due)
        if state != _COMPLETED:
            frame.containers.pop(index, None)
        if not frame.stopping and plan.out_edges[index]:
            if state == _COMPLETED and plan.plain[index] and not self.agenda:
                release(self, frame, index)
            else:
                self.agenda.append((release, frame, index))

    def fail(self, frame: Frame, index: int, error: BaseException) -> None:
        """End a node run that has no attempt left: a fallback, or failure with what the policy says."""
        policy = frame.plan.nodes[index].policy
        box = frame.containers.get(index)
        recovering = box is not None and box.recovering is not None
        facts = frame.fact(index)
        facts.error = error
        if not frame.stopping and not recovering and policy.fallback is not NO_FALLBACK:
            plan = frame.plan.fallbacks.get(index)
            if plan is not None:
                containers.open_body(self, frame, index, plan, frame.inputs_of(index), error)
            else:
                facts.recovered_from = error
                self.complete(frame, index, policy.fallback)
            return
        self.end(frame, index, State.FAILED)
        if policy.on_error == "fail" and not frame.stopping:
            containers.stop(self, frame, error)

    def cancel(self, frame: Frame, index: int) -> None:
        """Make an unended node run end; a running attempt is told to stop and keeps its slot till then."""
        state = frame.state[index]
        if state == _RUNNING:
            self._cancel_attempt(frame.running[index], None)
        elif state == _OPEN and index in frame.containers:
            containers.stop_container(self, frame, index)
        else:
            frame.tickets.pop(index, None)
            self.end(frame, index, State.CANCELLED)

    def container_stopped(self, frame: Frame, index: int) -> None:
        """End a node run whose frames have all been stopped."""
        box = frame.containers[index]
        if box.stop_error is not None:
            self.fail(frame, index, box.stop_error)
        else:
            self.end(frame, index, State.CANCELLED)

    def evaluate(self, ticket: Evaluate) -> None:
        """Ask for a function of the user's to be called."""
        ticket.frame.tickets[ticket.index] = ticket
        self.outbox.append(ticket)

    # -- starting ---------------------------------------------------------------------------

    def _queue(self, frame: Frame, index: int) -> None:
        plan = frame.plan
        priority = plan.priorities.get(index, frame.priority) if plan.priorities else frame.priority
        item = (-priority, plan.neg_rank[index] - frame.tail, frame.serial, index, frame)
        if plan.limited[index] or plan.kinds[index] == LLM_CALL:
            self.queue.push(item, tuple(r.name for r in self._resources(frame, index)))
        else:
            self.queue.push(item)

    def _resources(self, frame: Frame, index: int) -> tuple[Resource, ...]:
        names = frame.plan.nodes[index].policy.resources
        needed = tuple(self.limits[name] for name in names)
        facts = frame.facts.get(index)
        if facts is not None and facts.prepared is not None and facts.prepared.resource is not None:
            needed += (facts.prepared.resource,)
        return needed

    def _take(self) -> Item | None:
        self._budget_line = self.calls.waits_for_money
        return self.queue.pop(_is_ready, self._admit)

    def _admit(self, item: Item) -> bool:
        """Whether an attempt that needs more than a slot may start now; if so, all of it is taken."""
        frame, index = item[4], item[3]
        facts = frame.facts.get(index)
        worst = facts.prepared.worst_case_usd if facts is not None and facts.prepared is not None else None
        if worst:
            if self._budget_line:
                return False
            if not self.budget.reserve(worst):
                self._budget_line = True
                if not self.budget.reserved:
                    self.budget_exceeded(frame.path_of(index), worst)
                return False
        if self.admission.acquire(self.run_id, self._resources(frame, index)):
            return True
        if worst:
            self.budget.settle(worst, Decimal(0))
        return False

    def _start(self, item: Item) -> StartAttempt:
        frame, index = item[4], item[3]
        plan = frame.plan
        self.move(frame, index, _RUNNING)
        self.slots_used += 1
        attempt = StartAttempt(frame, index, 1, frame.inputs_of(index))
        attempt.started = self.now
        frame.running[index] = attempt
        if plan.limited[index] or plan.kinds[index] == LLM_CALL:
            facts = frame.fact(index)
            attempt.number = facts.failures + 1
            attempt.resources = self._resources(frame, index)
            attempt.prepared = facts.prepared
            if attempt.prepared is not None and attempt.prepared.worst_case_usd:
                attempt.reserved = attempt.prepared.worst_case_usd
            seconds = plan.nodes[index].policy.attempt_timeout_seconds
            if seconds is not None:
                attempt.due = self.deadlines.add(Due(self.now + seconds, "attempt", frame, index, attempt))
            self.arm_node(frame, index)
        return attempt

    def arm_node(self, frame: Frame, index: int) -> None:
        """Set a node run's own deadline when it first starts or opens."""
        seconds = frame.plan.nodes[index].policy.timeout_seconds
        if seconds is not None:
            facts = frame.fact(index)
            if facts.due is None:
                facts.due = self.deadlines.add(Due(self.now + seconds, "node", frame, index))

    def _pass_on(self) -> None:
        """Another run's resource was offered and not taken: let the next in line have it."""
        self._offered = False
        self.wake(self.admission.withdraw(self.run_id))
        if self.slots_used < self.max_parallel and self.queue.waits_for_resources:
            item = self._take()
            if item is not None:
                self.outbox.appendleft(self._start(item))

    def wake(self, runs: list[str]) -> None:
        """Tell other runs that what they wait for was given back."""
        self.outbox.extend(WakeRun(run) for run in runs if run != self.run_id)

    # -- attempts end -----------------------------------------------------------------------

    def _end_attempt(self, attempt: StartAttempt, usage: Usage) -> bool:
        """Settle slot and bill. Returns whether the node run is still this attempt's."""
        frame, index = attempt.frame, attempt.index
        self.slots_used -= 1
        if usage is not NOTHING_USED:
            self.book(frame, index, usage)
        if attempt.reserved is not None:
            self.budget.settle(attempt.reserved, usage.cost_usd)
        elif usage is not NOTHING_USED:
            self.budget.settle(Decimal(0), usage.cost_usd)
        if attempt.resources:
            self.wake(self.admission.release(attempt.resources))
        if attempt.due is not None:
            self.deadlines.drop(attempt.due)
        return frame.running.pop(index, None) is attempt

    def book(self, frame: Frame, index: int, usage: Usage) -> None:
        """Put what was used on the node run's bill and on the run's."""
        self.usage += usage
        facts = frame.fact(index)
        facts.usage += usage

    def _succeeded(self, s: stimuli.AttemptSucceeded) -> None:
        attempt = s.attempt
        if self._end_attempt(attempt, s.usage):
            self.complete(attempt.frame, attempt.index, s.value)

    def _expanded(self, s: stimuli.Expanded) -> None:
        attempt = s.attempt
        if self._end_attempt(attempt, s.usage):
            frame, index = attempt.frame, attempt.index
            if attempt.cancelling and attempt.stop_error is None:
                self.end(frame, index, State.CANCELLED)
            else:
                containers.open_body(self, frame, index, s.plan, {}, None)

    def _failed(self, s: stimuli.AttemptFailed) -> None:
        if self._end_attempt(s.attempt, s.usage):
            self._attempt_failed(s.attempt, s.attempt.stop_error or s.error)

    def _attempt_cancelled(self, s: stimuli.AttemptCancelled) -> None:
        attempt = s.attempt
        if self._end_attempt(attempt, s.usage):
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
        facts.error = error
        if self.observed:
            self.emit(EventType.ATTEMPT_FAILED, frame, index, attempt.number, {"error": describe(error)})
        if attempt.cancelling and attempt.stop_error is None:
            self.end(frame, index, State.CANCELLED)
            return
        retry = getattr(node, "retry", None) or node.policy.retry
        delay = None
        if retry is not None and not frame.stopping and not attempt.final:
            delay = next_delay(retry, facts.failures, error, self.rng)
            if delay is not None and facts.due is not None and self.now + delay >= facts.due.when:
                delay = None
        facts.retries.append(
            f"{self.now - self.started:.3f} s: attempt {attempt.number} failed: {describe(error)}"
            + ("" if delay is None else f"; next in {delay:.3f} s")
        )
        if delay is None:
            self.fail(frame, index, error)
            return
        self.move(frame, index, State.DELAYED)
        if self.observed:
            self.emit(EventType.NODE_RETRYING, frame, index, attempt.number, {"delay_seconds": delay})
        if delay > 0:
            self.deadlines.add(Due(self.now + delay, "retry", frame, index, facts.failures))
        else:
            self.make_ready(frame, index)

    def _cancel_attempt(self, attempt: StartAttempt, error: BaseException | None, *, final: bool = False) -> None:
        attempt.final = attempt.final or final
        if not attempt.cancelling:
            attempt.cancelling = True
            attempt.stop_error = error
            self.outbox.append(CancelAttempt(attempt))
        elif error is None:
            attempt.stop_error = None

    # -- the other stimuli ------------------------------------------------------------------

    def _run_started(self, s: stimuli.RunStarted) -> None:
        self.started = s.now
        if self.observed:
            self.emit(EventType.RUN_STARTED, None, 0, 0, {"graph": self.plan.name, "nodes": self.plan.size})
        self.root = containers.open_frame(self, self.plan, dict(s.inputs), None, 0, None)
        if self.timeout_seconds is not None:
            self.deadlines.add(Due(s.now + self.timeout_seconds, "run", self.root, 0))

    def _evaluated(self, s: stimuli.Evaluated) -> None:
        ticket = s.ticket
        frame, index = ticket.frame, ticket.index
        if frame.tickets.get(index) is not ticket:
            return
        del frame.tickets[index]
        if ticket.purpose == "reduce":
            self.complete(frame, index, s.value)
        elif ticket.purpose == "select":
            self._selected(frame, index, s.value)
        elif ticket.purpose == "prepare":
            frame.fact(index).prepared = s.value
            self._queue(frame, index)
        elif ticket.purpose == "question":
            self.move(frame, index, State.PARKED)
            self.arm_node(frame, index)
            if self.observed:
                self.emit(EventType.NODE_PARKED, frame, index, 0, {"question": s.value})
        else:
            containers.evaluated(self, ticket, s.value)

    def _selected(self, frame: Frame, index: int, value: Any) -> None:
        node = frame.plan.nodes[index]
        assert isinstance(node, Branch)
        try:
            labels = labels_of(node, value)
        except ValueError as error:
            self.fail(frame, index, error)
            return
        frame.fact(index).picked = labels
        self.complete(frame, index, labels[0] if len(labels) == 1 else labels)

    def _evaluation_failed(self, s: stimuli.EvaluationFailed) -> None:
        ticket = s.ticket
        if ticket.frame.tickets.get(ticket.index) is ticket:
            del ticket.frame.tickets[ticket.index]
            self.fail(ticket.frame, ticket.index, s.error)

    def _timer_fired(self, s: stimuli.TimerFired) -> None:
        while (due := self.deadlines.pop(s.now)) is not None:
            frame, index = due.frame, due.index
            if due.purpose == "run":
                self.stop_run(
                    NodeTimeoutError(f"the run took longer than its timeout_seconds={self.timeout_seconds:g}")
                )
            elif due.purpose == "retry":
                if frame.state[index] == State.DELAYED and frame.facts[index].failures == due.subject:
                    self.make_ready(frame, index)
            elif frame.state[index] < _COMPLETED:
                self._timed_out(frame, index, due)

    def _timed_out(self, frame: Frame, index: int, due: Due) -> None:
        node, path = frame.plan.nodes[index], frame.path_of(index)
        if due.purpose == "attempt":
            seconds = node.policy.attempt_timeout_seconds or 0.0
            text = f"attempt {due.subject.number} of node {path!r} took longer than "
            error = NodeTimeoutError(f"{text}attempt_timeout_seconds={seconds:g}", path=path)
            self._cancel_attempt(due.subject, error)
            return
        seconds = node.policy.timeout_seconds or 0.0
        error = NodeTimeoutError(f"node {path!r} took longer than timeout_seconds={seconds:g}", path=path)
        state = frame.state[index]
        if state == _RUNNING:
            self._cancel_attempt(frame.running[index], error, final=True)
        elif state == _OPEN and index in frame.containers:
            box = frame.containers[index]
            if not box.stopping:
                box.stop_error = error
                containers.stop_container(self, frame, index)
        else:
            frame.tickets.pop(index, None)
            self.fail(frame, index, error)

    def _run_cancelled(self, s: stimuli.RunCancelled) -> None:
        if self.cancelled is None and not self.finished and self.outcome_error is None:
            self.cancelled = s.reason
        if self.root is not None:
            containers.stop(self, self.root, None)

    def stop_run(self, error: BaseException) -> None:
        """End the whole run with an error, whatever is nested where."""
        assert self.root is not None
        containers.stop(self, self.root, error)

    def budget_exceeded(self, path: str, worst: Decimal) -> None:
        """Stop the run: nothing is reserved, and the next call does not fit."""
        self.stop_run(
            BudgetExceededError(
                f"node {path!r} could cost up to ${worst}, but of max_cost=${self.budget.ceiling} "
                f"${self.budget.spent} are spent; raise max_cost or lower max_tokens",
                path=path,
            )
        )

    def parked(self) -> dict[str, tuple[Frame, int]]:
        """The node runs that wait for a person, by path."""
        return {
            frame.path_of(index): (frame, index)
            for frame in self.frames.values()
            for index in range(frame.plan.size)
            if frame.state[index] == State.PARKED
        }

    def _answered(self, s: stimuli.Answered) -> None:
        place = self.parked().get(s.path)
        if place is not None:
            self.complete(*place, s.value)

    def _tokens(self, s: stimuli.TokensArrived) -> None:
        attempt = s.attempt
        if self.observed and not attempt.cancelling:
            self.emit(EventType.NODE_TOKENS, attempt.frame, attempt.index, attempt.number, {"text": s.text})

    def _continued(self, s: stimuli.Continued) -> None:
        """Nothing: `handle` goes on with the agenda."""

    def _resource_freed(self, s: stimuli.ResourceFreed) -> None:
        self._offered = True

    def finish(self, root: Frame) -> None:
        """The root frame has closed: the run is over."""
        self.finished = True
        self.outcome_error = root.stop_error
        self.wake(self.admission.withdraw(self.run_id))
        if self.cancelled is not None:
            kind, data = EventType.RUN_CANCELLED, {"reason": self.cancelled}
        elif root.stop_error is not None:
            kind, data = EventType.RUN_FAILED, {"error": describe(root.stop_error)}
        else:
            kind, data = EventType.RUN_COMPLETED, {}
            self.progress = 100.0
        if self.observed:
            self.emit(kind, None, 0, 0, data)
        self.outbox.append(Finish())

    # -- telling ----------------------------------------------------------------------------

    def _tell(self, frame: Frame, index: int, to: State) -> None:
        if to >= _COMPLETED:
            data: dict[str, Any] = {"kind": frame.plan.nodes[index].kind.value}
            facts = frame.facts.get(index)
            if facts is not None:
                if facts.usage.calls:
                    data["input_tokens"] = facts.usage.input_tokens
                    data["output_tokens"] = facts.usage.output_tokens
                    data["cost_usd"] = float(facts.usage.cost_usd)
                if to == State.FAILED and facts.error is not None:
                    data["error"] = describe(facts.error)
            self.progress = max(self.progress, min(99.0, 100.0 * self.ended_count / self.opened))
            self.emit(_END_EVENTS[to], frame, index, 0, data)
        elif to in (_RUNNING, _OPEN):
            facts = frame.facts.get(index)
            attempt = (facts.failures if facts is not None else 0) + 1
            self.emit(EventType.NODE_STARTED, frame, index, attempt, {"kind": frame.plan.nodes[index].kind.value})
        elif to == _READY and not frame.times[3 * index + 1]:
            self.emit(EventType.NODE_READY, frame, index, 0, {})

    def emit(
        self, type: EventType, frame: Frame | None, index: int, attempt: int, data: Mapping[str, Any]
    ) -> None:
        """Number an event and hand it out."""
        self.event_number += 1
        path = frame.path_of(index) if frame is not None else ""
        event = Event(
            self.event_number, self.now - self.started, type, self.run_id, path, attempt, self.progress, data
        )
        self.outbox.append(Emit(event))

    def _check_quiescence(self) -> None:
        """A run with nothing to wait for must have ended."""
        if len(self.queue) or self.deadlines or self.calls.waiting or self.root is None:
            return
        for frame in self.frames.values():
            if frame.tickets or State.PARKED in frame.state:
                return
        for frame in self.frames.values():
            for index in range(frame.plan.size):
                if frame.state[index] < _COMPLETED and index not in frame.containers:
                    raise InvariantError(
                        f"nothing is left to wait for, but {frame.path_of(index)!r} has not ended\n"
                        + "\n".join(story(self, frame, index))
                    )


def _is_ready(item: Item) -> bool:
    return item[4].state[item[3]] == _READY


def describe(error: BaseException) -> str:
    """One line about an error."""
    text = str(error).strip().split("\n", 1)[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


HANDLERS: Final[dict[type[Stimulus], Callable[[Core, Any], None]]] = {
    stimuli.RunStarted: Core._run_started,
    stimuli.AttemptSucceeded: Core._succeeded,
    stimuli.Expanded: Core._expanded,
    stimuli.AttemptFailed: Core._failed,
    stimuli.AttemptCancelled: Core._attempt_cancelled,
    stimuli.Evaluated: Core._evaluated,
    stimuli.EvaluationFailed: Core._evaluation_failed,
    stimuli.TimerFired: Core._timer_fired,
    stimuli.Continued: Core._continued,
    stimuli.RunCancelled: Core._run_cancelled,
    stimuli.ResourceFreed: Core._resource_freed,
    stimuli.Answered: Core._answered,
    stimuli.TokensArrived: Core._tokens,
    stimuli.CallRequested: lambda core, s: core.calls.requested(s.call),
    stimuli.CallEnded: lambda core, s: core.calls.ended(s.call, s.usage),
}
