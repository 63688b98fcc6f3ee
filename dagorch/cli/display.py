"""
Shows a run while it goes on: a live display on a terminal, plain lines elsewhere.

Each display writes in a thread of its own, so that a slow terminal or pipe does not slow the run.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Final, Self, TextIO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment
from rich.text import Text

from dagorch.cli.event_lines import EventFormatter
from dagorch.cli.layout import (
    HEADER_LINES,
    MAX_FOOTER_LINES,
    Status,
    StyledText,
    format_lines,
)
from dagorch.cli.run_view import RunView
from dagorch.cli.streams import LossyStream
from dagorch.exporters.pictures.text_width import cell_len
from dagorch.graph.forecast import Forecast, Forecaster
from dagorch.graph.plan import Plan
from dagorch.models.clean import one_line
from dagorch.models.events import Event

__all__ = ["Display", "LiveDisplay", "PlainDisplay", "SilentDisplay", "display_for"]

FRAMES_PER_SECOND: Final = 10
_FRAME_COST_FACTOR: Final = 50
"""
The time between two frames or forecasts, as a multiple of the CPU time that one takes.

That time is taken from the thread of the run, so the display costs it 2 % at most.
"""
_MAX_QUEUED_EVENTS: Final = 10_000
"""Events that may wait for the next frame; more are applied on the event loop."""
_EVENTS_PER_SLICE: Final = 64
"""Events applied before the thread of the run may continue."""
_FORECAST_SECONDS: Final = 1.0
"""The shortest time between two forecasts."""
_CLOSE_SECONDS: Final = 2.0
"""The time limit for the last lines when their reader is slow."""


class Display(AbstractContextManager["Display"]):
    """Base class: a context around the run, and a listener of its events. Shows nothing."""

    def __call__(self, event: Event) -> None:
        """Accept an event. Runs on the event loop, so it must not block."""

    def note(self, text: str) -> None:
        """Show a line of text."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish the output."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Show nothing inside the block, so that a person can be asked."""
        yield


class SilentDisplay(Display):
    """Shows nothing."""


class _Frame:
    """Formatted lines that rich writes as they are, without wrapping or measuring."""

    def __init__(self, lines: Sequence[Sequence[StyledText]]) -> None:
        self._lines = lines
        self.widths = [sum(cell_len(text) for text, _ in line) for line in lines]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines:
            for text, style in line:
                yield Segment(text, console.get_style(style) if style else None)
            yield Segment.line()


class _ResizableLive(Live):
    """
    A `Live` that erases its last frame completely after the terminal became narrower.

    A terminal then wraps long lines. rich erases as many lines as it wrote, which leaves the
    wrapped rest on the screen.
    """

    _next_widths: Sequence[int] = ()
    _written_widths: Sequence[int] = ()

    def get_renderable(self) -> RenderableType:
        frame = super().get_renderable()
        if isinstance(frame, _Frame):
            self._next_widths = frame.widths
        return frame

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        columns = max(1, self.console.width)
        wrapped = sum((width - 1) // columns for width in self._written_widths if width)
        processed = super().process_renderables(renderables)
        self._written_widths = self._next_widths
        if not wrapped:
            return processed
        erase_line_above = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
        return [processed[0], Control(*erase_line_above * wrapped), *processed[1:]]


class LiveDisplay(Display):
    """
    A tree of node runs on a terminal, redrawn during the run and erased after it.

    It is redrawn ten times a second, or less often if a frame takes long to format.

    Args:
        console: The terminal.
        plan: The plan of the run.
        title: The first line.
        max_parallel: Steps that run at the same time, for the forecast.
    """

    def __init__(self, console: Console, plan: Plan, title: str, max_parallel: int) -> None:
        self._console = console
        self._title = one_line(title)
        self._events: deque[Event] = deque()
        self._applying = Lock()
        self._view = RunView(plan)
        self._forecaster = Forecaster(plan, max_parallel)
        self._forecast: Forecast | None = None
        self._forecast_at = 0.0
        self._next_forecast = 0.0
        self._started = time.monotonic()
        self._frame = _Frame([])
        self._next_frame = float("inf")
        """When the next frame is due; never before the start and after the end."""
        self._live = _ResizableLive(
            console=console,
            get_renderable=self._render,
            refresh_per_second=FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
        )

    def __call__(self, event: Event) -> None:
        self._events.append(event)
        if len(self._events) > _MAX_QUEUED_EVENTS:
            self._apply_events()

    def note(self, text: str) -> None:
        self._console.print(Text(one_line(text)))

    def __enter__(self) -> Self:
        self._started = self._next_frame = time.monotonic()
        self._live.start()
        return self

    def close(self) -> None:
        self._next_frame = float("inf")
        self._live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def _render(self) -> _Frame:
        now = time.monotonic()
        if now >= self._next_frame:
            self._apply_events()
            cpu_start = time.thread_time()
            self._frame = self._format_frame(now - self._started)
            self._next_frame = now + _FRAME_COST_FACTOR * (time.thread_time() - cpu_start)
        return self._frame

    def _apply_events(self) -> None:
        """Apply the queued events; in the display's thread, since the run's thread is busy."""
        with self._applying:
            for number in range(len(self._events)):
                event = self._events.popleft()
                self._view.apply(event)
                self._forecaster.observe(event)
                if number % _EVENTS_PER_SLICE == _EVENTS_PER_SLICE - 1:
                    time.sleep(0)

    def _format_frame(self, elapsed: float) -> _Frame:
        if elapsed >= self._next_forecast:
            cpu_start = time.thread_time()
            self._forecast, self._forecast_at = self._forecaster.forecast(elapsed), elapsed
            cpu_seconds = time.thread_time() - cpu_start
            self._next_forecast = elapsed + max(_FORECAST_SECONDS, _FRAME_COST_FACTOR * cpu_seconds)
        status = Status(self._title, elapsed, self._forecast, elapsed - self._forecast_at)
        columns, height = self._console.size
        snapshot = self._view.snapshot(max(1, height - HEADER_LINES - MAX_FOOTER_LINES - 1))
        ascii_only = self._console.options.ascii_only
        lines = format_lines(snapshot, status, columns, ascii_only=ascii_only)
        return _Frame(lines[: max(1, height - 1)])


class PlainDisplay(Display):
    """
    A line for each event that matters, without control codes: for pipes, logs and CI.

    Args:
        stream: The output.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._format = EventFormatter()
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._writer = Thread(target=self._write, name="dagorch-display", daemon=True)

    def __call__(self, event: Event) -> None:
        if text := self._format(event):
            self._queue.put(text)

    def note(self, text: str) -> None:
        self._queue.put(one_line(text))

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def close(self) -> None:
        self._queue.put(None)
        self._writer.join(_CLOSE_SECONDS)

    def _write(self) -> None:
        while (text := self._queue.get()) is not None:
            try:
                print(text, file=self._stream, flush=True)
            except (OSError, ValueError):  # the reader is gone; the run continues
                return


def display_for(plan: Callable[[], Plan], title: str, max_parallel: int, *, quiet: bool) -> Display:
    """
    Choose the display for standard error: live on a capable terminal, plain elsewhere.

    Args:
        plan: Returns the plan of the run.
        title: The first line of a live display.
        max_parallel: Steps that run at the same time.
        quiet: Show nothing at all.
    """
    if quiet:
        return SilentDisplay()
    stream: Any = LossyStream(sys.stderr)
    console = Console(file=stream, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal and not os.environ.get("CI"):
        return LiveDisplay(console, plan(), title, max_parallel)
    return PlainDisplay(sys.stderr)
