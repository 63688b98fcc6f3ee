"""
A run's board laid out for a terminal of a given width, as lines of styled text.

What is on the board is `run_view.py`'s; when it is drawn, and where, is `display.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dagorch.cli.report import END_STYLES
from dagorch.cli.run_view import ENDS, Row, View
from dagorch.exporters.pictures.captions import kind_name
from dagorch.exporters.pictures.text_width import cell_len, pad, set_cell_size, truncate_cells
from dagorch.graph.forecast import Forecast
from dagorch.models.amounts import format_cost, format_duration

__all__ = ["FOOT", "HEAD", "Piece", "Status", "lay_out"]

Piece = tuple[str, str]
"""A text without control characters, and its style."""

HEAD: Final = 3
"""Lines above the rows."""
FOOT: Final = 3
"""Lines below them, at most."""
_WIDE: Final = 110
"""Columns from which each row has room for what it writes."""
_USUAL: Final = 72
"""Columns from which each row says its kind and its state."""
_NARROW: Final = 48
"""Columns from which each row says its tokens."""
_MAX_LABEL_LENGTH: Final = 40
_LABEL_BESIDE_TEXT: Final = 26
_MARKS: Final = {
    "open": "▾",
    "running": "●",
    "retrying": "↻",
    "asking": "?",
    "completed": "✓",
    "failed": "✗",
    "skipped": "-",
    "blocked": "!",
    "cancelled": "×",
}
_ASCII: Final = str.maketrans("▾●↻✓✗×·━─…", "v*r+xx.#-~")


@dataclass(frozen=True, slots=True)
class Status:
    """What is above the rows, beside what the board tells."""

    title: str
    elapsed: float
    """Seconds."""
    forecast: Forecast | None
    since: float = 0.0
    """Seconds since the forecast was made."""


def lay_out(
    view: View, status: Status, width: int, *, ascii_only: bool = False
) -> list[list[Piece]]:
    """Give the lines, none of more than `width - 1` cells, so that no terminal wraps them."""
    room = max(8, width - 1)
    lines = [
        [(truncate_cells(status.title, room), "bold")],
        _progress(view, status, room),
        [(_parts([*_costs(view, status), *_counts(view)], room), "bold")],
        *_rows(view, status, room),
    ]
    if view.folded:
        told = ", ".join(f"{count:,} {state}" for state, count in view.folded.items())
        lines.append([(truncate_cells(f"… and {told}", room), "dim")])
    if width < _WIDE:
        lines += _texts(view, room)
    if ascii_only:
        return [[(text.translate(_ASCII), style) for text, style in line] for line in lines]
    return lines


# -- above the rows ---------------------------------------------------------------------------


def _progress(view: View, status: Status, room: int) -> list[Piece]:
    """A bar, how far the run is, how long it has taken and will take."""
    told = f"{view.progress:3.0f} %  {format_duration(status.elapsed)}"
    left = _left(status)
    if left and cell_len(told) + cell_len(left) + 2 <= room:
        told += f", {left}"
    wide = min(30, room - cell_len(told) - 1)
    if wide < 5:
        return [(truncate_cells(told, room), "bold")]
    done = min(wide, int(wide * view.progress / 100))
    return [("━" * done, "cyan"), ("─" * (wide - done), "dim"), (f" {told}", "bold")]


def _left(status: Status) -> str:
    forecast = status.forecast
    if forecast is None:
        return ""
    seconds = round(forecast.seconds - status.since)
    if seconds < 1:
        return ""
    if seconds >= 90:  # it is no better than that
        seconds = round(seconds / 10) * 10 if seconds < 600 else round(seconds / 60) * 60
    told = format_duration(seconds).replace(".0 s", " s").removesuffix(" 0 s")
    return f"about {told} left" if forecast.is_whole else f"{told} left or more"


def _costs(view: View, status: Status) -> list[str]:
    if not view.cost_usd:
        return []
    told = [format_cost(view.cost_usd)]
    forecast = status.forecast
    if forecast is not None and forecast.cost_usd > view.cost_usd * 1.005:
        whole = format_cost(float(f"{forecast.cost_usd:.2g}"))
        told.append(f"about {whole} in all" if forecast.is_whole else f"{whole} in all or more")
    return told


def _counts(view: View) -> list[str]:
    done = sum(view.counts.get(state, 0) for state in ("completed", "skipped", "cancelled"))
    told = [f"{done:,} done", f"{view.counts.get('running', 0):,} running"]
    for state in ("failed", "blocked"):
        told += [f"{view.counts[state]:,} {state}"] if view.counts.get(state) else []
    return [*told, f"{view.tokens:,} tokens"] if view.tokens else told


def _parts(parts: Sequence[str], room: int) -> str:
    """Join parts as long as they fit."""
    told = ""
    for part in parts:
        longer = f"{told}, {part}" if told else part
        if cell_len(longer) > room:
            break
        told = longer
    return told


def _texts(view: View, room: int) -> Iterator[list[Piece]]:
    """Where rows have no room for it: why the last to fail did, and what the last to run writes."""
    failed = next((row for row in reversed(view.rows) if row.tail and row.state == "failed"), None)
    writing = next((row for row in reversed(view.rows) if row.tail and not _is_error(row)), None)
    if failed is not None:
        yield [(_first(f"{truncate_cells(failed.label, 26)}: {failed.tail}", room), "red")]
    if writing is not None:
        head = f"{truncate_cells(writing.label, 26)}: "
        yield [(head + _last(writing.tail, room - cell_len(head)), "dim")]


# -- rows -------------------------------------------------------------------------------------


def _rows(view: View, status: Status, room: int) -> Iterator[list[Piece]]:
    """A line for each node run, its columns as wide as there is room for."""
    with_cost = room >= _USUAL - 1 and any(row.cost_usd for row in view.rows)
    columns = 12 + (10 if room >= _NARROW - 1 else 0) + (9 if with_cost else 0)
    with_kind = room >= _USUAL - 1
    columns += 28 if with_kind else 0
    label = max(4, room - 2 - columns)  # what is left of the line
    tail = 0
    if room >= _WIDE - 1:
        tail, label = label - _LABEL_BESIDE_TEXT - 2, _LABEL_BESIDE_TEXT
    label = min(label, _MAX_LABEL_LENGTH)
    for row in view.rows:
        style = _style(row)
        line: list[Piece] = [(_mark(row) + " ", style)]
        indent = min(2 * row.depth, label // 2)
        name = row.label if with_kind else f"{row.label} {row.count}".rstrip()
        line.append((" " * indent + pad(name, label - indent), ""))
        if with_kind:
            kind = f"{kind_name(row.kind)} {row.count}".rstrip()
            line.append((f"  {pad(kind, 14)} ", "dim"))
            line.append((pad(_state(row), 11), style))
        if room >= _NARROW - 1:
            line.append((f" {_tokens(row):>9}", ""))
        if with_cost:
            line.append((f" {_cost(row):>8}", ""))
        line.append((f" {_time(row, status.elapsed):>11}", ""))
        if tail > 0 and row.tail:
            line.append((f"  {_tail(row, tail)}", "red" if _is_error(row) else "dim"))
        while line[-1][0].isspace():
            line.pop()
        line[-1] = (line[-1][0].rstrip(), line[-1][1])
        yield line


def _state(row: Row) -> str:
    if row.state == "open":
        return "running"
    return f"try {row.attempt}" if row.state == "running" and row.attempt > 1 else row.state


def _mark(row: Row) -> str:
    return _MARKS.get("retrying" if row.state.startswith("retry") else row.state, "·")


def _is_error(row: Row) -> bool:
    """Whether its text is why it failed, and not what it writes."""
    return row.state in ENDS or row.state.startswith("retry")


def _style(row: Row) -> str:
    if row.state in ENDS:
        return END_STYLES[row.state]
    return "dim" if row.state in ("waiting", "ready") else "cyan"


def _tokens(row: Row) -> str:
    if not row.tokens:
        return ""
    told = f"{row.tokens:,}" if row.tokens < 1_000_000 else f"{row.tokens / 1e6:.1f} M"
    return f"~{told}" if row.estimated else told


def _cost(row: Row) -> str:
    if not row.cost_usd:
        return ""
    if row.cost_usd >= 1_000:
        return f"${row.cost_usd:,.0f}" if row.cost_usd < 99_999 else f"${row.cost_usd / 1e6:.1f} M"
    return (
        format_cost(float(f"{row.cost_usd:.2g}")) if row.cost_usd < 1 else format_cost(row.cost_usd)
    )


def _time(row: Row, now: float) -> str:
    if row.started is None or row.kind in ("branch", "merge"):  # they take none
        return ""
    seconds = max(0.0, (now if row.ended is None else row.ended) - row.started)
    return format_duration(seconds) if seconds < 360_000 else f"{seconds / 3_600:,.0f} h"


def _tail(row: Row, room: int) -> str:
    """The end of what it writes, or of why it failed the beginning."""
    if not _is_error(row):
        return _last(row.tail, room)
    return _first(row.tail, room)


def _first(text: str, room: int) -> str:
    """Give the beginning of a text, as much as fits."""
    return text if cell_len(text) <= room else f"{set_cell_size(text, room - 1).rstrip()}…"


def _last(text: str, room: int) -> str:
    """Give the end of a text, as much as fits."""
    text = text[-room:] if room > 0 else ""
    while text and cell_len(text) > room:
        text = text[1:]
    return text
