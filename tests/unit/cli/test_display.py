"""The display of a run: live on a capable terminal, plain lines in a pipe."""

from __future__ import annotations

import io
import os
import re
import threading

import pytest
from rich.console import Console

from dagorch import LLM, Graph
from dagorch.cli.display import LiveDisplay, PlainDisplay, SilentDisplay, display_for
from dagorch.models.events import EventType
from tests.unit.cli.recorded import EventMaker, cascade, cascade_events


def live(width: int = 80, height: int = 24, **options: object) -> tuple[LiveDisplay, io.StringIO]:
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, height=height, force_terminal=True, color_system=None
    )
    return LiveDisplay(console, cascade().compile(), "dream cascade: why?", 8), stream


def test_the_live_display_is_erased_and_shows_no_foreign_control_codes() -> None:
    display, stream = live()
    for event in cascade_events():
        display(event)
    with display:
        display.note("a note\x1b]0;evil\x07 of its own")
        display._live.refresh()
    text = stream.getvalue()
    assert "a note of its own" in text
    assert "Bees dance to tell the way home." in text
    assert "evil" not in text
    assert "\x1b[31m" not in text
    assert text.endswith("\x1b[2K")  # the last frame's lines are erased


@pytest.mark.parametrize("height", [1, 2, 5, 10, 24])
def test_there_are_never_more_lines_than_the_terminal_has(height: int) -> None:
    display, _ = live(height=height)
    for event in cascade_events():
        display(event)
    display._apply_events()
    assert len(display._format_frame(4.0).widths) <= max(1, height - 1)


def test_lines_that_a_narrower_terminal_wraps_are_erased() -> None:
    display, stream = live(width=80)
    for event in cascade_events():
        display(event)
    with display:
        display._live.auto_refresh = False
        display._live.refresh()
        widths = display._frame.widths
        display._live.console.width = 50
        display._next_frame = 0.0
        stream.truncate(0)
        display._live.refresh()
        frame = stream.getvalue()
        stream.truncate(0)
        display._live.refresh()
        again = stream.getvalue()
    wrapped = sum((width - 1) // 50 for width in widths if width)
    assert wrapped > 3
    assert ups(frame) == len(widths) - 1 + wrapped
    assert ups(again) == len(widths) - 1


def ups(text: str) -> int:
    """Count the lines that the cursor goes up before anything is written."""
    return len(re.findall(r"\x1b\[1A", text))


def test_a_bounded_number_of_events_waits_for_a_frame() -> None:
    display, _ = live()
    make = EventMaker()
    for number in range(10_000):
        display(make(1.0, EventType.NODE_READY, f"expanded/n{number}"))
    assert len(display._events) == 10_000
    display(make(2.0, EventType.NODE_STARTED, "decompose", 1, kind="llm"))
    assert not display._events
    assert display._view.snapshot(1).rows[0].state == "running"


def test_a_forecast_is_made_once_a_second_and_counted_down() -> None:
    graph = Graph("chain")
    first = graph.add(LLM("first", prompt="x"))
    graph.add(LLM("last", prompt="{first}"), first=first)
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    display = LiveDisplay(console, graph.compile(), "chain", 8)
    make = EventMaker()
    display(make(0.0, EventType.NODE_STARTED, "first", 1, kind="llm"))
    display(make(30.0, EventType.NODE_COMPLETED, "first", kind="llm"))
    display._apply_events()
    display._format_frame(30.0)
    forecast = display._forecast
    assert forecast is not None
    assert forecast.seconds == 30.0
    display(make(30.0, EventType.NODE_COMPLETED, "last", kind="llm"))
    display._format_frame(30.5)
    assert display._forecast is forecast
    display._format_frame(31.5)
    assert display._forecast is not forecast


def test_in_a_pipe_each_step_is_a_line_without_control_codes() -> None:
    stream = io.StringIO()
    with PlainDisplay(stream) as display:
        for event in cascade_events():
            display(event)
        display.note("stopping")
    assert stream.getvalue().splitlines() == [
        "[    0.0 s] decompose started",
        "[    1.5 s] decompose completed (1.5 s, 100 tokens, $0.0012)",
        "[    1.5 s] belter_1 started",
        "[    1.5 s] belter_2 started",
        "[    1.5 s] belter_3 started",
        "[    2.0 s] belter_1 attempt 1 failed: OverloadedError: busy",
        "[    3.0 s] belter_3 failed (1.5 s): AuthenticationError: bad key",
        "[    3.0 s] drummer_1 blocked",
        "stopping",
    ]


def test_a_pipe_gets_items_tries_and_questions_but_no_start_of_instant_nodes() -> None:
    make = EventMaker()
    stream = io.StringIO()
    with PlainDisplay(stream) as display:
        display(make(0.0, EventType.NODE_STARTED, "each", kind="map"))
        display(make(0.0, EventType.MAP_OPENED, "each", items=1_200))
        display(make(1.0, EventType.NODE_STARTED, "each[3]/ask", 2, kind="llm"))
        display(make(1.0, EventType.NODE_STARTED, "pick", kind="branch"))
        display(make(1.0, EventType.NODE_COMPLETED, "pick", kind="branch"))
        display(make(2.0, EventType.NODE_PARKED, "human", question="well?"))
    assert stream.getvalue().splitlines() == [
        "[    0.0 s] each started",
        "[    0.0 s] each has 1,200 items",
        "[    1.0 s] each[3]/ask started, attempt 2",
        "[    1.0 s] pick completed",
        "[    2.0 s] human waits for an answer",
    ]


def test_a_pipe_that_is_not_read_does_not_block_the_run() -> None:
    read, write = os.pipe()
    os.set_blocking(write, True)
    make = EventMaker()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "w") as stream:
        display = PlainDisplay(stream)
        with display:
            for i in range(5_000):  # more than a pipe holds, and no reader yet
                display(make(0.0, EventType.NODE_STARTED, f"node_number_{i}", 1, kind="llm"))
            threading.Thread(target=reader.read, daemon=True).start()
        display._writer.join(10.0)
        assert not display._writer.is_alive()


def test_a_closed_pipe_is_not_an_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        with PlainDisplay(stream) as display:
            for event in cascade_events():
                display(event)
        assert not display._writer.is_alive()
        with pytest.raises(BrokenPipeError):
            stream.close()


def test_the_silent_display_accepts_every_event() -> None:
    with SilentDisplay() as display:
        display(cascade_events()[0])
        display.note("nothing")


@pytest.mark.parametrize(
    ("environment", "terminal", "kind"),
    [
        ({}, True, LiveDisplay),
        ({}, False, PlainDisplay),
        ({"CI": "true"}, True, PlainDisplay),
        ({"TERM": "dumb"}, True, PlainDisplay),
    ],
)
def test_the_display_depends_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], terminal: bool, kind: type
) -> None:
    for name in ("CI", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr", Terminal(terminal))
    plan = cascade().compile
    assert type(display_for(plan, "title", 8, quiet=False)) is kind
    assert type(display_for(plan, "title", 8, quiet=True)) is SilentDisplay


class Terminal(io.StringIO):
    """A stream that may claim to be a terminal."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal
