"""
The timeline of a run as a self-contained SVG, for documents and print.

`timeline.py` computes the timeline. The report page draws an interactive one.
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
"""Rows to draw; the picture has the count of the others."""
MAX_TOOLTIPS: Final = 1_000
"""Bars with a tooltip; a picture with more bars has no tooltips."""

WIDTH: Final = 960
"""For a screen. On paper, a narrower picture has larger text."""
_MARGIN: Final = 14
_ROW: Final = 20
_BAR: Final = 14
_HEADING: Final = 24
_TOP: Final = 58
_FONT: Final = "Helvetica, Arial, sans-serif"
_LETTER_WIDTH: Final = 6.4
"""An upper estimate for the small font size."""
_DECIMAL_STEPS: Final = (1, 2, 5)
_MINUTE_STEPS: Final = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_GRID: Final = "#e4e7eb"
_STYLES: Final = {
    "waiting": ("url(#waiting)", "#9aa5b1", "waiting"),
    "running": ("#cfe0fb", "#2f6fde", "running"),
    "failed": ("#f8c9c4", "#b42318", "failed or cancelled"),
    "retrying": ("url(#retrying)", "#b7791f", "waiting for a retry"),
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
    Draw when each node run waited and ran, with a lane per model and one for functions.

    If there are more than `MAX_ROWS` rows, each lane shows its first rows and the number of node
    runs in the others.

    Args:
        run: As for `to_timeline`.
        width: The width of the picture, at least 400. The font size is 11.
    """
    return _Picture(to_timeline(run, max_separate_rows=MAX_ROWS), width).draw()


class _Picture:
    """Draws one picture."""

    def __init__(self, timeline: Timeline, width: int) -> None:
        self._timeline = timeline
        self._width = width
        self._seconds = timeline.seconds or 1.0
        self._scale = (self._width - 2 * _MARGIN) / self._seconds
        self._rows = _fair_shares([lane.rows for lane in timeline.lanes], MAX_ROWS)
        self._has_tooltips = sum(len(lane.bars) for lane in timeline.lanes) <= MAX_TOOLTIPS

    def _x(self, seconds: float) -> float:
        return _MARGIN + seconds * self._scale

    def draw(self) -> str:
        lanes: list[str] = []
        y = float(_TOP)
        for lane, rows in zip(self._timeline.lanes, self._rows, strict=True):
            lanes += self._draw_lane(lane, rows, y)
            y += _HEADING + rows * _ROW + (_ROW if rows < lane.rows else 0) + 6
        if not lanes:
            lanes.append(_text(_MARGIN, y + 14, "Nothing ran.", color=MUTED))
            y += _HEADING
        title = f"Timeline of {format_duration(self._timeline.seconds)}"
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width}" height="{y + 8:.0f}" '
            f'viewBox="0 0 {self._width} {y + 8:.0f}" role="img" font-family="{_FONT}">'
            f"<title>{title}</title>{_PATTERNS}"
            f'<rect width="{self._width}" height="{y + 8:.0f}" fill="#ffffff"/>'
        )
        return "\n".join([head, *self._legend(), *self._axis(y), *lanes, "</svg>", ""])

    def _legend(self) -> Iterator[str]:
        used = {_style(bar) for lane in self._timeline.lanes for bar in lane.bars}
        x = float(_MARGIN)
        for kind, (fill, line, label) in _STYLES.items():
            if kind in used:
                yield f'<rect x="{x}" y="10" width="22" height="12" fill="{fill}" stroke="{line}"/>'
                yield _text(x + 28, 20, label, color=MUTED)
                x += 28 + 6.2 * len(label) + 20

    def _axis(self, bottom: float) -> Iterator[str]:
        for seconds in ticks(self._seconds, 10):
            x = self._x(seconds)
            yield f'<path d="M{x:.1f},{_TOP - 12} V{bottom:.1f}" stroke="{_GRID}"/>'
            anchor = "middle" if seconds else "start"
            if x >= self._width - _MARGIN - 16:
                x, anchor = self._width - _MARGIN, "end"
            yield _text(x, _TOP - 17, clock(seconds), anchor=anchor, color=MUTED)
        yield f'<path d="M{_MARGIN},{_TOP - 12} H{self._width - _MARGIN}" stroke="{LINE}"/>'

    def _draw_lane(self, lane: Lane, rows: int, y: float) -> Iterator[str]:
        name = truncate_middle(one_line(lane.name), 60)
        facts = (
            f"{plural(lane.node_runs, 'node run')}, {format_duration(lane.busy_seconds)} of work"
        )
        yield _text(_MARGIN, y + 15, name, size=12, bold=True)
        yield _text(_MARGIN + 8.4 * len(name) + 12, y + 15, facts, color=MUTED)
        y += _HEADING
        bars_by_row: dict[int, list[Bar]] = {}
        for bar in lane.bars:
            bars_by_row.setdefault(bar.row, []).append(bar)
        for row in range(rows):
            yield from self._draw_row(bars_by_row[row], y + row * _ROW)
        if rows < lane.rows:
            hidden = len({bar.path for bar in lane.bars if bar.row >= rows})
            words = f"… {plural(hidden, 'more node run')} in {plural(lane.rows - rows, 'more row')}"
            yield _text(_MARGIN, y + rows * _ROW + 13, words, color=MUTED)

    def _draw_row(self, bars: list[Bar], y: float) -> Iterator[str]:
        for bar in bars:
            x, end = self._x(bar.start_seconds), self._x(bar.end_seconds)
            fill, line, label = _STYLES[_style(bar)]
            rect = (
                f'<rect x="{x:.2f}" y="{y + 2:.1f}" width="{max(end - x, 1):.2f}" height="{_BAR}" '
                f'rx="2" fill="{fill}" stroke="{line}"'
            )
            if not self._has_tooltips:
                yield f"{rect}/>"
                continue
            tooltip = (
                f"{one_line(bar.path)}: {label}, {format_duration(bar.start_seconds)} to "
                f"{format_duration(bar.end_seconds)}"
            )
            yield f"{rect}><title>{_escape(tooltip)}</title></rect>"
        free_start = float(_MARGIN)
        node_runs = [(path, list(group)) for path, group in groupby(bars, attrgetter("path"))]
        for index, (path, own_bars) in enumerate(node_runs):
            end = self._x(own_bars[-1].end_seconds)
            next_start = float(self._width - _MARGIN)
            if index + 1 < len(node_runs):
                next_start = self._x(node_runs[index + 1][1][0].start_seconds)
            work = max(own_bars, key=lambda bar: (bar.kind == "running", bar.seconds))
            spaces = (
                (self._x(work.start_seconds), self._x(work.end_seconds), "start"),
                (end, next_start, "start"),
                (free_start, self._x(own_bars[0].start_seconds), "end"),
            )
            placement = _place_label(one_line(path), spaces)
            free_start = end
            if placement is not None:
                name, x, anchor = placement
                yield _text(x, y + _BAR - 1, name, anchor=anchor)
                if anchor == "start":
                    free_start = max(end, x + _LETTER_WIDTH * len(name))


