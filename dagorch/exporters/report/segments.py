"""
The time segments of a node run: when it waited, ran, and waited for a retry, and on what.

A result has one running segment per node run. A record has one per attempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from dagorch.exporters.report.record import AttemptRecord, NodeRecord
from dagorch.models.result import NodeRun

__all__ = ["FUNCTIONS", "Segment", "SegmentKind", "lane_name", "segments_of"]

SegmentKind = Literal["waiting", "running", "retrying"]

FUNCTIONS: Final = "functions"
"""The lane of functions that call no model."""
_LANES: Final = {"function": FUNCTIONS, "llm": "models", "ask": "people"}
"""The lanes of nodes without a known model. Other kinds are containers, which have no lane."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a node run's time."""

    kind: SegmentKind
    """`waiting`: ready, but no slot is free. `retrying`: the next attempt is not due yet."""
    start_seconds: float
    """Since the run's start."""
    end_seconds: float
    lane: str
    """What it ran on or waited for: `service:model`, `functions`, `people`."""
    attempt: int = 0
    """The attempt that ran, from 1; 0 if unknown or none."""
    failed: bool = False
    """Whether a running segment failed or was cancelled."""

    @property
    def seconds(self) -> float:
        return self.end_seconds - self.start_seconds


def lane_name(run: NodeRun | NodeRecord) -> str:
    """Return what a node run ran on; empty for a container, such as a loop."""
    if isinstance(run, NodeRecord):
        models = [(attempt.service, attempt.model) for attempt in run.attempts if attempt.service]
    else:
        models = [(bill.service, bill.model) for bill in run.bills]
    if models:
        return ":".join(models[-1])
    if run.started_seconds is not None and not run.attempts and run.kind != "ask":
        return ""  # a container, or an LLM node with tools, which is one
    return _LANES.get(run.kind, "")


def segments_of(run: NodeRun | NodeRecord) -> tuple[Segment, ...]:
    """
    Return the segments of a node run, in order of time.

    Without recorded events these are its wait, and its whole work as one segment.

    Example:
        >>> run = NodeRun("ask", "llm", "completed", 0.0, 1.5, 4.0, attempts=1)
        >>> [(segment.kind, segment.seconds) for segment in segments_of(run)]
        [('waiting', 1.5), ('running', 2.5)]
    """
    lane = lane_name(run)
    if not lane or run.ready_seconds is None:
        return ()
    if isinstance(run, NodeRecord) and run.attempts and all(map(_is_timed, run.attempts)):
        return tuple(_attempt_segments(run, lane))
    started = run.ended_seconds if run.started_seconds is None else run.started_seconds
    segments = []
    if started > run.ready_seconds:
        segments.append(Segment("waiting", run.ready_seconds, started, lane))
    if run.started_seconds is not None:
        attempts = len(run.attempts) if isinstance(run, NodeRecord) else run.attempts
        attempt = 1 if attempts == 1 else 0
        segments.append(
            Segment("running", started, run.ended_seconds, lane, attempt, _has_failed(run))
        )
    return tuple(segments)


def _is_timed(attempt: AttemptRecord) -> bool:
    return attempt.started_seconds is not None and attempt.ended_seconds is not None


def _has_failed(run: NodeRun | NodeRecord) -> bool:
    return run.end != "completed" or bool(run.recovered_from)


def _attempt_segments(run: NodeRecord, lane: str) -> Iterator[Segment]:
    """Yield the segments of each attempt; a wait is on what the attempt after it ran on."""
    previous_end = due = run.ready_seconds or 0.0
    for attempt in run.attempts:
        lane = f"{attempt.service}:{attempt.model}" if attempt.service else lane
        started = max(attempt.started_seconds or 0.0, previous_end)
        ended = attempt.ended_seconds or 0.0
        due = min(max(due, previous_end), started)
        if due > previous_end:
            yield Segment("retrying", previous_end, due, lane)
        if started > due:
            yield Segment("waiting", due, started, lane)
        failed = attempt is not run.attempts[-1] or _has_failed(run)
        yield Segment("running", started, ended, lane, attempt.number, failed)
        previous_end = ended
        due = ended if attempt.retry_at_seconds is None else attempt.retry_at_seconds
    if run.ended_seconds > previous_end and run.end in ("failed", "cancelled"):
        # The node run ended while it waited for a retry.
        yield Segment("retrying", previous_end, run.ended_seconds, lane)
