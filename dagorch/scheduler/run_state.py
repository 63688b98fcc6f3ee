"""
What the core keeps of one run: its frames, its queue, its bill; and how it tells listeners.

No decisions.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dagorch.graph.plan import Plan
from dagorch.models.events import Event, EventType
from dagorch.models.llm import LLMResponse
from dagorch.models.messages import plain_calls, plain_messages
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.scheduler.admission import Admission, Permit
from dagorch.scheduler.budget import Budget
from dagorch.scheduler.calls import NOTHING, Calls
from dagorch.scheduler.commands import (
    NOBODY,
    Command,
    Emit,
    Prepared,
    Resource,
    Source,
    StartAttempt,
)
from dagorch.scheduler.deadlines import Deadlines, Due
from dagorch.scheduler.frames import Frame
from dagorch.scheduler.ready import ReadyQueue
from dagorch.scheduler.states import State

__all__ = ["RunState", "describe", "exchange_told"]

_READY, _RUNNING, _OPEN, _COMPLETED = State.READY, State.RUNNING, State.OPEN, State.COMPLETED
_END_EVENTS = {
    State.COMPLETED: EventType.NODE_COMPLETED,
    State.FAILED: EventType.NODE_FAILED,
    State.SKIPPED: EventType.NODE_SKIPPED,
    State.BLOCKED: EventType.NODE_BLOCKED,
    State.CANCELLED: EventType.NODE_CANCELLED,
}


class RunState:
    """The memory of a `Core`; see there for the arguments."""

    # Slots: a thousand runs at once have a thousand of these, and each step reads a dozen.
    __slots__ = (
        "__weakref__", "_blocked", "_budget_line", "_comes_back", "_permit", "_rng", "_seed",
        "_waits", "admission", "agenda", "allowance",
        "budget", "calls", "cancelled", "deadlines", "ended_count", "event_number", "finished",
        "foreseen", "frames", "freeing", "late", "limits", "max_node_runs", "max_parallel",
        "models", "now", "observed", "offered", "opened", "outbox", "outcome_error", "plan",
        "progress", "queue", "root", "run_id", "serial", "slots_used", "started",
        "timeout_seconds", "usage",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        *,
        run_id: str = "run",
        max_parallel: int = 16,
        max_node_runs: int = 1_000_000,
        max_cost: Decimal | None = None,
        max_tokens: int | None = None,
        timeout_seconds: float | None = None,
        limits: Mapping[str, int] | None = None,
        admission: Admission | None = None,
        seed: int = 0,
        observed: bool = False,
        freeing: bool = False,
    ) -> None:
        self.plan = plan
        self.run_id = run_id
        self.max_parallel = max_parallel
        self.max_node_runs = max_node_runs
        self.timeout_seconds = timeout_seconds
        self.limits = {
            name: Resource(f"{run_id}/{name}", bound) for name, bound in (limits or {}).items()
        }
        self.admission = Admission() if admission is None else admission
        self.budget = Budget(max_cost, max_tokens)
        self.calls = Calls(self)  # type: ignore[arg-type]  # each is a Core, and so can do all that
        self._seed = seed
        self._rng: random.Random | None = None
        self.observed = observed
        self.freeing = freeing

        self.now = 0.0
        self.started = 0.0
        self.root: Frame | None = None
        self.frames: dict[int, Frame] = {}
        """Open frames by serial."""
        self.agenda: deque[tuple[Any, ...]] = deque()
        """Work left over when a `handle` had made its share of transitions."""
        self.allowance = 0
        self.outbox: deque[Command] = deque()
        self.queue = ReadyQueue(plan)
        self.deadlines = Deadlines()
        self.slots_used = 0
        self.serial = 0
        self.opened = 0
        self.foreseen = 0
        """Node runs of items of open maps whose turn has not come."""
        self.ended_count = 0
        self.usage: Usage = NOTHING_USED
        self.models: dict[Source, int] = {}
        """Every service and model that was paid, numbered as they came."""
        self.finished = False
        self.outcome_error: BaseException | None = None
        self.cancelled: str | None = None
        self.progress = 0.0
        self.event_number = 0
        self.late: list[StartAttempt] = []
        """Attempts that have taken so long that they are to be hedged."""
        self.offered = False
        """Set when this run may have to let others go first that stand behind it in a line."""
        self._blocked = NOTHING
        """Resources that something of better rank waits for: nobody overtakes it there."""
        self._waits = NOTHING
        """What this run stands in line for."""
        self._permit: Permit | None = None
        """Of what is about to start."""
        self._comes_back: Due | None = None
        """When to ask again for what only time is lacking for."""
        self._budget_line = False
        """Set while the first in line for money waits: nobody overtakes it."""

    @property
    def rng(self) -> random.Random:
        """The source of chance, made when a wait is first drawn: most runs never need it."""
        if self._rng is None:
            self._rng = random.Random(self._seed)
        return self._rng

    @property
    def measured(self) -> float:
        """How much has ended of what is known to come, from 0 to 99; it falls as more is known."""
        known = self.opened + self.foreseen
        return min(99.0, 100.0 * self.ended_count / known) if known else 0.0

    def observe(self) -> None:
        """Somebody listens from here on."""
        self.observed = True
        for frame in self.frames.values():
            frame.detour = True

    def give_way(self) -> None:
        """Have it looked at again in which lines this run still waits for something."""
        self.offered = True

    def tell(self, frame: Frame, index: int, to: State) -> None:
        if to >= _COMPLETED:
            data: dict[str, Any] = {"kind": frame.plan.nodes[index].kind.value}
            facts = frame.facts.get(index)
            if facts is not None:
                if facts.usage.calls:
                    data["input_tokens"] = facts.usage.input_tokens
                    data["output_tokens"] = facts.usage.output_tokens
                    data["cost_usd"] = float(facts.usage.cost_usd)
                    data |= facts.usage.parts
                if to == State.FAILED and facts.error is not None:
                    data["error"] = describe(facts.error)
            self.progress = max(self.progress, self.measured)
            self.emit(_END_EVENTS[to], frame, index, 0, data)
        elif to in (_RUNNING, _OPEN):
            facts = frame.facts.get(index)
            attempt = (facts.failures if facts is not None else 0) + 1 if to == _RUNNING else 0
            self.emit(
                EventType.NODE_STARTED,
                frame,
                index,
                attempt,
                {"kind": frame.plan.nodes[index].kind.value},
            )
        elif to == _READY and frame.times[3 * index + 1] < 0:
            self.emit(EventType.NODE_READY, frame, index, 0, {})

    def emit(
        self,
        type: EventType,
        frame: Frame | None,
        index: int,
        attempt: int,
        data: Mapping[str, Any],
    ) -> None:
        """Number an event and hand it out."""
        self.event_number += 1
        path = frame.path_of(index) if frame is not None else ""
        event = Event(
            self.event_number,
            self.now - self.started,
            type,
            self.run_id,
            path,
            attempt,
            self.progress,
            data,
        )
        self.outbox.append(Emit(event))


def describe(error: BaseException) -> str:
    """One line about an error."""
    text = str(error).strip().split("\n", 1)[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def exchange_told(
    prepared: Prepared | None, usage: Usage, heard: LLMResponse | str | None, began: float
) -> dict[str, Any]:
    """What listeners are told of an exchange; neither an answer nor an error: it was cancelled."""
    source = prepared.source if prepared is not None else NOBODY
    data: dict[str, Any] = {
        "service": source[0],
        "model": source[1],
        "began_seconds": began,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": float(usage.cost_usd),
        "estimated": usage.estimated,
        **usage.parts,
    }
    if prepared is not None:
        data["messages"] = plain_messages(prepared.request.messages)
    if isinstance(heard, LLMResponse):
        data["reply"] = heard.content
        if heard.tool_calls:
            data["tool_calls"] = plain_calls(heard.tool_calls)
        data["finish_reason"] = heard.finish_reason
        data["answered_by"] = heard.model
        if heard.request_id:
            data["request_id"] = heard.request_id
    elif heard is not None:
        data["error"] = heard
    return data
