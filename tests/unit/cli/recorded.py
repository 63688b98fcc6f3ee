"""Hand-made events of a run, for the displays."""

from __future__ import annotations

from typing import Any

from dagorch import LLM, Graph
from dagorch.models.events import Event, EventType


class EventMaker:
    """Makes events with rising numbers."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(
        self, seconds: float, type: EventType, path: str = "", attempt: int = 0, **data: Any
    ) -> Event:
        self.number += 1
        return Event(self.number, seconds, type, "run", path, attempt, 0.0, data)


def cascade() -> Graph:
    """The graph of `cascade_events`."""
    graph = Graph("dream cascade")
    plan = graph.add(LLM("decompose", prompt="x"))
    found = [graph.add(LLM(f"belter_{i}", prompt="{plan}"), plan=plan) for i in (1, 2, 3)]
    read = graph.add(LLM("drummer_1", prompt="{a} {b} {c}"), a=found[0], b=found[1], c=found[2])
    graph.add(LLM("camina_1", prompt="{read}"), read=read)
    return graph


def cascade_events() -> list[Event]:
    """A small cascade: one agent retried, one failed, one still writing."""
    make = EventMaker()
    kind = EventType
    return [
        make(0.0, kind.RUN_STARTED),
        make(0.0, kind.NODE_READY, "decompose"),
        make(0.0, kind.NODE_STARTED, "decompose", 1, kind="llm"),
        make(0.4, kind.NODE_TOKENS, "decompose", 1, text='{"questions": ["How?", "Why?"]}'),
        make(
            1.5, kind.NODE_COMPLETED, "decompose", kind="llm",
            input_tokens=60, output_tokens=40, cost_usd=0.0012,
        ),
        make(1.5, kind.NODE_STARTED, "belter_1", 1, kind="llm"),
        make(1.5, kind.NODE_STARTED, "belter_2", 1, kind="llm"),
        make(1.5, kind.NODE_STARTED, "belter_3", 1, kind="llm"),
        make(2.0, kind.ATTEMPT_FAILED, "belter_1", 1, error="OverloadedError: busy"),
        make(2.0, kind.NODE_RETRYING, "belter_1", 1, delay_seconds=3.2),
        make(2.5, kind.NODE_TOKENS, "belter_2", 1, text="Bees dance \x1b[31mto tell\x07\n "),
        make(2.6, kind.NODE_TOKENS, "belter_2", 1, text="the way home."),
        make(3.0, kind.NODE_FAILED, "belter_3", kind="llm", error="AuthenticationError: bad key"),
        make(3.0, kind.NODE_BLOCKED, "drummer_1", kind="llm"),
    ]  # fmt: skip
