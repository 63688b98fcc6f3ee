"""A run shown while it goes on: a table that redraws itself, or plain lines where that cannot be.

Both are written by a thread of their own, so that a slow terminal or pipe holds up no run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from dagorch.cli.board import ENDS, Board, Line, View
from dagorch.cli.report import END_STYLES
from dagorch.exporters.captions import kind_name, plural, shorten
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.clean import one_line
from dagorch.models.events import Event, EventType

__all__ = ["Display", "LiveDisplay", "PlainDisplay", "SilentDisplay", "display_for"]

FRAMES_PER_SECOND: Final = 10
_LEAST_BETWEEN: Final = 50
"""Frames are so many times as far apart as one takes to lay out: that holds up the run's thread."""
_CLOSING_SECONDS: Final = 2.0
"""How long the last lines may take where nobody reads them."""
_WIDE: Final = 96
"""Columns from which there is room for what a node writes."""


class Display(AbstractContextManager["Display"]):
    """What shows a run: entered before it, left after it, told each event in between."""

    def __call__(self, event: Event) -> None:
        """Take an event of the engine; called on the event loop, so never waits."""
        raise NotImplementedError

    def note(self, text: str) -> None:
        """Show a line of its own."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class SilentDisplay(Display):
    """Shows nothing."""

    def __call__(self, event: Event) -> None:
        return None

    def note(self, text: str) -> None:
        return None


class LiveDisplay(Display):
    """
    A table on a terminal, redrawn while the run goes on, then gone.

    Ten times a second, or less often where a frame takes long to lay out.

    Args:
        console: The terminal.
        board: Filled with the node runs that are known already.
        title: Above the table.
    """

    def __init__(self, console: Console, board: Board, title: str) -> None:
        self._console = console
        self._board = board
        self._title = title
        self._began = time.monotonic()
        self._frame = _Frame([])
        self._next = float("inf")
        """When it is to be laid out anew: not before there is something to see, nor at the end."""
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
        )

    def __call__(self, event: Event) -> None:
        self._board.take(event)

    def note(self, text: str) -> None:
        self._console.print(Text(one_line(text)))

    def __enter__(self) -> Self:
        self._began = self._next = time.monotonic()
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._next = float("inf")
        self._live.stop()

    def _render(self) -> RenderableType:
        now = time.monotonic()
        if now >= self._next:
            worked = time.thread_time()
            view = self._board.view(max(3, self._console.height - 5))
            laid_out = render(view, self._title, now - self._began, self._console.width)
            self._frame = _Frame(self._console.render_lines(laid_out, pad=False))
            self._next = now + _LEAST_BETWEEN * (time.thread_time() - worked)
        return self._frame


class _Frame:
    """Lines as they go to the terminal."""

    def __init__(self, lines: list[list[Segment]]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines:
            yield from line
            yield Segment.line()


def render(view: View, title: str, elapsed: float, width: int) -> RenderableType:
    """Lay out a board for a terminal of that many columns."""
    table = Table(box=None, pad_edge=False, show_header=False, width=width)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=26)
    table.add_column(no_wrap=True, width=9)
    table.add_column(no_wrap=True, overflow="ellipsis", width=12)
    table.add_column(no_wrap=True, justify="right", width=8)
    table.add_column(no_wrap=True, justify="right", width=8)
    if width >= _WIDE:
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for line in view.lines:
        cells = [
            Text(shorten(one_line(line.path), 26)),
            Text(kind_name(line.kind), "dim"),
            Text(_state(line), _style(line)),
            Text(_tokens(line)),
            Text(_time(line, view.seconds if line.ended is not None else elapsed)),
        ]
        if width >= _WIDE:
            cells.append(_tail(line, width))
        table.add_row(*cells)
    parts: list[RenderableType] = [Text(shorten(title, width - 1), "bold"), table]
    if view.unseen:
        parts.append(Text(f"... and {plural(view.unseen, 'more node run')}", "dim"))
    writing = next((line for line in reversed(view.lines) if _writes(line)), None)
    if writing is not None and width < _WIDE:
        head = f"{shorten(one_line(writing.path), 26)}: "
        parts.append(Text(head + writing.tail[len(head) - width + 1 :], "dim", no_wrap=True))
    parts.append(Text(_sum(view, elapsed), "bold", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _sum(view: View, elapsed: float) -> str:
    done = sum(view.counts.get(state, 0) for state in ENDS)
    total = sum(view.counts.values())
    parts = [f"{done} of {plural(total, 'node run')}", f"{view.counts.get('running', 0)} running"]
    parts += [
        f"{view.counts[state]} {state}" for state in ("failed", "blocked") if view.counts.get(state)
    ]
    parts += [f"{view.tokens:,} tokens", format_duration(elapsed)]
    parts += [format_cost(view.cost_usd)] if view.cost_usd else []
    return ", ".join(parts)


def _state(line: Line) -> str:
    if line.state == "running" and line.attempt > 1:
        return f"try {line.attempt}"
    return line.state


def _style(line: Line) -> str:
    if line.state in ENDS:
        return END_STYLES[line.state]
    return "dim" if line.state in ("waiting", "ready") else "cyan"


def _tokens(line: Line) -> str:
    if not line.tokens:
        return ""
    return f"{'~' if line.estimated else ''}{line.tokens:,}"


def _time(line: Line, now: float) -> str:
    if line.started is None:
        return ""
    until = line.ended if line.ended is not None else now
    return format_duration(max(0.0, until - line.started))


def _writes(line: Line) -> bool:
    return bool(line.tail) and line.state not in ENDS


def _tail(line: Line, width: int) -> Text:
    """The end of what it writes, or of why it failed the beginning."""
    room = width - 26 - 9 - 12 - 8 - 8 - 6
    text = line.tail if line.state in ENDS else line.tail[-room:]
    return Text(text[:room], "red" if line.state in ENDS else "dim")


class PlainDisplay(Display):
    """
    A line for each thing that happens, without control codes: for pipes, logs and CI.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._board = Board()
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._writer = Thread(target=self._write, name="dagorch-display", daemon=True)

    def __call__(self, event: Event) -> None:
        line = self._board.take(event)
        text = _say(event, line) if line is not None else ""
        if text:
            self._queue.put(f"[{event.seconds:7.1f} s] {text}")

    def note(self, text: str) -> None:
        self._queue.put(one_line(text))

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.put(None)
        self._writer.join(_CLOSING_SECONDS)

    def _write(self) -> None:
        while (text := self._queue.get()) is not None:
            try:
                print(text, file=self._stream, flush=True)
            except (OSError, ValueError):  # nobody reads any more; the run goes on
                return


