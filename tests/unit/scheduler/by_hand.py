"""
A core driven step by step by a test, as a runner would: evaluations at once, attempts when the
test ends them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from dagorch import Graph
from dagorch.graph.plan import LLM_CALL
from dagorch.models.usage import NOTHING_USED, Amount, Usage
from dagorch.scheduler import stimuli
from dagorch.scheduler.admission import Resource
from dagorch.scheduler.commands import (
    CancelAttempt,
    Command,
    Continue,
    Evaluate,
    StartAttempt,
    Waiting,
)
from dagorch.scheduler.core import Core
from dagorch.scheduler.invariants import check
from dagorch.scheduler.records import Call, Frame, Prepared, Purpose
from dagorch.scheduler.states import State

__all__ = ["ByHand", "cost"]


def cost(usd: str) -> Usage:
    return Usage(input_tokens=10, output_tokens=5, cost_usd=Decimal(usd), calls=1)


class ByHand:
    """
    Args:
        graph: What to run.
        price: The worst case of every LLM attempt, in dollars.
        resource: What every LLM attempt holds.
        options: For `Core`.
    """

    def __init__(
        self, graph: Graph, *, price: str = "0", resource: Resource | None = None, **options: Any
    ) -> None:
        self.core = Core(graph.compile(), **options)
        self.price = Decimal(price)
        self.resource = resource
        self.now = 10.0
        self.commands: list[Command] = []
        self.running: dict[str, StartAttempt] = {}
        self.cancelling: list[str] = []
        self.others: list[Command] = []
        """Commands that the test must check itself."""

    def start(self, **inputs: Any) -> ByHand:
        return self.tell(stimuli.RunStarted(inputs, self.now))

    def tell(self, stimulus: stimuli.Stimulus) -> ByHand:
        """Hand the core a stimulus, check it, and carry out its commands."""
        self.core.handle(stimulus)
        check(self.core)
        return self.drain()

    def request(self, call: Call) -> ByHand:
        """Ask the core for a call; an answer at once counts as a command."""
        answer = self.core.request_call(call, self.now)
        check(self.core)
        if not isinstance(answer, Waiting):
            self.others.append(answer)
        return self.drain()

    def drain(self) -> ByHand:
        """Carry out the core's commands until there is none."""
        while (command := self.core.next()) is not None:
            check(self.core)
            self.commands.append(command)
            if isinstance(command, StartAttempt):
                self.running[_name(command)] = command
            elif isinstance(command, CancelAttempt):
                self.cancelling.append(_name(command.attempt))
            elif isinstance(command, Evaluate):
                self.core.handle(self._evaluated(command))
                check(self.core)
            elif isinstance(command, Continue):
                self.core.handle(stimuli.Continued(self.now))
                check(self.core)
            else:
                self.others.append(command)
        check(self.core)
        return self

    def _evaluated(self, ticket: Evaluate) -> stimuli.Stimulus:
        try:
            if ticket.purpose is Purpose.PREPARE:
                value: Any = Prepared("request", None, self.resource, Amount(self.price))
            elif ticket.purpose is Purpose.QUESTION:
                value = "?"
            elif ticket.purpose is Purpose.SELECT:
                assert ticket.function is not None
                value = ticket.function(**ticket.inputs)
            else:
                assert ticket.function is not None
                value = ticket.function(ticket.argument)
        except Exception as error:
            return stimuli.EvaluationFailed(ticket, error, self.now)
        return stimuli.Evaluated(ticket, value, self.now)

    # -- how attempts end --------------------------------------------------------------------

    def succeed(self, path: str, value: Any = None, usage: Usage = NOTHING_USED) -> ByHand:
        return self.tell(stimuli.AttemptSucceeded(self.running.pop(path), value, self.now, usage))

    def fail(
        self, path: str, error: BaseException | None = None, usage: Usage = NOTHING_USED
    ) -> ByHand:
        attempt = self.running.pop(path)
        return self.tell(stimuli.AttemptFailed(attempt, error or OSError("no"), self.now, usage))

    def stopped(self, path: str, usage: Usage = NOTHING_USED) -> ByHand:
        """End an attempt that was asked to stop."""
        self.cancelling.remove(path)
        return self.tell(stimuli.AttemptCancelled(self.running.pop(path), self.now, usage))

    def expand(self, path: str, graph: Graph) -> ByHand:
        return self.tell(stimuli.Expanded(self.running.pop(path), graph.compile(), self.now))

    def wait(self, seconds: float) -> ByHand:
        """Let time pass; timers fire on the way."""
        end = self.now + seconds
        while self.core.next_timer_at <= end:
            self.now = self.core.next_timer_at
            self.tell(stimuli.TimerFired(self.now))
        self.now = end
        return self

    # -- what is seen ------------------------------------------------------------------------

    @property
    def root(self) -> Frame:
        assert self.core.root is not None
        return self.core.root

    def state(self, id: str) -> State:
        """Where a node run of the root frame stands."""
        return State(self.root.state[self.core.plan.index(id)])

    def value(self, id: str) -> Any:
        return self.root.values[self.core.plan.index(id)]

    def index(self, id: str) -> int:
        return self.core.plan.index(id)

    @property
    def is_llm(self) -> bool:
        return LLM_CALL in self.core.plan.kinds


def _name(attempt: StartAttempt) -> str:
    """The name of an attempt in a test: its path; of a hedge, `ask hedge`."""
    return f"{attempt.path} hedge" if attempt.is_hedge else attempt.path
