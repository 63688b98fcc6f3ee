"""The rows of a run: what runs and what failed, at a cost bounded by the rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from dagorch import LLM, Graph
from dagorch.cli.run_view import Row, RunView, Snapshot
from dagorch.models.events import Event, EventType
from dagorch.providers import ScriptedProvider
from dagorch.testing import run_virtual
from tests.unit.cli.recorded import EventMaker, cascade, cascade_events
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


def opened(graph: Graph, count: int) -> tuple[RunView, EventMaker]:
    run_view, make = RunView(graph.compile()), EventMaker()
    run_view.apply(make(0.0, KIND.RUN_STARTED))
    run_view.apply(make(0.0, KIND.NODE_STARTED, "each", kind="map"))
    run_view.apply(make(0.0, KIND.MAP_OPENED, "each", items=count))
    return run_view, make


def labels(rows: Sequence[Row]) -> list[str]:
    return ["  " * row.depth + row.label for row in rows]


def by_label(snapshot: Snapshot) -> dict[str, Row]:
    return {row.label: row for row in snapshot.rows}


def test_each_node_of_the_plan_has_a_row_with_its_state() -> None:
    run_view = RunView(cascade().compile())
    for event in cascade_events():
        run_view.apply(event)
    snapshot = run_view.snapshot(20)
    rows = by_label(snapshot)
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
    assert writing.text == "Bees dance to tell the way home."
    assert failed.text == "AuthenticationError: bad key"
    assert (snapshot.tokens, snapshot.cost_usd, dict(snapshot.hidden)) == (109, 0.0012, {})
    assert snapshot.counts == {
        "completed": 1, "retry 3 s": 1, "running": 1, "failed": 1, "blocked": 1, "waiting": 1,
    }  # fmt: skip


def test_a_body_unfolds_while_it_runs_and_folds_to_a_count_when_it_is_done() -> None:
    run_view, make = opened(items("search", "read"), 2)
    for number in (1, 0):
        run_view.apply(make(0.0, KIND.NODE_STARTED, f"each[{number}]/search", 1, kind="llm"))
    assert labels(run_view.snapshot(9).rows) == ["each", "  [0] search", "  [1] search", "last"]
    bill = {"input_tokens": 5, "output_tokens": 5, "cost_usd": 0.5}
    run_view.apply(make(1.0, KIND.NODE_COMPLETED, "each[0]/search", kind="llm", **bill))
    run_view.apply(make(1.0, KIND.NODE_STARTED, "each[0]/read", 1, kind="llm"))
    snapshot = run_view.snapshot(9)
    assert labels(snapshot.rows) == ["each", "  [0] read", "  [1] search", "last"]
    each = by_label(snapshot)["each"]
    assert (each.state, each.progress, each.tokens, each.cost_usd) == ("open", "0/2", 10, 0.5)
    run_view.apply(make(2.0, KIND.NODE_COMPLETED, "each[0]/read", kind="llm"))
    assert by_label(run_view.snapshot(9))["each"].progress == "1/2"
    run_view.apply(make(2.0, KIND.NODE_COMPLETED, "each[1]/search", kind="llm"))
    run_view.apply(make(3.0, KIND.NODE_COMPLETED, "each[1]/read", kind="llm"))
    run_view.apply(make(3.0, KIND.NODE_COMPLETED, "each", kind="map"))
    snapshot = run_view.snapshot(9)
    assert labels(snapshot.rows) == ["each", "last"]
    assert (by_label(snapshot)["each"].progress, by_label(snapshot)["each"].state) == (
        "2/2",
        "completed",
    )
    assert len(run_view._runs) == 2  # the children are removed


def test_a_failure_stays_visible_with_its_containers() -> None:
    run_view, make = opened(items("call"), 50)
    for number in range(50):
        path = f"each[{number}]/call"
        run_view.apply(make(0.0, KIND.NODE_STARTED, path, 1, kind="llm"))
        end = KIND.NODE_FAILED if number == 7 else KIND.NODE_COMPLETED
        run_view.apply(make(1.0, end, path, kind="llm", error="no way"))
    run_view.apply(make(1.0, KIND.NODE_COMPLETED, "each", kind="map"))
    snapshot = run_view.snapshot(9)
    assert labels(snapshot.rows) == ["each", "  [7] call", "last"]
    assert snapshot.rows[1].text == "no way"
    assert snapshot.counts["failed"] == 1


def test_failures_leave_room_for_running_nodes_and_the_reverse() -> None:
    run_view, make = opened(items("call"), 1_000)
    for number in range(500):
        path = f"each[{number}]/call"
        run_view.apply(make(0.0, KIND.NODE_STARTED, path, 1, kind="llm"))
        run_view.apply(make(1.0, KIND.NODE_FAILED, path, kind="llm", error="no way"))
    for number in range(500, 600):
        run_view.apply(make(1.0, KIND.NODE_STARTED, f"each[{number}]/call", 1, kind="llm"))
    rows = run_view.snapshot(10).rows
    assert len(rows) == 10
    states = [row.state for row in rows]
    assert states == ["open", *["failed"] * 3, *["running"] * 6]
    assert run_view.snapshot(10).counts == {"failed": 500, "running": 100, "open": 1, "waiting": 1}


def test_running_nodes_come_first_if_not_all_fit() -> None:
    graph = Graph("wide")
    for number in range(1_000):
        graph.add(LLM(f"n{number}", prompt="x"))
    run_view, make = RunView(graph.compile()), EventMaker()
    for number in range(500):
        run_view.apply(make(1.0, KIND.NODE_STARTED, f"n{number}", 1, kind="llm"))
    for number in range(497):
        run_view.apply(make(2.0, KIND.NODE_COMPLETED, f"n{number}", kind="llm"))
    snapshot = run_view.snapshot(7)
    assert labels(snapshot.rows) == ["n495", "n496", "n497", "n498", "n499", "n500", "n501"]
    assert dict(snapshot.hidden) == {"waiting": 498, "completed": 495}


def test_loops_count_passes_and_other_bodies_their_nodes() -> None:
    graph = everything()
    run_view = RunView(graph.compile())
    seen: list[Snapshot] = []

    def listen(event: Event) -> None:
        run_view.apply(event)
        seen.append(run_view.snapshot(12))

    async def main() -> None:
        provider = ScriptedProvider("some words", latency_seconds=1.0)
        await graph.run(question="why", provider=provider, on_event=listen, max_parallel=3)

    run_virtual(main)
    counts = {label: [] for label in ("refine", "view", "plan")}
    for snapshot in seen:
        assert len(snapshot.rows) <= 12
        for label, row in by_label(snapshot).items():
            if label in counts and row.progress and row.progress not in counts[label]:
                counts[label].append(row.progress)
    assert counts["refine"] == ["0/3", "1/3", "2/3", "3/3"]
    assert counts["view"] == [f"{n}/12" for n in range(13)]
    assert counts["plan"] == ["0/1", "1/1", "1/2", "2/2"]  # the total grows as nodes are added
    assert any("  [1] writer" in labels(snapshot.rows) for snapshot in seen)
    assert all(row.depth == 0 for row in seen[-1].rows)
    assert sum(seen[-1].counts.values()) == seen[-1].counts["completed"] + 1


def test_the_nodes_of_an_expansion_stay_visible_while_it_runs() -> None:
    graph = Graph("custom")

    async def plan() -> Graph:
        return graph

    graph.function(plan, expand=True)
    run_view, make = RunView(graph.compile()), EventMaker()
    run_view.apply(make(0.0, KIND.NODE_STARTED, "plan", 1, kind="function"))
    for name in ("a", "b", "c"):
        run_view.apply(make(1.0, KIND.NODE_READY, f"plan/{name}"))
    run_view.apply(make(1.0, KIND.NODE_STARTED, "plan/b", 1, kind="function"))
    run_view.apply(make(2.0, KIND.NODE_COMPLETED, "plan/b", kind="function"))
    assert labels(run_view.snapshot(9).rows) == ["plan", "  a", "  b", "  c"]


def test_late_usage_of_an_ended_node_run_adds_no_row() -> None:
    run_view, make = opened(items("call"), 2)
    run_view.apply(make(0.0, KIND.NODE_STARTED, "each[0]/call", 1, kind="llm"))
    run_view.apply(make(1.0, KIND.NODE_COMPLETED, "each[0]/call", kind="llm"))
    run_view.apply(make(1.0, KIND.EXCHANGE_ENDED, "each[0]/call", 1, cost_usd=1.0))
    assert labels(run_view.snapshot(9).rows) == ["each", "last"]


def test_100_000_items_slow_neither_events_nor_snapshots() -> None:
    run_view, make = opened(items("call"), 100_000)
    events = []
    for number in range(20_000):
        path = f"each[{number}]/call"
        events.append(make(0.0, KIND.NODE_STARTED, path, 1, kind="llm"))
        events.append(make(1.0, KIND.NODE_FAILED, path, kind="llm", error="no"))
    began = time.thread_time()
    for event in events:
        run_view.apply(event)
    assert (time.thread_time() - began) / len(events) < 0.001
    assert len(run_view._runs) == 2
    began = time.thread_time()
    run_view.snapshot(40)
    assert time.thread_time() - began < 0.1
