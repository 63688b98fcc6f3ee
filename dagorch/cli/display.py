"""A run shown while it goes on: lines that redraw themselves, or plain ones where that cannot be.

Both are written by a thread of their own, so that a slow terminal or pipe holds up no run.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import (
    Console,
    ConsoleOptions,
    ConsoleRenderable,
    RenderableType,
    RenderResult,
)
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment
from rich.text import Text

from dagorch.cli.event_lines import Teller
from dagorch.cli.layout import FOOT, HEAD, Piece, Status, lay_out
from dagorch.cli.run_view import Board
from dagorch.exporters.pictures.text_width import cell_len
from dagorch.graph.forecast import Forecast, Forecaster
from dagorch.graph.plan import Plan
from dagorch.models.clean import one_line
from dagorch.models.events import Event

__all__ = ["Display", "LiveDisplay", "PlainDisplay", "SilentDisplay", "display_for"]

FRAMES_PER_SECOND: Final = 10
_MIN_BETWEEN: Final = 50
"""Frames are so many times as far apart as one takes to lay out: that holds up the run's thread."""
_MAX_WAITING: Final = 10_000
"""Events that may wait for the next frame; beyond it they are noted as they come."""
_AT_A_TIME: Final = 64
"""Events noted before the run's thread is let through."""
_FORECAST_SECONDS: Final = 1.0
"""At least so much between two forecasts."""
_CLOSING_SECONDS: Final = 2.0
"""How long the last lines may take where nobody reads them."""


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


class _Picture:
    """Lines as rich writes them: as they are, without wrapping or measuring."""

    def __init__(self, lines: Sequence[Sequence[Piece]]) -> None:
        self._lines = lines
        self.widths = [sum(cell_len(text) for text, _ in line) for line in lines]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines:
            for text, style in line:
                yield Segment(text, console.get_style(style) if style else None)
            yield Segment.line()


class _Redrawn(Live):
    """
    A live display that stays in place when the terminal becomes narrower.

    Terminals then fold what is too long for a line into several; rich counts the lines that it
    wrote, and would leave the rest standing.
    """

    _newest: Sequence[int] = ()
    """The widths of the lines that are to be written."""
    _written: Sequence[int] = ()
    """Of those that stand on the terminal."""

    def get_renderable(self) -> RenderableType:
        picture = super().get_renderable()
        if isinstance(picture, _Picture):
            self._newest = picture.widths
        return picture

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        columns = max(1, self.console.width)
        folded = sum((width - 1) // columns for width in self._written if width)
        shown = super().process_renderables(renderables)
        self._written = self._newest
        if not folded:
            return shown
        up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
        return [shown[0], Control(*up * folded), *shown[1:]]


class LiveDisplay(Display):
    """
    A tree of node runs on a terminal, redrawn while the run goes on, then gone.

    Ten times a second, or less often where a frame takes long to lay out.

    Args:
        console: The terminal.
        plan: What is run.
        title: Above the tree.
        max_parallel: Steps at once, for the forecast.
    """

    def __init__(self, console: Console, plan: Plan, title: str, max_parallel: int) -> None:
        self._console = console
        self._title = one_line(title)
        self._events: deque[Event] = deque()
        self._noting = Lock()
        self._board = Board(plan)
        self._forecaster = Forecaster(plan, max_parallel)
        self._forecast: Forecast | None = None
        self._forecast_at = 0.0
        self._next_forecast = 0.0
        self._began = time.monotonic()
        self._picture = _Picture([])
        self._next = float("inf")
        """When it is to be laid out anew: not before there is something to see, nor at the end."""
        self._live = _Redrawn(
            console=console,
            get_renderable=self._render,
            refresh_per_second=FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
        )

    def __call__(self, event: Event) -> None:
        self._events.append(event)
        if len(self._events) > _MAX_WAITING:
            self._note_events()

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

    def _render(self) -> _Picture:
        now = time.monotonic()
        if now >= self._next:
            self._note_events()
            worked = time.thread_time()
            self._picture = self._laid_out(now - self._began)
            self._next = now + _MIN_BETWEEN * (time.thread_time() - worked)
        return self._picture

    def _note_events(self) -> None:
        """Take in what has happened; in the display's thread, since the run's is busy then."""
        with self._noting:
            for number in range(len(self._events)):
                event = self._events.popleft()
                self._board.take(event)
                self._forecaster.take(event)
                if number % _AT_A_TIME == _AT_A_TIME - 1:
                    time.sleep(0)

    def _laid_out(self, elapsed: float) -> _Picture:
        if elapsed >= self._next_forecast:
            worked = time.thread_time()
            self._forecast, self._forecast_at = self._forecaster.forecast(elapsed), elapsed
            worked = time.thread_time() - worked
            self._next_forecast = elapsed + max(_FORECAST_SECONDS, _MIN_BETWEEN * worked)
        status = Status(self._title, elapsed, self._forecast, elapsed - self._forecast_at)
        width, height = self._console.size
        view = self._board.view(max(1, height - HEAD - FOOT - 1))
        lines = lay_out(view, status, width, ascii_only=self._console.options.ascii_only)
        return _Picture(lines[: max(1, height - 1)])


class PlainDisplay(Display):
    """
    A line for each thing that happens, without control codes: for pipes, logs and CI.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tell = Teller()
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._writer = Thread(target=self._write, name="dagorch-display", daemon=True)

    def __call__(self, event: Event) -> None:
        if text := self._tell(event):
            self._queue.put(text)

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


def display_for(plan: Callable[[], Plan], title: str, max_parallel: int, *, quiet: bool) -> Display:
    """
    Choose how to show a run on standard error: live on a terminal that can, else plainly.

    Args:
        plan: Gives what is run.
        title: Above a live display.
        max_parallel: Steps at once.
        quiet: Show nothing at all.
    """
    if quiet:
        return SilentDisplay()
    console = Console(stderr=True, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal and not os.environ.get("CI"):
        return LiveDisplay(console, plan(), title, max_parallel)
    return PlainDisplay(sys.stderr)
