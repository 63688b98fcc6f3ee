"""What is seen of a run while it goes on: live on a terminal that can, plainly in a pipe."""

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
from tests.unit.cli.recorded import Recorder, cascade, cascade_events


def live(width: int = 80, height: int = 24, **options: object) -> tuple[LiveDisplay, io.StringIO]:
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, height=height, force_terminal=True, color_system=None
    )
    return LiveDisplay(console, cascade().compile(), "dream cascade: why?", 8), stream


def test_the_live_display_leaves_no_trace_and_shows_no_foreign_control_codes() -> None:
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
    display._note_events()
    assert len(display._laid_out(4.0).widths) <= max(1, height - 1)


def test_a_terminal_made_narrower_is_cleared_of_the_lines_that_it_has_folded() -> None:
    display, stream = live(width=80)
    for event in cascade_events():
        display(event)
    with display:
        display._live.auto_refresh = False
        display._live.refresh()
        widths = display._picture.widths
        display._live.console.width = 50
        display._next = 0.0
        stream.truncate(0)
        display._live.refresh()
        frame = stream.getvalue()
        stream.truncate(0)
        display._live.refresh()
        again = stream.getvalue()
    folded = sum((width - 1) // 50 for width in widths if width)
    assert folded > 3
    assert ups(frame) == len(widths) - 1 + folded
    assert ups(again) == len(widths) - 1


def ups(text: str) -> int:
    """Count the lines that the cursor goes up before anything is written."""
    return len(re.findall(r"\x1b\[1A", text))


def test_events_wait_for_a_frame_but_not_without_bound() -> None:
    display, _ = live()
    tell = Recorder()
    for number in range(10_000):
        display(tell(1.0, EventType.NODE_READY, f"expanded/n{number}"))
    assert len(display._events) == 10_000
    display(tell(2.0, EventType.NODE_STARTED, "decompose", 1, kind="llm"))
    assert not display._events
    assert display._board.view(1).rows[0].state == "running"


def test_the_forecast_is_made_once_a_second_and_counted_down_between() -> None:
    graph = Graph("chain")
    first = graph.add(LLM("first", prompt="x"))
    graph.add(LLM("last", prompt="{first}"), first=first)
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    display = LiveDisplay(console, graph.compile(), "chain", 8)
    tell = Recorder()
    display(tell(0.0, EventType.NODE_STARTED, "first", 1, kind="llm"))
    display(tell(30.0, EventType.NODE_COMPLETED, "first", kind="llm"))
    display._note_events()
    display._laid_out(30.0)
    made = display._forecast
    assert made is not None
    assert made.seconds == 30.0
    display(tell(30.0, EventType.NODE_COMPLETED, "last", kind="llm"))
    display._laid_out(30.5)
    assert display._forecast is made
    display._laid_out(31.5)
    assert display._forecast is not made


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
        "[    2.0 s] belter_1 try 1 failed: OverloadedError: busy",
        "[    3.0 s] belter_3 failed (1.5 s): AuthenticationError: bad key",
        "[    3.0 s] drummer_1 blocked",
        "stopping",
    ]


def test_a_pipe_is_told_of_items_tries_and_questions_but_not_of_what_takes_no_time() -> None:
    tell = Recorder()
    stream = io.StringIO()
    with PlainDisplay(stream) as display:
        display(tell(0.0, EventType.NODE_STARTED, "each", kind="map"))
        display(tell(0.0, EventType.MAP_OPENED, "each", items=1_200))
        display(tell(1.0, EventType.NODE_STARTED, "each[3]/ask", 2, kind="llm"))
        display(tell(1.0, EventType.NODE_STARTED, "pick", kind="branch"))
        display(tell(1.0, EventType.NODE_COMPLETED, "pick", kind="branch"))
        display(tell(2.0, EventType.NODE_PARKED, "human", question="well?"))
    assert stream.getvalue().splitlines() == [
        "[    0.0 s] each started",
        "[    0.0 s] each has 1,200 items",
        "[    1.0 s] each[3]/ask started, try 2",
        "[    1.0 s] pick completed",
        "[    2.0 s] human waits for an answer",
    ]


def test_a_pipe_that_nobody_reads_holds_up_nothing() -> None:
    read, write = os.pipe()
    os.set_blocking(write, True)
    tell = Recorder()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "w") as stream:
        display = PlainDisplay(stream)
        with display:
            for i in range(5_000):  # more than a pipe holds, and no reader yet
                display(tell(0.0, EventType.NODE_STARTED, f"node_number_{i}", 1, kind="llm"))
            threading.Thread(target=reader.read, daemon=True).start()
        display._writer.join(10.0)
        assert not display._writer.is_alive()


def test_a_reader_that_has_gone_does_not_matter() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        with PlainDisplay(stream) as display:
            for event in cascade_events():
                display(event)
        assert not display._writer.is_alive()
        with pytest.raises(BrokenPipeError):
            stream.close()


def test_nothing_is_shown_where_that_is_wanted() -> None:
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
def test_the_display_fits_where_it_is(
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
    """A stream that says whether it is a terminal."""

    def __init__(self, is_one: bool) -> None:
        super().__init__()
        self._is_one = is_one

    def isatty(self) -> bool:
        return self._is_one
