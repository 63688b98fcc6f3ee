"""Formats events as plain lines, for output that is not a terminal."""

from __future__ import annotations

from typing import Final

from dagorch.exporters.pictures.captions import plural
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.clean import one_line
from dagorch.models.events import NODE_ENDS, Event, EventType

__all__ = ["EventFormatter"]

_INSTANT_KINDS: Final = frozenset({"merge", "branch"})
"""Kinds that take no time, so that their start needs no line."""


class EventFormatter:
    """
    Formats the events of one run, in their order.

    Example:
        >>> line_of = EventFormatter()
        >>> line_of(Event(1, 0.0, EventType.NODE_STARTED, "r", "ask", 1))
        '[    0.0 s] ask started'
        >>> bill = {"input_tokens": 60, "output_tokens": 40, "cost_usd": 0.0012}
        >>> line_of(Event(2, 1.5, EventType.NODE_COMPLETED, "r", "ask", data=bill))
        '[    1.5 s] ask completed (1.5 s, 100 tokens, $0.0012)'
    """

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        """The start of each node run that has not ended, by path."""
        self._errors: dict[str, str] = {}
        """The error of the last attempt of each node run that has not ended, by path."""

    def __call__(self, event: Event) -> str:
        """Return the line of an event; empty if it needs none."""
        text = self._describe(event)
        return f"[{event.seconds:7.1f} s] {one_line(f'{event.path} {text}')}" if text else ""

    def _describe(self, event: Event) -> str:
        type, data = event.type, event.data
        if type is EventType.NODE_STARTED:
            self._started.setdefault(event.path, event.seconds)
            if data.get("kind") in _INSTANT_KINDS:
                return ""
            return f"started, attempt {event.attempt}" if event.attempt > 1 else "started"
        if type is EventType.MAP_OPENED:
            return f"has {plural(data['items'], 'item')}"
        if type is EventType.ATTEMPT_FAILED:
            self._errors[event.path] = data.get("error", "")
            return f"attempt {event.attempt} failed: {data.get('error', '')}"
        if type is EventType.NODE_PARKED:
            return "waits for an answer"
        return self._describe_end(event) if type in NODE_ENDS else ""

    def _describe_end(self, event: Event) -> str:
        data = event.data
        started = self._started.pop(event.path, None)
        details = []
        if started is not None and data.get("kind") not in _INSTANT_KINDS:
            details.append(format_duration(event.seconds - started))
        if tokens := data.get("input_tokens", 0) + data.get("output_tokens", 0):
            details.append(f"{tokens:,} tokens")
        if data.get("cost_usd"):
            details.append(format_cost(data["cost_usd"]))
        text = NODE_ENDS[event.type] + (f" ({', '.join(details)})" if details else "")
        error = data.get("error", "") or data.get("reason", "")
        was_printed = self._errors.pop(event.path, None) == error
        return text if was_printed or not error else f"{text}: {error}"