_QUIET_KINDS: Final = frozenset({"merge", "branch"})
"""Their start is of no interest: they take no time."""


def _say(event: Event, line: Line) -> str:
    """Say in plain words what an event tells of a node run; empty if that is not worth a line."""
    path, kind = one_line(event.path), event.type
    if kind is EventType.NODE_STARTED:
        again = f", try {event.attempt}" if event.attempt > 1 else ""
        return "" if line.kind in _QUIET_KINDS else f"{path} started{again}"
    if kind is EventType.ATTEMPT_FAILED:
        return f"{path} try {event.attempt} failed: {one_line(line.tail)}"
    if kind is EventType.NODE_PARKED:
        return f"{path} waits for an answer"
    if line.state not in ENDS:
        return ""
    parts = []
    if line.started is not None and line.ended is not None and line.kind not in _QUIET_KINDS:
        parts.append(format_duration(line.ended - line.started))
    if line.tokens and not line.estimated:
        parts.append(f"{line.tokens:,} tokens")
    if line.cost_usd:
        parts.append(format_cost(line.cost_usd))
    told = f"{path} {line.state}" + (f" ({', '.join(parts)})" if parts else "")
    return f"{told}: {one_line(line.tail)}" if line.tail else told


def display_for(
    planned: Callable[[], Iterable[tuple[str, str]]], title: str, *, quiet: bool
) -> Display:
    """
    Choose how to show a run on standard error: live on a terminal that can, else plainly.

    Args:
        planned: Gives paths and kinds of the node runs that are known already.
        title: Above a live table.
        quiet: Show nothing at all.
    """
    if quiet:
        return SilentDisplay()
    console = Console(stderr=True, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal and not os.environ.get("CI"):
        return LiveDisplay(console, Board(planned()), title)
    return PlainDisplay(sys.stderr)
