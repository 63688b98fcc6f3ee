"""
The timeline of a run as data: a lane per model, one for functions, one for people.

`timeline_svg.py` draws a static picture of it; the report page draws an interactive one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from dagorch.exporters.report.record import RunRecord
from dagorch.exporters.report.segments import Segment, SegmentKind, segments_of
from dagorch.models.result import Result

__all__ = ["Bar", "Lane", "Timeline", "to_timeline"]


_Track = tuple[float, float, str, list[Segment]]
"""Start, end, path and segments of a node run while it stays on one lane."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A segment of a node run, placed in a row of its lane."""

    path: str
    kind: SegmentKind
    start_seconds: float
    """Since the run's start."""
    end_seconds: float
    row: int
    """From 0. The bars of a row do not overlap."""
    attempt: int = 0
    """The attempt that ran, from 1; 0 if unknown or none."""
    failed: bool = False

    @property
    def seconds(self) -> float:
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything that ran on one model, or as functions, or with people."""

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
        """The total time of its running bars."""
        return sum(bar.seconds for bar in self.bars if bar.kind == "running")


@dataclass(frozen=True, slots=True)
class Timeline:
    """The lanes of a run, in the order of their first bars."""

    seconds: float
    """From the run's start to its end."""
    lanes: tuple[Lane, ...]


def to_timeline(run: Result | RunRecord, max_separate_rows: int = 0) -> Timeline:
    """
    Lay out a run on a timeline.

    Containers are not on it: loops, maps, subgraphs, branches and merges. The bars of a node run
    share a row while it stays on one lane. A row is reused as soon as it is free, so a lane has as
    many rows as node runs that ran or waited at the same time.

    Args:
        run: A record, or a result, in which the work of a node run is one bar.
        max_separate_rows: If the run needs at most this many rows in all, no row is reused.

    Cost: O(n log n) in the number of node runs.
    """
    nodes = run.node_runs if isinstance(run, RunRecord) else run.node_runs.values()
    tracks_by_lane: dict[str, list[_Track]] = {}
    for node in nodes:
        for lane, group in groupby(segments_of(node), key=attrgetter("lane")):
            segments = list(group)
            track = (segments[0].start_seconds, segments[-1].end_seconds, node.path, segments)
            tracks_by_lane.setdefault(lane, []).append(track)
    reuse = sum(map(len, tracks_by_lane.values())) > max_separate_rows
    lanes = []
    for lane, tracks in tracks_by_lane.items():
        tracks.sort(key=lambda track: track[:3])
        bars = list(_place(tracks, reuse=reuse))
        lanes.append(Lane(lane, 1 + max(bar.row for bar in bars), tuple(bars)))
    lanes.sort(key=lambda lane: (lane.bars[0].start_seconds, lane.name))
    return Timeline(run.duration_seconds, tuple(lanes))


def _place(tracks: Iterable[_Track], *, reuse: bool) -> Iterator[Bar]:
    """Place each track, in the order of their starts, in the first free row, or in a new one."""
    taken: list[tuple[float, int]] = []
    free: list[int] = []
    rows = 0
    for start, end, path, segments in tracks:
        while reuse and taken and taken[0][0] <= start:
            heapq.heappush(free, heapq.heappop(taken)[1])
        if free:
            row = heapq.heappop(free)
        else:
            row, rows = rows, rows + 1
        heapq.heappush(taken, (end, row))
        for segment in segments:
            yield Bar(
                path, segment.kind, segment.start_seconds, segment.end_seconds, row,
                segment.attempt, segment.failed,
            )  # fmt: skip
