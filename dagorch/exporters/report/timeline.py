"""
A run as a timeline: a lane for each thing that was worked on, and in it rows of bars.

Data for whoever draws it; the static picture is `timeline_svg.py`'s.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from dagorch.exporters.report.record import RunRecord
from dagorch.exporters.report.spans import Span, SpanKind, spans_of
from dagorch.models.result import Result

__all__ = ["Bar", "Lane", "Timeline", "to_timeline"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a node run's time, and the row of its lane that it lies in."""

    path: str
    kind: SpanKind
    start_seconds: float
    """Since the run's start."""
    end_seconds: float
    row: int
    """From 0; bars of a row do not overlap."""
    attempt: int = 0
    """Which one ran; 0 where that is not known, or none did."""
    failed: bool = False

    @property
    def seconds(self) -> float:
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything that was done on one thing."""

    name: str
    """`service:model`, `functions`, `people`."""
    rows: int
    bars: tuple[Bar, ...]
    """By their start."""

    @property
    def node_runs(self) -> int:
        return len({bar.path for bar in self.bars})

    @property
    def busy_seconds(self) -> float:
        """What ran in it, in sum."""
        return sum(bar.seconds for bar in self.bars if bar.kind == "running")


@dataclass(frozen=True, slots=True)
class Timeline:
    """Lanes in the order in which work in them began."""

    seconds: float
    """From the run's start to its end."""
    lanes: tuple[Lane, ...]


def to_timeline(run: Result | RunRecord, roomy: int = 0) -> Timeline:
    """
    Lay a run out on a timeline.

    What only waits for others is not on it: a loop, a map, a subgraph, a branch, a merge. A node
    run's bars lie in one row while it stays on one thing. A row is used again as soon as it is
    free, so a lane has as many rows as it had node runs at once, those that waited included.

    Args:
        run: A record, or a result, of which each node run's work is one bar.
        roomy: Up to so many rows in all, none is used again.

    Cost: O(n log n) of the node runs.
    """
    nodes = run.node_runs if isinstance(run, RunRecord) else run.node_runs.values()
    tracks = ((node.path, spans_of(node)) for node in nodes)
    return _laid_out(run.duration_seconds, tracks, roomy)


def _laid_out(seconds: float, tracks: Iterable[tuple[str, Iterable[Span]]], roomy: int) -> Timeline:
    stretches: dict[str, list[tuple[float, float, str, list[Span]]]] = {}
    for path, spans in tracks:
        for lane, group in groupby(spans, key=lambda span: span.lane):
            together = list(group)
            stretch = (together[0].start_seconds, together[-1].end_seconds, path, together)
            stretches.setdefault(lane, []).append(stretch)
    packed = sum(map(len, stretches.values())) > roomy
    lanes = []
    for lane, found in stretches.items():
        found.sort(key=lambda stretch: stretch[:3])
        bars = list(_rows(found, packed=packed))
        rows = 1 + max(bar.row for bar in bars)
        lanes.append(Lane(lane, rows, tuple(bars)))
    lanes.sort(key=lambda lane: (lane.bars[0].start_seconds, lane.name))
    return Timeline(seconds, tuple(lanes))


def _rows(
    stretches: Iterable[tuple[float, float, str, list[Span]]], *, packed: bool
) -> Iterator[Bar]:
    """Put each stretch, by their start, into the first row that is free then, or into a new one."""
    taken: list[tuple[float, int]] = []
    free: list[int] = []
    rows = 0
    for start, end, path, spans in stretches:
        while packed and taken and taken[0][0] <= start:
            heapq.heappush(free, heapq.heappop(taken)[1])
        if free:
            row = heapq.heappop(free)
        else:
            row, rows = rows, rows + 1
        heapq.heappush(taken, (end, row))
        for span in spans:
            yield Bar(
                path, span.kind, span.start_seconds, span.end_seconds, row, span.attempt,
                span.failed,
            )  # fmt: skip
