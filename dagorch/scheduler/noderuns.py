"""
Moving node runs: ready, open, and to their one end.

Attempts are `attempting.py`'s, edges `propagate.py`'s.
"""

from __future__ import annotations

from typing import Any

from dagorch.errors import InvariantError
from dagorch.graph.plan import ASK, BRANCH, LLM_CALL, MERGE
from dagorch.models.events import EventType
from dagorch.models.policy import NO_FALLBACK
from dagorch.nodes.branch import Branch, labels_of
from dagorch.nodes.merge import Merge
from dagorch.scheduler import containers, stimuli
from dagorch.scheduler.commands import Evaluate, StartAttempt
from dagorch.scheduler.deadlines import Due
from dagorch.scheduler.frames import Frame
from dagorch.scheduler.propagate import merge_values, release
from dagorch.scheduler.run_state import RunState
from dagorch.scheduler.states import LEGAL, State
from dagorch.scheduler.story import story

__all__ = ["NodeRuns"]

_WIDTH = len(State)
_PENDING = State.PENDING
_READY, _RUNNING, _OPEN, _COMPLETED = State.READY, State.RUNNING, State.OPEN, State.COMPLETED


class NodeRuns(RunState):
    """What happens to node runs, whatever their kind."""

    __slots__ = ()

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
            if frame.times[3 * index] < 0:
                frame.times[3 * index] = self.now
        elif frame.times[3 * index + 1] < 0:
            frame.times[3 * index + 1] = self.now
        elif to == _OPEN:
            return  # for an expansion or a fallback: listeners know that it has started
        if self.observed and not (now == _RUNNING and to == _OPEN):  # it has started already
            self.tell(frame, index, to)

    def make_ready(self, frame: Frame, index: int) -> None:
        """Let a node run go ahead: into the queue, or, where it makes no attempts, on at once."""
        plan = frame.plan
        kind = plan.kinds[index]
        if (
            plan.slot_only[index] and not self.observed and frame.state[index] == _PENDING
        ):  # most of a wide fan, and so without the calls in between
            frame.state[index] = _READY
            frame.times[3 * index] = self.now
            self.allowance -= 1
            self.queue.push_plain(frame, index)
            return
        self.move(frame, index, _READY)
        if kind < BRANCH:
            if kind == LLM_CALL:
                facts = frame.facts.get(index)
                model = facts.model if facts is not None else 0
                failed = facts.error if facts is not None and facts.model_failures else None
                inputs = frame.inputs_of(index)
                self.evaluate(Evaluate(frame, index, "prepare", None, inputs, (model, failed)))
            else:
                self.enqueue(frame, index)
        elif kind == MERGE:
            node = plan.nodes[index]
            assert isinstance(node, Merge)
            self.move(frame, index, _OPEN)
            self.evaluate(
                Evaluate(frame, index, "reduce", node.fold, {}, merge_values(frame, index))
            )
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
        if frame.readers is not None:
            frame.let_go(index)
        if not frame.stopping and plan.out_edges[index]:
            if state == _COMPLETED and plan.unconditional[index] and not self.agenda:
                release(self, frame, index)
            else:
                self.agenda.append((release, frame, index))

    def fail(self, frame: Frame, index: int, error: BaseException) -> None:
        """
        End a node run that has no attempt left.

        A fallback, or failure with what the policy says.
        """
        policy = frame.plan.nodes[index].policy
        box = frame.containers.get(index)
        recovering = box is not None and box.recovering is not None
        if box is not None:
            box.leave()
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
        """
        Make an unended node run end.

        A running attempt is told to stop and keeps its slot till then.
        """
        state = frame.state[index]
        if state == _RUNNING:
            self.cancel_attempt(frame.running[index], None)
        elif state == _OPEN and index in frame.containers:
            containers.stop_container(self, frame, index)
        else:
            frame.tickets.pop(index, None)
            if state == _READY and frame.plan.needs_policy[index]:
                self.give_way()
            self.end(frame, index, State.CANCELLED)

    def container_stopped(self, frame: Frame, index: int) -> None:
        """End a node run whose frames have all been stopped."""
        box = frame.containers[index]
        if box.stop_error is not None:
            self.fail(frame, index, box.stop_error)
        else:
            box.leave()
            self.end(frame, index, State.CANCELLED)

    def evaluate(self, ticket: Evaluate) -> None:
        """Ask for a function of the user's to be called."""
        ticket.frame.tickets[ticket.index] = ticket
        self.outbox.append(ticket)

    def on_evaluated(self, s: stimuli.Evaluated) -> None:
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
            self.enqueue(frame, index)
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

    def on_evaluation_failed(self, s: stimuli.EvaluationFailed) -> None:
        ticket = s.ticket
        if ticket.frame.tickets.get(ticket.index) is ticket:
            del ticket.frame.tickets[ticket.index]
            self.fail(ticket.frame, ticket.index, s.error)

    def parked(self) -> dict[str, tuple[Frame, int]]:
        """The node runs that wait for a person, by path."""
        return {
            frame.path_of(index): (frame, index)
            for frame in self.frames.values()
            for index in range(frame.plan.size)
            if frame.state[index] == State.PARKED
        }

    def on_answered(self, s: stimuli.Answered) -> None:
        place = self.parked().get(s.path)
        if place is not None:
            self.complete(*place, s.value)

    def arm_node(self, frame: Frame, index: int) -> None:
        """Set a node run's own deadline when it first starts or opens."""
        seconds = frame.plan.nodes[index].policy.timeout_seconds
        if seconds is not None:
            facts = frame.fact(index)
            if facts.due is None:
                facts.due = self.deadlines.add(Due(self.now + seconds, "node", frame, index))

    def enqueue(self, frame: Frame, index: int) -> None:
        """Let a node run wait for a slot."""
        raise NotImplementedError

    def cancel_attempt(
        self, attempt: StartAttempt, error: BaseException | None, *, final: bool = False
    ) -> None:
        """Tell a running attempt to stop."""
        raise NotImplementedError

    def finish(self, root: Frame) -> None:
        """The root frame has closed: the run is over."""
        raise NotImplementedError
