"""The timeline of a run: every stretch of work in its lane, no two of a row at once."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from functools import partial
from itertools import pairwise
from typing import Any

import anyio
import pytest

from dagorch import LLM, Graph, Policy, RunError
from dagorch.exporters import to_timeline, to_timeline_svg
from dagorch.exporters.report.segments import lane_name, segments_of
from dagorch.exporters.report.timeline import Timeline
from dagorch.exporters.report.timeline_svg import MAX_ROWS, MAX_TOOLTIPS, clock, ticks
from dagorch.models.result import NodeRun, Result
from dagorch.testing import ScriptedProvider, run_virtual

SVG = "{http://www.w3.org/2000/svg}"


async def second(_: int = 0) -> int:
    await anyio.sleep(1)
    return 1


def wide(count: int) -> Graph:
    graph = Graph("wide")
    for number in range(count):
        graph.function(second, id=f"step_{number:03}")
    return graph


def ran(graph: Graph, **options: Any) -> Result:
    options.setdefault("provider", ScriptedProvider("Yes."))
    return run_virtual(partial(graph.run, **options))


def check(timeline: Timeline, result: Result) -> None:
    """Check the invariants of a timeline."""
    drawn = set()
    for lane in timeline.lanes:
        assert {bar.row for bar in lane.bars} == set(range(lane.rows))
        starts = [bar.start_seconds for bar in lane.bars if bar.kind == "running"]
        assert len(starts) <= len(lane.bars)
        ends: dict[int, float] = {}
        for bar in lane.bars:
            assert 0 <= bar.start_seconds <= bar.end_seconds <= timeline.seconds
            assert bar.start_seconds >= ends.get(bar.row, 0.0), (lane.name, bar)
            ends[bar.row] = bar.end_seconds
            drawn.add(bar.path)
    assert drawn == {path for path, run in result.node_runs.items() if segments_of(run)}


def test_a_free_row_is_reused() -> None:
    result = ran(wide(6), max_parallel=2)
    timeline = to_timeline(result)
    check(timeline, result)
    (lane,) = timeline.lanes
    assert (lane.name, lane.node_runs, lane.busy_seconds) == ("functions", 6, 6.0)
    assert timeline.seconds == 3.0
    assert lane.rows == 6  # four of them waited from the start
    waits = sorted(bar.end_seconds for bar in lane.bars if bar.kind == "waiting")
    assert waits == [1.0, 1.0, 2.0, 2.0]

    chain = Graph("chain")
    ref = chain.function(second, id="s0")
    for number in range(1, 4):
        ref = chain.function(second, _=ref, id=f"s{number}")
    (lane,) = to_timeline(ran(chain)).lanes
    assert lane.rows == 1
    (lane,) = to_timeline(ran(chain), max_separate_rows=4).lanes
    assert [bar.row for bar in lane.bars] == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(20))
def test_random_runs(seed: int) -> None:
    chance = random.Random(seed)
    graph = Graph("random")

    def step(seconds: float) -> Any:
        async def wait(**_: Any) -> None:
            await anyio.sleep(seconds)

        return wait

    refs: list[Any] = []
    for number in range(30):
        before = chance.sample(refs, min(len(refs), chance.randrange(3)))
        refs.append(graph.function(step(chance.random()), id=f"n{number}", after=before))
    result = ran(graph, max_parallel=3)
    for separate_rows in (0, 30):
        check(to_timeline(result, separate_rows), result)


def test_lanes_are_models() -> None:
    graph = Graph("lanes")
    body = Graph("body")
    body.input("item", int)
    body.add(LLM("say", prompt="{item}"))
    items = graph.map(body, over=[1, 2], id="items")
    graph.add(LLM("end", prompt="{items}", model="other"), items=items)
    result = ran(graph)
    names = {lane.name for lane in to_timeline(result).lanes}
    assert names == {"scripted:scripted", "scripted:other"}
    assert "items" not in {bar.path for lane in to_timeline(result).lanes for bar in lane.bars}


def test_unstarted_node_runs_wait_and_failed_ones_are_marked() -> None:
    graph = Graph("stopped")

    @graph.function
    async def broken() -> None:
        await anyio.sleep(0.5)
        raise ValueError("no")

    graph.function(second, id="cut_off")
    graph.function(second, id="not_begun")

    with pytest.raises(RunError) as caught:
        ran(graph, max_parallel=2)
    result = caught.value.partial_results
    bars = {bar.path: bar for lane in to_timeline(result).lanes for bar in lane.bars}
    kinds = {path: (bar.kind, bar.failed) for path, bar in bars.items()}
    assert kinds == {
        "broken": ("running", True),
        "cut_off": ("running", True),
        "not_begun": ("waiting", False),
    }


def test_a_node_recovered_by_its_fallback_is_marked_as_failed() -> None:
    graph = Graph("saved")

    @graph.function(policy=Policy(fallback=7))
    async def broken() -> int:
        raise ValueError("no")

    (lane,) = to_timeline(ran(graph)).lanes
    assert lane.bars[0].failed


@pytest.mark.parametrize(
    ("run", "lane"),
    [
        (NodeRun("a", "function", "completed", 0, 0, 1, 1), "functions"),
        (NodeRun("a", "llm", "cancelled", 0, None, 1, 0), "models"),
        (NodeRun("a", "llm", "completed", 0, 0, 1, 0), ""),  # with tools: a container
        (NodeRun("a", "loop", "completed", 0, 0, 1, 0), ""),
        (NodeRun("a", "ask", "completed", 0, 0, 1, 0), "people"),
        (NodeRun("a", "map", "cancelled", 0, None, 1, 0), ""),
        (NodeRun("a", "function", "skipped", None, None, 1, 0), "functions"),
    ],
)
def test_lane(run: NodeRun, lane: str) -> None:
    assert lane_name(run) == lane


def drawn(result: Result) -> tuple[ET.Element, list[str]]:
    root = ET.fromstring(to_timeline_svg(result))
    return root, ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def test_the_picture_has_names_and_a_legend() -> None:
    result = ran(wide(5), max_parallel=2)
    root, words = drawn(result)
    assert {f"step_{n:03}" for n in range(5)} <= set(words)
    assert {"waiting", "running", "functions", "0 s", "3 s"} <= set(words)
    assert "5 node runs, 5.0 s of work" in words
    fills = {rect.get("fill") for rect in root.iter(f"{SVG}rect")}
    assert "url(#waiting)" in fills
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title") is not None


def test_the_picture_counts_the_rows_that_it_does_not_draw() -> None:
    root, words = drawn(ran(wide(100), max_parallel=100))
    assert f"… {100 - MAX_ROWS} more node runs in {100 - MAX_ROWS} more rows" in words
    assert float(root.get("height") or 0) < 60 * 20 + 200


def test_a_picture_of_many_bars_has_no_tooltips() -> None:
    for count, tooltips in ((MAX_TOOLTIPS, MAX_ROWS), (MAX_TOOLTIPS + 1, 0)):
        root, _ = drawn(ran(wide(count), max_parallel=count))
        assert len(root.findall(f".//{SVG}rect/{SVG}title")) == tooltips


def test_names_do_not_overlap() -> None:
    graph = Graph("names")
    body = Graph("body")
    body.input("item", int)

    @body.function
    async def step(item: int) -> None:
        await anyio.sleep(0.1 + item % 7 / 10)

    graph.map(body, over=list(range(70)), id="items", max_parallel=20)
    root, _ = drawn(ran(graph))
    rows: dict[str, list[tuple[float, float]]] = {}
    for text in root.iter(f"{SVG}text"):
        x, width = float(text.get("x") or 0), 5.7 * len(text.text or "")
        left = x if text.get("text-anchor") is None else x - width
        rows.setdefault(text.get("y") or "", []).append((left, left + width))
    assert len(rows) > 5
    for row in rows.values():
        row.sort()
        assert all(a[1] <= b[0] for a, b in pairwise(row)), row


def test_the_picture_of_an_empty_run() -> None:
    graph = Graph("nothing")
    graph.function(second, id="one", after=graph.branch("way", lambda: "true")["false"])
    _, words = drawn(ran(graph))
    assert "Nothing ran." in words


def test_hostile_names_stay_text() -> None:
    graph = Graph("hostile")
    graph.add(LLM("ask", prompt="x", model='<script>"&\x00\u202e'))
    root, words = drawn(ran(graph))
    assert not list(root.iter(f"{SVG}script"))
    assert any("<script>" in word for word in words)
    assert "\u202e" not in "".join(words)


@pytest.mark.parametrize("seconds", [0.001, 0.07, 1, 9, 61, 700, 5000, 90_000, 1e7])
def test_an_axis_has_a_few_round_times(seconds: float) -> None:
    found = list(ticks(seconds, 10))
    assert found[0] == 0
    assert 3 <= len(found) <= 11
    assert found[-1] <= seconds * 1.001
    names = [clock(time) for time in found]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 16
