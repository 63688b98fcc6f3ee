"""What is worth a line of a run: what runs and what failed, and no more work than lines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from dagorch import LLM, Graph
from dagorch.cli.run_view import Board, Row, View
from dagorch.models.events import Event, EventType
from dagorch.providers import ScriptedProvider
from dagorch.testing import run_virtual
from tests.unit.cli.recorded import Recorder, cascade, cascade_events
from tests.unit.exporters.graphs import everything

KIND = EventType


def items(*ids: str) -> Graph:
    """A map over a chain of LLM nodes."""
    body = Graph("body")
    before: Any = body.input("item", int)
    for id in ids:
        before = body.add(LLM(id, prompt="{before}"), before=before)
    graph = Graph("items")
    each = graph.map(body, over=[1, 2], id="each")
    graph.add(LLM("last", prompt="{each}"), each=each)
    return graph


def opened(graph: Graph, count: int) -> tuple[Board, Recorder]:
    board, tell = Board(graph.compile()), Recorder()
    board.take(tell(0.0, KIND.RUN_STARTED))
    board.take(tell(0.0, KIND.NODE_STARTED, "each", kind="map"))
    board.take(tell(0.0, KIND.MAP_OPENED, "each", items=count))
    return board, tell


def labels(rows: Sequence[Row]) -> list[str]:
    return ["  " * row.depth + row.label for row in rows]


def by_label(view: View) -> dict[str, Row]:
    return {row.label: row for row in view.rows}


def test_each_node_of_the_plan_has_a_row_with_what_is_known_of_it() -> None:
    board = Board(cascade().compile())
    for event in cascade_events():
        board.take(event)
    view = board.view(20)
    rows = by_label(view)
    assert [(label, row.kind, row.state) for label, row in rows.items()] == [
        ("decompose", "llm", "completed"),
        ("belter_1", "llm", "retry 3 s"),
        ("belter_2", "llm", "running"),
        ("belter_3", "llm", "failed"),
        ("drummer_1", "llm", "blocked"),
        ("camina_1", "llm", "waiting"),
    ]
    done, writing, failed = rows["decompose"], rows["belter_2"], rows["belter_3"]
    assert (done.tokens, done.estimated, done.cost_usd, done.ended) == (100, False, 0.0012, 1.5)
    assert (writing.tokens, writing.estimated, writing.started) == (9, True, 1.5)
    assert writing.tail == "Bees dance to tell the way home."
    assert failed.tail == "AuthenticationError: bad key"
    assert (view.tokens, view.cost_usd, dict(view.folded)) == (109, 0.0012, {})
    assert view.counts == {
        "completed": 1, "retry 3 s": 1, "running": 1, "failed": 1, "blocked": 1, "waiting": 1,
    }  # fmt: skip


def test_a_body_unfolds_while_it_runs_and_folds_to_a_count_when_it_is_done() -> None:
    board, tell = opened(items("search", "read"), 2)
    for number in (1, 0):
        board.take(tell(0.0, KIND.NODE_STARTED, f"each[{number}]/search", 1, kind="llm"))
    assert labels(board.view(9).rows) == ["each", "  [0] search", "  [1] search", "last"]
    bill = {"input_tokens": 5, "output_tokens": 5, "cost_usd": 0.5}
    board.take(tell(1.0, KIND.NODE_COMPLETED, "each[0]/search", kind="llm", **bill))
    board.take(tell(1.0, KIND.NODE_STARTED, "each[0]/read", 1, kind="llm"))
    view = board.view(9)
    assert labels(view.rows) == ["each", "  [0] read", "  [1] search", "last"]
    each = by_label(view)["each"]
    assert (each.state, each.count, each.tokens, each.cost_usd) == ("open", "0/2", 10, 0.5)
    board.take(tell(2.0, KIND.NODE_COMPLETED, "each[0]/read", kind="llm"))
    assert by_label(board.view(9))["each"].count == "1/2"
    board.take(tell(2.0, KIND.NODE_COMPLETED, "each[1]/search", kind="llm"))
    board.take(tell(3.0, KIND.NODE_COMPLETED, "each[1]/read", kind="llm"))
    board.take(tell(3.0, KIND.NODE_COMPLETED, "each", kind="map"))
    view = board.view(9)
    assert labels(view.rows) == ["each", "last"]
    assert (by_label(view)["each"].count, by_label(view)["each"].state) == ("2/2", "completed")
    assert len(board._lines) == 2  # nothing of the body is kept


def test_what_failed_stays_open_with_all_that_it_is_in() -> None:
    board, tell = opened(items("call"), 50)
    for number in range(50):
        path = f"each[{number}]/call"
        board.take(tell(0.0, KIND.NODE_STARTED, path, 1, kind="llm"))
        end = KIND.NODE_FAILED if number == 7 else KIND.NODE_COMPLETED
        board.take(tell(1.0, end, path, kind="llm", error="no way"))
    board.take(tell(1.0, KIND.NODE_COMPLETED, "each", kind="map"))
    view = board.view(9)
    assert labels(view.rows) == ["each", "  [7] call", "last"]
    assert view.rows[1].tail == "no way"
    assert view.counts["failed"] == 1


def test_failures_leave_room_for_what_runs_and_what_runs_for_failures() -> None:
    board, tell = opened(items("call"), 1_000)
    for number in range(500):
        path = f"each[{number}]/call"
        board.take(tell(0.0, KIND.NODE_STARTED, path, 1, kind="llm"))
        board.take(tell(1.0, KIND.NODE_FAILED, path, kind="llm", error="no way"))
    for number in range(500, 600):
        board.take(tell(1.0, KIND.NODE_STARTED, f"each[{number}]/call", 1, kind="llm"))
    rows = board.view(10).rows
    assert len(rows) == 10
    states = [row.state for row in rows]
    assert states == ["open", *["failed"] * 3, *["running"] * 6]
    assert board.view(10).counts == {"failed": 500, "running": 100, "open": 1, "waiting": 1}


def test_of_more_nodes_than_fit_those_under_way_come_first() -> None:
    graph = Graph("wide")
    for number in range(1_000):
        graph.add(LLM(f"n{number}", prompt="x"))
    board, tell = Board(graph.compile()), Recorder()
    for number in range(500):
        board.take(tell(1.0, KIND.NODE_STARTED, f"n{number}", 1, kind="llm"))
    for number in range(497):
        board.take(tell(2.0, KIND.NODE_COMPLETED, f"n{number}", kind="llm"))
    view = board.view(7)
    assert labels(view.rows) == ["n495", "n496", "n497", "n498", "n499", "n500", "n501"]
    assert dict(view.folded) == {"waiting": 498, "completed": 495}


def test_loops_count_passes_and_other_bodies_their_nodes() -> None:
    graph = everything()
    board = Board(graph.compile())
    seen: list[View] = []

    def listen(event: Event) -> None:
        board.take(event)
        seen.append(board.view(12))

    async def main() -> None:
        provider = ScriptedProvider("some words", latency_seconds=1.0)
        await graph.run(question="why", provider=provider, on_event=listen, max_parallel=3)

    run_virtual(main)
    counts = {label: [] for label in ("refine", "view", "plan")}
    for view in seen:
        assert len(view.rows) <= 12
        for label, row in by_label(view).items():
            if label in counts and row.count and row.count not in counts[label]:
                counts[label].append(row.count)
    assert counts["refine"] == ["0/3", "1/3", "2/3", "3/3"]
    assert counts["view"] == [f"{n}/12" for n in range(13)]
    assert counts["plan"] == ["0/1", "1/1", "1/2", "2/2"]  # as they become known
    assert any("  [1] writer" in labels(view.rows) for view in seen)
    assert all(row.depth == 0 for row in seen[-1].rows)
    assert sum(seen[-1].counts.values()) == seen[-1].counts["completed"] + 1


def test_the_steps_of_a_graph_made_at_run_time_stay_in_sight_while_it_runs() -> None:
    graph = Graph("custom")

    async def plan() -> Graph:
        return graph

    graph.function(plan, expand=True)
    board, tell = Board(graph.compile()), Recorder()
    board.take(tell(0.0, KIND.NODE_STARTED, "plan", 1, kind="function"))
    for name in ("a", "b", "c"):
        board.take(tell(1.0, KIND.NODE_READY, f"plan/{name}"))
    board.take(tell(1.0, KIND.NODE_STARTED, "plan/b", 1, kind="function"))
    board.take(tell(2.0, KIND.NODE_COMPLETED, "plan/b", kind="function"))
    assert labels(board.view(9).rows) == ["plan", "  a", "  b", "  c"]


def test_a_late_bill_of_what_has_ended_is_no_row() -> None:
    board, tell = opened(items("call"), 2)
    board.take(tell(0.0, KIND.NODE_STARTED, "each[0]/call", 1, kind="llm"))
    board.take(tell(1.0, KIND.NODE_COMPLETED, "each[0]/call", kind="llm"))
    board.take(tell(1.0, KIND.EXCHANGE_ENDED, "each[0]/call", 1, cost_usd=1.0))
    assert labels(board.view(9).rows) == ["each", "last"]


def test_a_hundred_thousand_items_make_neither_events_nor_looks_slower() -> None:
    board, tell = opened(items("call"), 100_000)
    events = []
    for number in range(20_000):
        path = f"each[{number}]/call"
        events.append(tell(0.0, KIND.NODE_STARTED, path, 1, kind="llm"))
        events.append(tell(1.0, KIND.NODE_FAILED, path, kind="llm", error="no"))
    began = time.thread_time()
    for event in events:
        board.take(event)
    assert (time.thread_time() - began) / len(events) < 0.001
    assert len(board._lines) == 2
    began = time.thread_time()
    board.view(40)
    assert time.thread_time() - began < 0.1