def _place_label(
    name: str, spaces: Iterable[tuple[float, float, str]]
) -> tuple[str, float, str] | None:
    """Find the first space for the whole name, or the largest for its ends; None without space."""
    sized = [(int((end - x - 8) / _LETTER_WIDTH), x, end, anchor) for x, end, anchor in spaces]
    size, x, end, anchor = next((space for space in sized if space[0] >= len(name)), max(sized))
    if size < min(len(name), 12):
        return None
    return truncate_middle(name, size), x + 4 if anchor == "start" else end - 4, anchor


def _style(bar: Bar) -> str:
    return "failed" if bar.failed else bar.kind


def _fair_shares(wanted: list[int], total: int) -> list[int]:
    """Divide rows among lanes: at least one each, and what small lanes leave goes to the others."""
    shares = [0] * len(wanted)
    left = total
    by_size = sorted(range(len(wanted)), key=lambda lane: wanted[lane])
    for place, lane in enumerate(by_size):
        shares[lane] = min(wanted[lane], max(1, left // (len(wanted) - place)))
        left -= shares[lane]
    return shares


def ticks(seconds: float, max_steps: int) -> Iterable[float]:
    """
    Return round times from 0 for an axis, with at most `max_steps` steps.

    Example:
        >>> list(ticks(9.0, 5)), list(ticks(200, 4))
        ([0.0, 2.0, 4.0, 6.0, 8.0], [0.0, 60.0, 120.0, 180.0])
    """
    step = seconds / max_steps
    if step <= 30:
        power = 10.0 ** math.floor(math.log10(step))
        step = next((n * power for n in _DECIMAL_STEPS if n * power >= step), 10 * power)
    if step > 20:
        step = next((s for s in _MINUTE_STEPS if s >= step), math.ceil(step / 86400) * 86400)
    return [n * float(step) for n in range(int(seconds / step + 1e-9) + 1)]


def clock(seconds: float) -> str:
    """
    Write a time exactly, in its usual units.

    Example:
        >>> [clock(time) for time in (0, 0.25, 1.5, 90, 3600, 5400)]
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
    color: str = TEXT,
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    anchoring = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}"{weight}{anchoring} fill="{color}">'
        f"{_escape(words)}</text>"
    )


def _escape(words: str) -> str:
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words))
