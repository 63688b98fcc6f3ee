"""A board laid out: legible at 80 columns, at 40, with wide characters, and in ASCII."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.cli.layout import FOOT, HEAD, Status, lay_out
from dagorch.cli.run_view import Board, Row, View
from dagorch.exporters.pictures.text_width import cell_len
from dagorch.graph.forecast import Forecast
from tests.unit.cli.recorded import cascade, cascade_events


def cascade_view() -> View:
    board = Board(cascade().compile())
    for event in cascade_events():
        board.take(event)
    return board.view(20)


def shown(
    view: View, width: int = 80, *, forecast: Forecast | None = None, **options: bool
) -> list[str]:
    status = Status("dream cascade: why?", 4.0, forecast)
    return ["".join(text for text, _ in line) for line in lay_out(view, status, width, **options)]


def view_of(*rows: Row, cost_usd: float = 0.0, progress: float = 42.0) -> View:
    return View(progress, {"completed": 1_234, "running": 5}, 98_765, cost_usd, rows, {})


def row(label: str = "node", **facts: object) -> Row:
    known: dict[str, object] = {
        "depth": 0, "label": label, "kind": "llm", "count": "", "state": "running", "attempt": 1,
        "started": 1.0, "ended": None, "tokens": 0, "estimated": True, "cost_usd": 0.0, "tail": "",
    }  # fmt: skip
    return Row(**{**known, **facts})  # type: ignore[arg-type]


def test_at_80_columns_every_row_has_state_tokens_cost_and_time() -> None:
    lines = shown(cascade_view())
    assert lines[0] == "dream cascade: why?"
    assert lines[HEAD:] == [
        "✓ decompose           LLM            completed         100  $0.0012       1.5 s",
        "↻ belter_1            LLM            retry 3 s                            2.5 s",
        "● belter_2            LLM            running            ~9                2.5 s",
        "✗ belter_3            LLM            failed                               1.5 s",
        "! drummer_1           LLM            blocked",
        "· camina_1            LLM            waiting",
        "belter_3: AuthenticationError: bad key",
        "belter_2: Bees dance to tell the way home.",
    ]


def test_at_40_columns_the_essentials_are_left() -> None:
    assert shown(cascade_view(), 40) == [
        "dream cascade: why?",
        "──────────────────────────   0 %  4.0 s",
        "$0.0012, 1 done, 1 running, 1 failed",
        "✓ decompose                       1.5 s",
        "↻ belter_1                        2.5 s",
        "● belter_2                        2.5 s",
        "✗ belter_3                        1.5 s",
        "! drummer_1",
        "· camina_1",
        "belter_3: AuthenticationError: bad key",
        "belter_2: s dance to tell the way home.",
    ]


def test_a_wide_terminal_shows_beside_each_row_what_it_writes_or_why_it_failed() -> None:
    lines = shown(cascade_view(), width=140)
    assert lines[HEAD + 2].endswith("  Bees dance to tell the way home.")
    assert lines[HEAD + 3].endswith("  AuthenticationError: bad key")
    assert len(lines) == HEAD + 6


@pytest.mark.parametrize(
    ("forecast", "told"),
    [
        (None, "42 %  4.0 s"),
        (Forecast(18.2, 0.0, is_whole=True), "42 %  4.0 s, about 18 s left"),
        (Forecast(18.2, 0.0, is_whole=False), "42 %  4.0 s, 18 s left or more"),
        (Forecast(0.4, 0.0, is_whole=True), "42 %  4.0 s"),
        (Forecast(134.0, 0.0, is_whole=True), "42 %  4.0 s, about 2 min 10 s left"),
        (Forecast(119.0, 0.0, is_whole=True), "42 %  4.0 s, about 2 min left"),
        (Forecast(1_834.0, 0.0, is_whole=True), "42 %  4.0 s, about 31 min left"),
        (Forecast(7_300.0, 0.0, is_whole=True), "42 %  4.0 s, about 2 h 2 min left"),
    ],
)
def test_what_is_left_is_about_so_much_or_not_told_at_all(
    forecast: Forecast | None, told: str
) -> None:
    line = shown(view_of(row()), forecast=forecast)[1]
    assert line.lstrip("━─ ") == told
    assert re.fullmatch(r"━{12}─{18} +\S.*", line)


@pytest.mark.parametrize(
    ("forecast", "told"),
    [
        (None, "$0.12, 1,234 done"),
        (Forecast(1.0, 0.314, is_whole=True), "$0.12, about $0.31 in all, 1,234 done"),
        (Forecast(1.0, 0.314, is_whole=False), "$0.12, $0.31 in all or more, 1,234 done"),
        (Forecast(1.0, 0.12, is_whole=True), "$0.12, 1,234 done"),
    ],
)
def test_what_it_will_cost_is_told_beside_what_it_has_cost(
    forecast: Forecast | None, told: str
) -> None:
    assert shown(view_of(row(), cost_usd=0.12), forecast=forecast)[2].startswith(told)


def test_where_no_money_is_spent_none_is_told() -> None:
    lines = shown(view_of(row()), forecast=Forecast(1.0, 0.0, is_whole=True))
    assert lines[2] == "1,234 done, 5 running, 98,765 tokens"
    assert not any("$" in line for line in lines)


def test_bodies_are_further_in_and_say_how_far_they_have_come() -> None:
    view = view_of(
        row("each", kind="map", count="12/200", state="open"),
        row("[7] search", depth=1, attempt=3),
        row("[8] search", depth=1, state="ready", started=None),
    )
    assert shown(view)[HEAD:] == [
        "▾ each                         map 12/200     running                     3.0 s",
        "●   [7] search                 LLM            try 3                       3.0 s",
        "·   [8] search                 LLM            ready",
    ]
    assert shown(view, 60)[HEAD].startswith("▾ each 12/200  ")


def test_what_is_folded_is_counted() -> None:
    view = View(0.0, {}, 0, 0.0, [row()], {"completed": 1_200, "waiting": 3})
    assert shown(view)[-1] == "… and 1,200 completed, 3 waiting"


def test_names_of_two_cells_a_character_keep_the_columns() -> None:
    lines = shown(view_of(row("短い名前"), row("plain"), row("とても長い名前" * 5)))[HEAD:]
    assert len({cell_len(line) for line in lines}) == 1
    assert "…" in lines[2]


def test_ascii_is_enough() -> None:
    lines = shown(cascade_view(), ascii_only=True)
    assert all(line.isascii() for line in lines)
    assert [line[0] for line in lines[HEAD : HEAD + 6]] == ["+", "r", "*", "x", "!", "."]


@given(
    st.integers(1, 200),
    st.text(max_size=60).map(lambda text: " ".join(text.split())),
    st.floats(0, 1e7),
    st.integers(0, 10**9),
    st.integers(0, 9),
)
def test_no_line_is_as_wide_as_the_terminal(
    width: int, text: str, amount: float, tokens: int, depth: int
) -> None:
    view = view_of(
        row(text, tail=text, tokens=tokens, depth=depth, cost_usd=amount, started=-amount),
        row(text, tail=text, state="failed"),
        cost_usd=amount,
    )
    lines = shown(view, width, forecast=Forecast(amount, amount, is_whole=False))
    limit = max(30, width - 1)
    assert all(cell_len(line) <= limit for line in lines)
    assert len(lines) <= HEAD + 2 + FOOT
