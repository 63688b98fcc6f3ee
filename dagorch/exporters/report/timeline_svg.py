"""
A timeline as a static picture: SVG that needs nothing beside it, for a document or a printed page.

What is on the timeline is `timeline.py`'s; one to move about in is the report's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from operator import attrgetter
from typing import Final

from dagorch.exporters.pictures.captions import plural
from dagorch.exporters.pictures.palette import LINE, MUTED, TEXT
from dagorch.exporters.report.record import RunRecord
from dagorch.exporters.report.timeline import Bar, Lane, Timeline, to_timeline
from dagorch.models.amounts import format_duration
from dagorch.models.clean import one_line
from dagorch.models.result import Result
from dagorch.models.truncate import truncate_middle

__all__ = ["MAX_ROWS", "to_timeline_svg"]

MAX_ROWS: Final = 60
"""Rows that are drawn; of what lies in further ones the picture gives the count."""
MAX_TOLD: Final = 1_000
"""Bars of a picture that tell on hovering what they are; with more, none does."""

WIDTH: Final = 960
"""Of a picture for a screen; on paper a narrower one has larger words."""
_EDGE: Final = 14
_ROW: Final = 20
_BAR: Final = 14
_HEADING: Final = 24
_TOP: Final = 58
_FONT: Final = "Helvetica, Arial, sans-serif"
_LETTER: Final = 6.4
"""Width of a letter of the small size, on the safe side."""
_STEPS: Final = (1, 2, 5)
_MINUTES: Final = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_GRID: Final = "#e4e7eb"
_KINDS: Final = {
    "waiting": ("url(#waiting)", "#9aa5b1", "waiting"),
    "running": ("#cfe0fb", "#2f6fde", "running"),
    "failed": ("#f8c9c4", "#b42318", "failed or cancelled"),
    "retrying": ("url(#retrying)", "#b7791f", "waiting to be tried again"),
}
_PATTERNS: Final = (
    '<defs><pattern id="waiting" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<rect width="5" height="5" fill="#ffffff"/>'
    '<circle cx="2.5" cy="2.5" r="0.8" fill="#9aa5b1"/></pattern>'
    '<pattern id="retrying" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect width="6" height="6" fill="#fff1cc"/>'
    '<path d="M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2" stroke="#b7791f" stroke-width="1.2"/>'
    "</pattern></defs>"
)


def to_timeline_svg(run: Result | RunRecord, width: int = WIDTH) -> str:
    """
    Draw when each node run waited and worked, a lane for each model, one for functions.

    Of more than `MAX_ROWS` rows each lane shows its first, and how many node runs the others
    have.

    Args:
        run: As for `to_timeline`.
        width: Of the picture, beside words of 11; at least 400.
    """
    return _Picture(to_timeline(run, roomy=MAX_ROWS), width).draw()


class _Picture:
    """One picture in the making."""

    def __init__(self, timeline: Timeline, width: int) -> None:
        self._timeline = timeline
        self._width = width
        self._seconds = timeline.seconds or 1.0
        self._scale = (self._width - 2 * _EDGE) / self._seconds
        self._shown = _shares([lane.rows for lane in timeline.lanes], MAX_ROWS)
        self._tells = sum(len(lane.bars) for lane in timeline.lanes) <= MAX_TOLD

    def _x(self, seconds: float) -> float:
        return _EDGE + seconds * self._scale

    def draw(self) -> str:
        lanes: list[str] = []
        y = float(_TOP)
        for lane, rows in zip(self._timeline.lanes, self._shown, strict=True):
            lanes += self._lane(lane, rows, y)
            y += _HEADING + rows * _ROW + (_ROW if rows < lane.rows else 0) + 6
        if not lanes:
            lanes.append(_text(_EDGE, y + 14, "Nothing was worked on.", colour=MUTED))
            y += _HEADING
        about = f"Timeline of {format_duration(self._timeline.seconds)}"
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width}" height="{y + 8:.0f}" '
            f'viewBox="0 0 {self._width} {y + 8:.0f}" role="img" font-family="{_FONT}">'
            f"<title>{about}</title>{_PATTERNS}"
            f'<rect width="{self._width}" height="{y + 8:.0f}" fill="#ffffff"/>'
        )
        return "\n".join([head, *self._legend(), *self._axis(y), *lanes, "</svg>", ""])

    def _legend(self) -> Iterator[str]:
        seen = {_kind(bar) for lane in self._timeline.lanes for bar in lane.bars}
        x = float(_EDGE)
        for kind, (fill, line, words) in _KINDS.items():
            if kind in seen:
                yield f'<rect x="{x}" y="10" width="22" height="12" fill="{fill}" stroke="{line}"/>'
                yield _text(x + 28, 20, words, colour=MUTED)
                x += 28 + 6.2 * len(words) + 20

    def _axis(self, bottom: float) -> Iterator[str]:
        for seconds in ticks(self._seconds, 10):
            x = self._x(seconds)
            yield f'<path d="M{x:.1f},{_TOP - 12} V{bottom:.1f}" stroke="{_GRID}"/>'
            anchor = "middle" if seconds else "start"
            if x < self._width - _EDGE - 16:
                yield _text(x, _TOP - 17, clock(seconds), anchor=anchor, colour=MUTED)
            else:
                yield _text(
                    self._width - _EDGE, _TOP - 17, clock(seconds), anchor="end", colour=MUTED
                )
        yield (f'<path d="M{_EDGE},{_TOP - 12} H{self._width - _EDGE}" stroke="{LINE}"/>')

    def _lane(self, lane: Lane, rows: int, y: float) -> Iterator[str]:
        name = truncate_middle(one_line(lane.name), 60)
        facts = (
            f"{plural(lane.node_runs, 'node run')}, {format_duration(lane.busy_seconds)} of work"
        )
        yield _text(_EDGE, y + 15, name, size=12, bold=True)
        yield _text(_EDGE + 8.4 * len(name) + 12, y + 15, facts, colour=MUTED)
        y += _HEADING
        shown: dict[int, list[Bar]] = {}
        for bar in lane.bars:
            shown.setdefault(bar.row, []).append(bar)
        for row in range(rows):
            yield from self._row(shown[row], y + row * _ROW)
        if rows < lane.rows:
            left = len({bar.path for bar in lane.bars if bar.row >= rows})
            words = f"… {plural(left, 'more node run')} in {plural(lane.rows - rows, 'more row')}"
            yield _text(_EDGE, y + rows * _ROW + 13, words, colour=MUTED)

    def _row(self, bars: list[Bar], y: float) -> Iterator[str]:
        for bar in bars:
            x, end = self._x(bar.start_seconds), self._x(bar.end_seconds)
            fill, line, words = _KINDS[_kind(bar)]
            start = (
                f'<rect x="{x:.2f}" y="{y + 2:.1f}" width="{max(end - x, 1):.2f}" height="{_BAR}" '
                f'rx="2" fill="{fill}" stroke="{line}"'
            )
            if not self._tells:
                yield f"{start}/>"
                continue
            about = (
                f"{one_line(bar.path)}: {words}, {format_duration(bar.start_seconds)} to "
                f"{format_duration(bar.end_seconds)}"
            )
            yield f"{start}><title>{_markup(about)}</title></rect>"
        before = float(_EDGE)
        stretches = [(path, list(group)) for path, group in groupby(bars, attrgetter("path"))]
        for place, (path, stretch) in enumerate(stretches):
            end = self._x(stretch[-1].end_seconds)
            after = float(self._width - _EDGE)
            if place + 1 < len(stretches):
                after = self._x(stretches[place + 1][1][0].start_seconds)
            work = max(stretch, key=lambda bar: (bar.kind == "running", bar.seconds))
            spaces = (
                (self._x(work.start_seconds), self._x(work.end_seconds), "start"),
                (end, after, "start"),
                (before, self._x(stretch[0].start_seconds), "end"),
            )
            found = _room(one_line(path), spaces)
            before = end
            if found is not None:
                name, x, anchor = found
                yield _text(x, y + _BAR - 1, name, anchor=anchor)
                if anchor == "start":
                    before = max(end, x + _LETTER * len(name))


def _room(name: str, spaces: Iterable[tuple[float, float, str]]) -> tuple[str, float, str] | None:
    """Find where all of a name has room, or else what tells it apart; None if nowhere."""
    found = [(int((end - x - 8) / _LETTER), x, end, anchor) for x, end, anchor in spaces]
    room, x, end, anchor = next((space for space in found if space[0] >= len(name)), max(found))
    if room < min(len(name), 12):
        return None
    return truncate_middle(name, room), x + 4 if anchor == "start" else end - 4, anchor


def _kind(bar: Bar) -> str:
    return "failed" if bar.failed else bar.kind


def _shares(wanted: list[int], most: int) -> list[int]:
    """
    Divide rows fairly: whoever wants less than an equal share leaves the rest to the others.

    Everybody gets one.
    """
    given = [0] * len(wanted)
    left = most
    for place, index in enumerate(sorted(range(len(wanted)), key=lambda i: wanted[i])):
        share = max(1, left // (len(wanted) - place))
        given[index] = min(wanted[index], share)
        left -= given[index]
    return given


def ticks(seconds: float, most: int) -> Iterable[float]:
    """
    Give round moments from 0, at most so many steps of them, for an axis.

    Example:
        >>> list(ticks(9.0, 5)), list(ticks(200, 4))
        ([0.0, 2.0, 4.0, 6.0, 8.0], [0.0, 60.0, 120.0, 180.0])
    """
    step = seconds / most
    if step <= 30:
        power = 10.0 ** math.floor(math.log10(step))
        step = next((n * power for n in _STEPS if n * power >= step), 10 * power)
    if step > 20:
        step = next((s for s in _MINUTES if s >= step), math.ceil(step / 86400) * 86400)
    return [n * float(step) for n in range(int(seconds / step + 1e-9) + 1)]


def clock(seconds: float) -> str:
    """
    Write a moment of a run exactly, in the units that are used for it.

    Example:
        >>> [clock(moment) for moment in (0, 0.25, 1.5, 90, 3600, 5400)]
        ['0 s', '250 ms', '1.5 s', '1 min 30 s', '1 h', '1 h 30 min']
    """
    if seconds < 60:
        if 0 < seconds < 1:
            return f"{seconds * 1000:.6g} ms"
        return f"{seconds:.6g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 11,
    bold: bool = False,
    anchor: str = "start",
    colour: str = TEXT,
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}"{weight}{place} fill="{colour}">'
        f"{_markup(words)}</text>"
    )


def _markup(words: str) -> str:
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words))
