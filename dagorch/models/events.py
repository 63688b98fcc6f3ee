"""
What a run tells its listeners: one ordered stream of typed, numbered records.

No delivery here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from dagorch.models.result import End

__all__ = ["CONTENT", "NODE_ENDS", "RUN_ENDS", "Event", "EventType"]


class EventType(StrEnum):
    """
    Kinds of event: the engine's own, then those of an orchestrator's stream.

    Per node run the order is ready, started, tokens, (failed, retrying, started)*, one end. An
    exchange with a model service is told of when it has ended, before its attempt has.
    """

    RUN_STARTED = "run_started"
    RUN_COMPLETED = "run_completed"
    RUN_FAILED = "run_failed"
    RUN_CANCELLED = "run_cancelled"
    NODE_READY = "node_ready"
    NODE_STARTED = "node_started"
    NODE_TOKENS = "node_tokens"
    EXCHANGE_ENDED = "exchange_ended"
    ATTEMPT_FAILED = "attempt_failed"
    NODE_RETRYING = "node_retrying"
    NODE_DOWNGRADED = "node_downgraded"
    NODE_HEDGED = "node_hedged"
    NODE_PARKED = "node_parked"
    MAP_OPENED = "map_opened"
    NODE_COMPLETED = "node_completed"
    NODE_FAILED = "node_failed"
    NODE_SKIPPED = "node_skipped"
    NODE_BLOCKED = "node_blocked"
    NODE_CANCELLED = "node_cancelled"

    TASK_STARTED = "task_started"
    SUBTASK_CREATED = "subtask_created"
    SUBTASK_COMPLETED = "subtask_completed"
    SYNTHESIS_STARTED = "synthesis_started"
    SYNTHESIS_COMPLETED = "synthesis_completed"
    TASK_COMPLETED = "task_completed"
    ERROR = "error"


NODE_ENDS: Final[Mapping[EventType, End]] = {
    EventType.NODE_COMPLETED: "completed",
    EventType.NODE_FAILED: "failed",
    EventType.NODE_SKIPPED: "skipped",
    EventType.NODE_BLOCKED: "blocked",
    EventType.NODE_CANCELLED: "cancelled",
}
"""The end of a node run, by the event that reports it."""

RUN_ENDS: Final[Mapping[EventType, End]] = {
    EventType.RUN_COMPLETED: "completed",
    EventType.RUN_FAILED: "failed",
    EventType.RUN_CANCELLED: "cancelled",
}
"""The end of a run, by its last event, which is never dropped."""

CONTENT = frozenset({"messages", "reply", "tool_calls"})
"""
In the data of an exchange, what was said to a model and by it; no log has it.

`messages` are dicts with `role` and `content`, and where there are any `images` and `tool_calls`;
a tool call is a dict with `name` and `arguments`.
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a run."""

    number: int
    """1 for the first of the run; a gap means that a slow listener missed some."""
    seconds: float
    """Since the run's start."""
    type: EventType
    run_id: str
    path: str = ""
    """The node run; empty for the run itself."""
    attempt: int = 0
    """1 for the first try; 0 where no attempt is meant, as of a loop or a branch."""
    progress: float = 0.0
    """0 to 100 over the plan as it is known; never falls, 100 only on completion."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """
    Plain JSON values.

    `text` of tokens, `items` of a map, `error`, `delay_seconds`, `reason`, `input_tokens`, ...
    Tokens with `instead` take the place of all text of that attempt so far: its hedge has
    overtaken it.
    """
