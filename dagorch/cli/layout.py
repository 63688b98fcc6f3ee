"""
Formats a snapshot of a run as lines of styled text for a terminal of a given width.

The columns are our own: a rich `Table` takes forty times as long (`docs/adr/0031`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dagorch.cli.run_view import ENDS, Row, Snapshot
from dagorch.cli.summary import END_STYLES
from dagorch.exporters.pictures.captions import kind_name
from dagorch.exporters.pictures.text_width import cell_len, pad, set_cell_size, truncate_cells
from dagorch.graph.forecast import Forecast
from dagorch.models.amounts import format_cost, format_duration

__all__ = ["HEADER_LINES", "MAX_FOOTER_LINES", "Status", "StyledText", "format_lines"]

StyledText = tuple[str, str]
"""A text without control characters, and its style."""

HEADER_LINES: Final = 3
MAX_FOOTER_LINES: Final = 3
_TEXT_COLUMNS: Final = 110
"""From this width on, each row shows its output."""
_KIND_COLUMNS: Final = 72
"""From this width on, each row shows its kind, state and cost."""
_TOKEN_COLUMNS: Final = 48
"""From this width on, each row shows its tokens."""
_MAX_LABEL_CELLS: Final = 40
_LABEL_BESIDE_TEXT_CELLS: Final = 26
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
    """The content of the header, besides the snapshot."""

    title: str
    elapsed: float
    """Seconds."""
    forecast: Forecast | None
    forecast_age: float = 0.0
    """Seconds since the forecast was made."""


def format_lines(
    snapshot: Snapshot, status: Status, columns: int, *, ascii_only: bool = False
) -> list[list[StyledText]]:
    """Return the lines, each below `columns` cells, so that no terminal wraps them."""
    width = max(8, columns - 1)
    totals = _join_that_fit([*_costs(snapshot, status), *_counts(snapshot)], width)
    lines = [
        [(truncate_cells(status.title, width), "bold")],
        _progress(snapshot, status, width),
        [(totals, "bold")],
        *_rows(snapshot, status, width),
    ]
    if snapshot.hidden:
        hidden = ", ".join(f"{count:,} {state}" for state, count in snapshot.hidden.items())
        lines.append([(truncate_cells(f"… and {hidden}", width), "dim")])
    if columns < _TEXT_COLUMNS:
        lines += _footer(snapshot, width)
    if ascii_only:
        return [[(text.translate(_ASCII), style) for text, style in line] for line in lines]
    return lines


# -- header and footer ------------------------------------------------------------------------


def _progress(snapshot: Snapshot, status: Status, width: int) -> list[StyledText]:
    """Return the progress bar, with the time so far and the time left."""
    text = f"{snapshot.progress:3.0f} %  {format_duration(status.elapsed)}"
    left = _time_left(status)
    if left and cell_len(text) + cell_len(left) + 2 <= width:
        text += f", {left}"
    bar = min(30, width - cell_len(text) - 1)
    if bar < 5:
        return [(truncate_cells(text, width), "bold")]
    done = min(bar, int(bar * snapshot.progress / 100))
    return [("━" * done, "cyan"), ("─" * (bar - done), "dim"), (f" {text}", "bold")]


def _time_left(status: Status) -> str:
    forecast = status.forecast
    if forecast is None:
        return ""
    seconds = round(forecast.seconds - status.forecast_age)
    if seconds < 1:
        return ""
    if seconds >= 90:  # the forecast is not more precise
        step = 10 if seconds < 600 else 60
        seconds = round(seconds / step) * step
    text = format_duration(seconds).replace(".0 s", " s").removesuffix(" 0 s")
    return f"about {text} left" if forecast.is_whole else f"{text} left or more"


def _costs(snapshot: Snapshot, status: Status) -> list[str]:
    if not snapshot.cost_usd:
        return []
    texts = [format_cost(snapshot.cost_usd)]
    forecast = status.forecast
    if forecast is not None and forecast.cost_usd > snapshot.cost_usd * 1.005:
        total = format_cost(float(f"{forecast.cost_usd:.2g}"))
        texts.append(f"about {total} in all" if forecast.is_whole else f"{total} in all or more")
    return texts


def _counts(snapshot: Snapshot) -> list[str]:
    counts = snapshot.counts
    done = sum(counts.get(state, 0) for state in ("completed", "skipped", "cancelled"))
    texts = [f"{done:,} done", f"{counts.get('running', 0):,} running"]
    texts += [f"{counts[state]:,} {state}" for state in ("failed", "blocked") if counts.get(state)]
    return [*texts, f"{snapshot.tokens:,} tokens"] if snapshot.tokens else texts


def _join_that_fit(texts: Sequence[str], width: int) -> str:
    joined = ""
    for text in texts:
        longer = f"{joined}, {text}" if joined else text
        if cell_len(longer) > width:
            break
        joined = longer
    return joined


def _footer(snapshot: Snapshot, width: int) -> Iterator[list[StyledText]]:
    """Yield the error of the last failure, and the output of the last writer."""
    rows = [row for row in reversed(snapshot.rows) if row.text]
    failed = next((row for row in rows if row.state == "failed"), None)
    writing = next((row for row in rows if not _shows_error(row)), None)
    if failed is not None:
        yield [(_start_of(f"{truncate_cells(failed.label, 26)}: {failed.text}", width), "red")]
    if writing is not None:
        label = f"{truncate_cells(writing.label, 26)}: "
        yield [(label + _end_of(writing.text, width - cell_len(label)), "dim")]


# -- rows -------------------------------------------------------------------------------------


def _rows(snapshot: Snapshot, status: Status, width: int) -> Iterator[list[StyledText]]:
    """Yield a line for each node run, with the columns that the width allows."""
    with_tokens = width >= _TOKEN_COLUMNS - 1
    with_kind = width >= _KIND_COLUMNS - 1
    with_cost = with_kind and any(row.cost_usd for row in snapshot.rows)
    others = 12 + 10 * with_tokens + 9 * with_cost + 28 * with_kind
    label_cells = max(4, width - 2 - others)
    text_cells = 0
    if width >= _TEXT_COLUMNS - 1:
        text_cells = label_cells - _LABEL_BESIDE_TEXT_CELLS - 2
        label_cells = _LABEL_BESIDE_TEXT_CELLS
    label_cells = min(label_cells, _MAX_LABEL_CELLS)
    for row in snapshot.rows:
        style = _style(row)
        indent = min(2 * row.depth, label_cells // 2)
        label = row.label if with_kind else f"{row.label} {row.progress}".rstrip()
        line: list[StyledText] = [
            (_mark(row) + " ", style),
            (" " * indent + pad(label, label_cells - indent), ""),
        ]
        if with_kind:
            kind = f"{kind_name(row.kind)} {row.progress}".rstrip()
            line += [(f"  {pad(kind, 14)} ", "dim"), (pad(_state(row), 11), style)]
        if with_tokens:
            line.append((f" {_tokens(row):>9}", ""))
        if with_cost:
            line.append((f" {_cost(row):>8}", ""))
        line.append((f" {_time(row, status.elapsed):>11}", ""))
        if text_cells > 0 and row.text:
            is_error = _shows_error(row)
            text = (_start_of if is_error else _end_of)(row.text, text_cells)
            line.append((f"  {text}", "red" if is_error else "dim"))
        while line[-1][0].isspace():
            line.pop()
        line[-1] = (line[-1][0].rstrip(), line[-1][1])
        yield line


def _state(row: Row) -> str:
    if row.state == "running" and row.attempt > 1:
        return f"attempt {row.attempt}"
    return "running" if row.state == "open" else row.state


def _mark(row: Row) -> str:
    return _MARKS.get("retrying" if row.state.startswith("retry") else row.state, "·")


def _shows_error(row: Row) -> bool:
    """Return whether the text of a row is an error, and not output."""
    return row.state in ENDS or row.state.startswith("retry")


def _style(row: Row) -> str:
    if row.state in ENDS:
        return END_STYLES[row.state]
    return "dim" if row.state in ("waiting", "ready") else "cyan"


def _tokens(row: Row) -> str:
    if not row.tokens:
        return ""
    text = f"{row.tokens:,}" if row.tokens < 1_000_000 else f"{row.tokens / 1e6:.1f} M"
    return f"~{text}" if row.estimated else text


def _cost(row: Row) -> str:
    cost = row.cost_usd
    if not cost:
        return ""
    if cost >= 1_000:
        return f"${cost:,.0f}" if cost < 99_999 else f"${cost / 1e6:.1f} M"
    return format_cost(float(f"{cost:.2g}") if cost < 1 else cost)


def _time(row: Row, now: float) -> str:
    if row.started is None or row.kind in ("branch", "merge"):  # these take no time
        return ""
    seconds = max(0.0, (now if row.ended is None else row.ended) - row.started)
    return format_duration(seconds) if seconds < 360_000 else f"{seconds / 3_600:,.0f} h"


def _start_of(text: str, cells: int) -> str:
    return text if cell_len(text) <= cells else f"{set_cell_size(text, cells - 1).rstrip()}…"


def _end_of(text: str, cells: int) -> str:
    text = text[-cells:] if cells > 0 else ""
    while text and cell_len(text) > cells:
        text = text[1:]
    return text
