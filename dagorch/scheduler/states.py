"""
The states of a node run and every legal step between them. Only states and steps may live here.

Each node run starts pending and reaches exactly one end. `TRANSITIONS` lists every legal step: the
core takes no other, and the diagram in the docs is drawn from it.

What a node run waits for in each state, and where that is kept:

    pending     its edges: `frame.pending` counts the unresolved ones
    ready       a slot (the ready queue); first an LLM node for its request, an `Ask` for its
                question, a container for the agenda
    running     its attempt: `frame.running`; it holds a slot
    delayed     a timer; it holds no slot
    parked      a person's answer
    open        its frames or an evaluation: `frame.containers`, `frame.evaluations`; no slot
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["ENDS", "TRANSITIONS", "State"]


class State(IntEnum):
    """The state of a node run."""

    PENDING = 0
    READY = 1
    RUNNING = 2
    DELAYED = 3
    PARKED = 4
    OPEN = 5
    COMPLETED = 6
    FAILED = 7
    SKIPPED = 8
    BLOCKED = 9
    CANCELLED = 10

    @property
    def is_end(self) -> bool:
        return self >= State.COMPLETED


ENDS: Final = tuple(state for state in State if state.is_end)

TRANSITIONS: Final[dict[tuple[State, State], str]] = {
    (State.PENDING, State.READY): "its edges let it run, or its quorum is out of reach",
    (State.PENDING, State.SKIPPED): "a required edge is dead, or all are",
    (State.PENDING, State.BLOCKED): "an edge is broken",
    (State.PENDING, State.CANCELLED): "its frame stops, or nothing waits for it",
    (State.READY, State.RUNNING): "an attempt starts",
    (State.READY, State.OPEN): "a container opens, a function is called, or a fallback starts",
    (State.READY, State.PARKED): "a person is asked",
    (State.READY, State.COMPLETED): "a fallback value is used",
    (State.READY, State.FAILED): "its deadline passed, or its quorum or request is impossible",
    (State.READY, State.SKIPPED): "its call does not fit the budget",
    (State.READY, State.CANCELLED): "its frame stops, or nothing waits for it",
    (State.RUNNING, State.COMPLETED): "the attempt succeeded, or a fallback value is used",
    (State.RUNNING, State.DELAYED): "the attempt failed and is retried",
    (State.RUNNING, State.OPEN): "the attempt returned a graph, or a fallback node takes over",
    (State.RUNNING, State.FAILED): "the last attempt failed",
    (State.RUNNING, State.SKIPPED): "a call of its function does not fit the budget",
    (State.RUNNING, State.CANCELLED): "the attempt was cancelled and has ended",
    (State.DELAYED, State.READY): "the wait is over",
    (State.DELAYED, State.CANCELLED): "its frame stops, or nothing waits for it",
    (State.PARKED, State.COMPLETED): "the person answered, or a fallback value is used",
    (State.PARKED, State.OPEN): "its deadline passed and a fallback node takes over",
    (State.PARKED, State.FAILED): "its deadline passed",
    (State.PARKED, State.CANCELLED): "its frame stops, or nothing waits for it",
    (State.OPEN, State.COMPLETED): "its frames or its function gave a value, or a fallback did",
    (State.OPEN, State.SKIPPED): "the output of its frame was skipped",
    (State.OPEN, State.FAILED): "a frame or the evaluation failed, or its deadline passed",
    (State.OPEN, State.CANCELLED): "its frame stops, or nothing waits for it",
}
"""From, to, and when. Every other step is illegal."""
