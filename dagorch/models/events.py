"""
The events of a run: one ordered stream of typed, numbered records.

Delivery is in `runner/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from dagorch.models.result import End

__all__ = ["CONTENT_FIELDS", "NODE_ENDS", "RUN_ENDS", "Event", "EventType"]


class EventType(StrEnum):
    """
    The types of event: first those of the engine, then those of an orchestrator's stream.

    The order for a node run is ready, started, tokens, (failed, retrying, started)*, one end. The
    event of an exchange comes when it ends, before the end of its attempt.
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

CONTENT_FIELDS: Final = frozenset({"messages", "reply", "tool_calls"})
"""
The fields in the data of an exchange that hold what was sent to a model and what it replied.

They are never logged. `messages` are dicts with `role` and `content`, and with `images` and
`tool_calls` if there are any; a tool call is a dict with `name` and `arguments`.
"""


class Event(NamedTuple):
    """One event of a run. A tuple, because a run makes three of them for each node run."""

    number: int
    """From 1; a gap means that a slow listener missed events."""
    seconds: float
    """Seconds since the start of the run."""
    type: EventType
    run_id: str
    path: str = ""
    """The path of the node run; empty for the run itself."""
    attempt: int = 0
    """From 1; 0 if the event concerns no attempt, as for a loop or a branch."""
    progress: float = 0.0
    """0 to 100 of the plan as far as it is known; never falls, 100 only on completion."""
    data: Mapping[str, Any] = MappingProxyType({})
    """
    Plain JSON values.

    `text` of tokens, `items` of a map, `error`, `delay_seconds`, `reason`, `input_tokens`, ...
    Tokens with `replaces_text` replace all earlier text of the attempt, because its hedge has won.
    """
