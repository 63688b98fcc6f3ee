"""
When a node run waited, worked, and waited to be tried again, and on what. Nothing is laid out here.

A result knows one stretch of work per node run; a record knows every attempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from dagorch.exporters.report.record import AttemptRecord, NodeRecord
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


def lane_of(run: NodeRun | NodeRecord) -> str:
    """Give what a node run worked on; empty for what only waits for others, such as a loop."""
    if isinstance(run, NodeRecord):
        models = [(attempt.service, attempt.model) for attempt in run.attempts if attempt.service]
    else:
        models = [(bill.service, bill.model) for bill in run.bills]
    if models:
        return ":".join(models[-1])
    if run.started_seconds is not None and not run.attempts and run.kind != "ask":
        return ""  # a container, or an LLM node with tools, which is one
    return _LANES.get(run.kind, "")


def spans_of(run: NodeRun | NodeRecord) -> tuple[Span, ...]:
    """
    Give the stretches of a node run, one after the other.

    Of one whose events nobody recorded: its wait, and its work as one stretch.

    Example:
        >>> run = NodeRun("ask", "llm", "completed", 0.0, 1.5, 4.0, attempts=1)
        >>> [(span.kind, span.seconds) for span in spans_of(run)]
        [('waiting', 1.5), ('running', 2.5)]
    """
    lane = lane_of(run)
    if not lane or run.ready_seconds is None:
        return ()
    if isinstance(run, NodeRecord) and run.attempts and all(map(_is_timed, run.attempts)):
        return tuple(_of_attempts(run, lane))
    started = run.ended_seconds if run.started_seconds is None else run.started_seconds
    spans = []
    if started > run.ready_seconds:
        spans.append(Span("waiting", run.ready_seconds, started, lane))
    if run.started_seconds is not None:
        failed = run.end != "completed" or bool(run.recovered_from)
        tries = len(run.attempts) if isinstance(run, NodeRecord) else run.attempts
        spans.append(
            Span("running", started, run.ended_seconds, lane, 1 if tries == 1 else 0, failed)
        )
    return tuple(spans)


def _is_timed(attempt: AttemptRecord) -> bool:
    return attempt.started_seconds is not None and attempt.ended_seconds is not None


def _of_attempts(run: NodeRecord, lane: str) -> Iterator[Span]:
    """Tell the stretches by the attempts; a wait belongs to the attempt that it ended with."""
    before = due = run.ready_seconds or 0.0
    for attempt in run.attempts:
        lane = f"{attempt.service}:{attempt.model}" if attempt.service else lane
        started = max(attempt.started_seconds or 0.0, before)
        ended = attempt.ended_seconds or 0.0
        due = min(max(due, before), started)
        if due > before:
            yield Span("retrying", before, due, lane)
        if started > due:
            yield Span("waiting", due, started, lane)
        last = attempt is run.attempts[-1]
        failed = not last or run.end != "completed" or bool(run.recovered_from)
        yield Span("running", started, ended, lane, attempt.number, failed)
        before = ended
        due = ended if attempt.retry_seconds is None else attempt.retry_seconds
    if run.ended_seconds > before and run.end in ("failed", "cancelled"):
        yield Span("retrying", before, run.ended_seconds, lane)  # it ended before it was due
