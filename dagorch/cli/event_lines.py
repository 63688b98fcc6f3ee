"""What an event says of a node run, in plain words on one line, for whoever has no live display."""

from __future__ import annotations

from typing import Final

from dagorch.exporters.pictures.captions import plural
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.clean import one_line
from dagorch.models.events import NODE_ENDS, Event, EventType

__all__ = ["Teller"]

_QUIET_KINDS: Final = frozenset({"merge", "branch"})
"""Their start is of no interest: they take no time."""


class Teller:
    """
    Puts a run's events into words, one after the other.

    Example:
        >>> tell = Teller()
        >>> tell(Event(1, 0.0, EventType.NODE_STARTED, "r", "ask", 1))
        '[    0.0 s] ask started'
        >>> bill = {"input_tokens": 60, "output_tokens": 40, "cost_usd": 0.0012}
        >>> tell(Event(2, 1.5, EventType.NODE_COMPLETED, "r", "ask", data=bill))
        '[    1.5 s] ask completed (1.5 s, 100 tokens, $0.0012)'
    """

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        """By path, of what is under way."""

    def __call__(self, event: Event) -> str:
        """Give the line; empty if the event is not worth one."""
        text = self._said(event)
        return f"[{event.seconds:7.1f} s] {one_line(f'{event.path} {text}')}" if text else ""

    def _said(self, event: Event) -> str:
        kind, data = event.type, event.data
        if kind is EventType.NODE_STARTED:
            self._started.setdefault(event.path, event.seconds)
            if data.get("kind") in _QUIET_KINDS:
                return ""
            return f"started, try {event.attempt}" if event.attempt > 1 else "started"
        if kind is EventType.MAP_OPENED:
            return f"has {plural(data['items'], 'item')}"
        if kind is EventType.ATTEMPT_FAILED:
            return f"try {event.attempt} failed: {data.get('error', '')}"
        if kind is EventType.NODE_PARKED:
            return "waits for an answer"
        return self._ended(event) if kind in NODE_ENDS else ""

    def _ended(self, event: Event) -> str:
        data = event.data
        began = self._started.pop(event.path, None)
        parts = []
        if began is not None and data.get("kind") not in _QUIET_KINDS:
            parts.append(format_duration(event.seconds - began))
        if spent := data.get("input_tokens", 0) + data.get("output_tokens", 0):
            parts.append(f"{spent:,} tokens")
        if data.get("cost_usd"):
            parts.append(format_cost(data["cost_usd"]))
        told = NODE_ENDS[event.type] + (f" ({', '.join(parts)})" if parts else "")
        return f"{told}: {data['error']}" if data.get("error") else told
