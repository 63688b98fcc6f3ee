"""The timeline of a run: every segment is in its lane, and the bars of a row do not overlap."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import anyio
import pytest

from dagorch import LLM, Graph, Policy, Retry, RunError
from dagorch.exporters import to_timeline, to_timeline_svg
from dagorch.exporters.report.segments import segments_of
from dagorch.exporters.report.timeline import Timeline
from dagorch.models.result import Result
from dagorch.testing import ScriptedProvider, run_virtual
from tests.unit.exporters.report.recording import BUSY, asking, recorded


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


def test_the_timeline_of_a_record_has_a_bar_per_attempt() -> None:
    graph = asking(policy=Policy(retry=Retry(attempts=2), fallback_models=("other",)))
    provider = ScriptedProvider([BUSY, BUSY, "Yes."], latency_seconds=2)
    record = recorded(graph, provider=provider, seed=1)
    timeline = to_timeline(record)
    assert [lane.name for lane in timeline.lanes] == ["scripted:scripted", "scripted:other"]
    first, second = timeline.lanes
    assert [(bar.kind, bar.attempt, bar.failed) for bar in first.bars] == [
        ("running", 1, True), ("retrying", 0, False), ("running", 2, True),
    ]  # fmt: skip
    assert [(bar.kind, bar.attempt, bar.failed) for bar in second.bars] == [("running", 3, False)]
    svg = to_timeline_svg(record)
    assert "waiting for a retry" in svg
    assert "failed or cancelled" in svg
