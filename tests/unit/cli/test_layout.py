"""The lines of a run: at 80 columns, at 40, with wide characters, and in ASCII."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.cli.layout import HEADER_LINES, MAX_FOOTER_LINES, Status, format_lines
from dagorch.cli.run_view import Row, RunView, Snapshot
from dagorch.exporters.pictures.text_width import cell_len
from dagorch.graph.forecast import Forecast
from tests.unit.cli.recorded import cascade, cascade_events


def cascade_snapshot() -> Snapshot:
    run_view = RunView(cascade().compile())
    for event in cascade_events():
        run_view.apply(event)
    return run_view.snapshot(20)


def shown(
    snapshot: Snapshot, width: int = 80, *, forecast: Forecast | None = None, **options: bool
) -> list[str]:
    status = Status("dream cascade: why?", 4.0, forecast)
    return [
        "".join(text for text, _ in line)
        for line in format_lines(snapshot, status, width, **options)
    ]


def snapshot_of(*rows: Row, cost_usd: float = 0.0, progress: float = 42.0) -> Snapshot:
    return Snapshot(progress, {"completed": 1_234, "running": 5}, 98_765, cost_usd, rows, {})


def row(label: str = "node", **values: object) -> Row:
    defaults: dict[str, object] = {
        "depth": 0, "label": label, "kind": "llm", "progress": "", "state": "running", "attempt": 1,
        "started": 1.0, "ended": None, "tokens": 0, "estimated": True, "cost_usd": 0.0, "text": "",
    }  # fmt: skip
    return Row(**{**defaults, **values})  # type: ignore[arg-type]


def test_at_80_columns_every_row_has_state_tokens_cost_and_time() -> None:
    lines = shown(cascade_snapshot())
    assert lines[0] == "dream cascade: why?"
    assert lines[HEADER_LINES:] == [
        "✓ decompose           LLM            completed         100  $0.0012       1.5 s",
        "↻ belter_1            LLM            retry 3 s                            2.5 s",
        "● belter_2            LLM            running            ~9                2.5 s",
        "✗ belter_3            LLM            failed                               1.5 s",
        "! drummer_1           LLM            blocked",
        "· camina_1            LLM            waiting",
        "belter_3: AuthenticationError: bad key",
        "belter_2: Bees dance to tell the way home.",
    ]


def test_at_40_columns_the_essentials_remain() -> None:
    assert shown(cascade_snapshot(), 40) == [
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


def test_a_wide_terminal_shows_the_output_or_error_of_each_row() -> None:
    lines = shown(cascade_snapshot(), width=140)
    assert lines[HEADER_LINES + 2].endswith("  Bees dance to tell the way home.")
    assert lines[HEADER_LINES + 3].endswith("  AuthenticationError: bad key")
    assert len(lines) == HEADER_LINES + 6


@pytest.mark.parametrize(
    ("forecast", "expected"),
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
def test_the_time_left_is_approximate_or_absent(forecast: Forecast | None, expected: str) -> None:
    line = shown(snapshot_of(row()), forecast=forecast)[1]
    assert line.lstrip("━─ ") == expected
    assert re.fullmatch(r"━{12}─{18} +\S.*", line)


@pytest.mark.parametrize(
    ("forecast", "expected"),
    [
        (None, "$0.12, 1,234 done"),
        (Forecast(1.0, 0.314, is_whole=True), "$0.12, about $0.31 in all, 1,234 done"),
        (Forecast(1.0, 0.314, is_whole=False), "$0.12, $0.31 in all or more, 1,234 done"),
        (Forecast(1.0, 0.12, is_whole=True), "$0.12, 1,234 done"),
    ],
)
def test_the_expected_cost_stands_beside_the_cost_so_far(
    forecast: Forecast | None, expected: str
) -> None:
    assert shown(snapshot_of(row(), cost_usd=0.12), forecast=forecast)[2].startswith(expected)


def test_a_run_without_costs_shows_none() -> None:
    lines = shown(snapshot_of(row()), forecast=Forecast(1.0, 0.0, is_whole=True))
    assert lines[2] == "1,234 done, 5 running, 98,765 tokens"
    assert not any("$" in line for line in lines)


def test_bodies_are_indented_and_show_their_progress() -> None:
    snapshot = snapshot_of(
        row("each", kind="map", progress="12/200", state="open"),
        row("[7] search", depth=1, attempt=3),
        row("[8] search", depth=1, state="ready", started=None),
    )
    assert shown(snapshot)[HEADER_LINES:] == [
        "▾ each                         map 12/200     running                     3.0 s",
        "●   [7] search                 LLM            attempt 3                   3.0 s",
        "·   [8] search                 LLM            ready",
    ]
    assert shown(snapshot, 60)[HEADER_LINES].startswith("▾ each 12/200  ")


def test_hidden_nodes_are_counted() -> None:
    snapshot = Snapshot(0.0, {}, 0, 0.0, [row()], {"completed": 1_200, "waiting": 3})
    assert shown(snapshot)[-1] == "… and 1,200 completed, 3 waiting"


def test_wide_characters_keep_the_columns() -> None:
    lines = shown(snapshot_of(row("短い名前"), row("plain"), row("とても長い名前" * 5)))[
        HEADER_LINES:
    ]
    assert len({cell_len(line) for line in lines}) == 1
    assert "…" in lines[2]


def test_ascii_is_enough() -> None:
    lines = shown(cascade_snapshot(), ascii_only=True)
    assert all(line.isascii() for line in lines)
    assert [line[0] for line in lines[HEADER_LINES : HEADER_LINES + 6]] == [
        "+",
        "r",
        "*",
        "x",
        "!",
        ".",
    ]


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
    snapshot = snapshot_of(
        row(text, text=text, tokens=tokens, depth=depth, cost_usd=amount, started=-amount),
        row(text, text=text, state="failed"),
        cost_usd=amount,
    )
    lines = shown(snapshot, width, forecast=Forecast(amount, amount, is_whole=False))
    limit = max(30, width - 1)
    assert all(cell_len(line) <= limit for line in lines)
    assert len(lines) <= HEADER_LINES + 2 + MAX_FOOTER_LINES
