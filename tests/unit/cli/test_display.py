"""What is seen of a run while it goes on: live at 80 columns, plainly in a pipe."""

from __future__ import annotations

import io
import os
import threading
import time

import pytest
from rich.console import Console

from dagorch.cli.board import Board
from dagorch.cli.display import LiveDisplay, PlainDisplay, SilentDisplay, display_for, render
from dagorch.models.events import EventType
from tests.unit.cli.recorded import Recorder, cascade_events

PLANNED = [
    ("decompose", "llm"),
    ("belter_1", "llm"),
    ("belter_2", "llm"),
    ("belter_3", "llm"),
    ("drummer_1", "llm"),
    ("camina_1", "llm"),
]


def board_after(events: int | None = None) -> Board:
    board = Board(PLANNED)
    for event in cascade_events()[:events]:
        board.take(event)
    return board


def shown(board: Board, width: int = 80, most: int = 20) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=False)
    console.print(render(board.view(most), "dream cascade: why?", 4.0, width))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_at_80_columns_every_node_has_a_line_with_state_tokens_and_time() -> None:
    lines = shown(board_after())
    assert all(len(line) <= 80 for line in lines)
    assert lines[0] == "dream cascade: why?"
    told = {line.split()[0]: line.split()[1:] for line in lines[1:7]}
    assert told == {
        "decompose": ["LLM", "completed", "100", "1.5", "s"],
        "belter_1": ["LLM", "in", "3", "s", "again", "2.5", "s"],
        "belter_2": ["LLM", "running", "~9", "2.5", "s"],
        "belter_3": ["LLM", "failed", "1.5", "s"],
        "drummer_1": ["LLM", "blocked"],
        "camina_1": ["LLM", "waiting"],
    }
    assert lines[7] == "belter_2: Bees dance to tell the way home."
    assert (
        lines[8] == "3 of 6 node runs, 1 running, 1 failed, 1 blocked, 109 tokens, 4.0 s, $0.0012"
    )


def test_a_wide_terminal_shows_what_each_node_writes_and_why_one_failed() -> None:
    lines = shown(board_after(), width=120)
    assert any("Bees dance to tell the way home." in line for line in lines)
    assert any("AuthenticationError: bad key" in line for line in lines)
    assert all(len(line) <= 120 for line in lines)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_width_makes_a_line_longer_than_the_terminal(width: int) -> None:
    assert all(len(line) <= width for line in shown(board_after(), width=width))


def test_of_more_nodes_than_fit_those_under_way_are_shown() -> None:
    board = Board((f"n{i}", "llm") for i in range(1_000))
    tell = Recorder()
    for i in range(500):
        board.take(tell(1.0, EventType.NODE_STARTED, f"n{i}", 1, kind="llm"))
    for i in range(497):
        board.take(tell(2.0, EventType.NODE_COMPLETED, f"n{i}", kind="llm"))
    lines = shown(board, most=6)
    assert [line.split()[0] for line in lines[1:7]] == [
        "n494",
        "n495",
        "n496",
        "n497",
        "n498",
        "n499",
    ]
    assert lines[7] == "... and 994 more node runs"


def test_an_event_of_a_run_with_100_000_node_runs_stays_cheap() -> None:
    board = Board((f"n{i}", "llm") for i in range(100_000))
    tell = Recorder()
    events = [tell(1.0, EventType.NODE_STARTED, f"n{i}", 1, kind="llm") for i in range(2_000)]
    began = time.perf_counter()
    for event in events:
        board.take(event)
    assert (time.perf_counter() - began) / len(events) < 0.0005
    began = time.perf_counter()
    board.view(20)
    assert time.perf_counter() - began < 0.05


def test_the_live_display_leaves_no_trace_and_shows_no_foreign_control_codes() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80, height=24, force_terminal=True, color_system=None)
    with LiveDisplay(console, board_after(), "title") as display:
        display.note("a note\x1b]0;evil\x07 of its own")
        display._live.refresh()
    text = stream.getvalue()
    assert "a note of its own" in text
    assert "Bees dance to tell the way home." in text
    assert "evil" not in text
    assert "\x1b[31m" not in text
    assert text.endswith("\x1b[2K")  # the last frame's lines are erased


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


def test_a_pipe_that_nobody_reads_holds_up_nothing() -> None:
    read, write = os.pipe()
    os.set_blocking(write, True)
    tell = Recorder()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "w") as stream:
        display = PlainDisplay(stream)
        with display:
            began = time.perf_counter()
            for i in range(5_000):  # more than a pipe holds
                display(tell(0.0, EventType.NODE_STARTED, f"node_number_{i}", 1, kind="llm"))
            assert time.perf_counter() - began < 5.0
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
    assert type(display_for(lambda: PLANNED, "title", quiet=False)) is kind
    assert type(display_for(lambda: PLANNED, "title", quiet=True)) is SilentDisplay


class Terminal(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, is_one: bool) -> None:
        super().__init__()
        self._is_one = is_one

    def isatty(self) -> bool:
        return self._is_one
