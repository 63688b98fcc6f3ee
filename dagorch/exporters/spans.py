"""
When a node run waited, worked, and waited to be tried again, and on what. Nothing is laid out here.

A result knows one stretch of work per node run; a record knows every attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from dagorch.models.result import NodeRun

__all__ = ["FUNCTIONS", "Span", "SpanKind", "lane_of", "spans_of"]

SpanKind = Literal["waiting", "running", "retrying"]

FUNCTIONS: Final = "functions"
"""The lane of functions that called no model."""
_LANES: Final = {"function": FUNCTIONS, "llm": "models", "ask": "people"}
"""Of kinds that hold something while they work; the others only wait for what is inside them."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a node run's time."""

    kind: SpanKind
    """`waiting`: ready, and nothing free for it; `retrying`: until its next attempt is due."""
    start_seconds: float
    """Since the run's start."""
    end_seconds: float
    lane: str
    """What it worked on or waited for: `service:model`, `functions`, `people`."""
    attempt: int = 0
    """Which one ran, from 1; 0 where that is not known, or none did."""
    failed: bool = False
    """Of `running`: nothing came of it."""

    @property
    def seconds(self) -> float:
        return self.end_seconds - self.start_seconds


def lane_of(run: NodeRun) -> str:
    """Give what a node run worked on; empty for what only waits for others, such as a loop."""
    if run.bills:
        return f"{run.bills[-1].service}:{run.bills[-1].model}"
    if run.started_seconds is not None and not run.attempts and run.kind != "ask":
        return ""  # a container, or an LLM node with tools, which is one
    return _LANES.get(run.kind, "")


def spans_of(run: NodeRun) -> tuple[Span, ...]:
    """
    Give what is known of a node run without its events: its wait, and its work as one stretch.

    Example:
        >>> run = NodeRun("ask", "llm", "completed", 0.0, 1.5, 4.0, attempts=1)
        >>> [(span.kind, span.seconds) for span in spans_of(run)]
        [('waiting', 1.5), ('running', 2.5)]
    """
    lane = lane_of(run)
    if not lane or run.ready_seconds is None:
        return ()
    started = run.ended_seconds if run.started_seconds is None else run.started_seconds
    spans = []
    if started > run.ready_seconds:
        spans.append(Span("waiting", run.ready_seconds, started, lane))
    if run.started_seconds is not None:
        failed = run.end != "completed" or run.recovered_from is not None
        attempt = run.attempts if run.attempts == 1 else 0
        spans.append(Span("running", started, run.ended_seconds, lane, attempt, failed))
    return tuple(spans)
