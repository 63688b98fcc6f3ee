"""The time segments of a node run."""

from __future__ import annotations

import anyio
import pytest

from dagorch import Policy, Retry
from dagorch.exporters.report.record import AttemptRecord, NodeRecord
from dagorch.exporters.report.segments import lane_name, segments_of
from dagorch.models.result import NodeRun
from dagorch.testing import ScriptedProvider
from tests.unit.exporters.report.recording import BUSY, asking, node, recorded


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
def test_the_lane_of_a_node_run(run: NodeRun, lane: str) -> None:
    assert lane_name(run) == lane


def test_a_wait_for_a_slot_after_a_retry_delay_is_waiting() -> None:
    graph = asking(policy=Policy(retry=Retry(attempts=2, base_delay_seconds=0.001)))

    @graph.function
    async def hog() -> None:
        await anyio.sleep(10)

    record = recorded(graph, provider=ScriptedProvider([BUSY, "Yes."], latency_seconds=1),
                      max_parallel=1, seed=4)  # fmt: skip
    kinds = [segment.kind for segment in segments_of(node(record, "ask"))]
    assert kinds[-1] == "running"
    assert "waiting" in kinds


def test_a_node_run_cancelled_while_it_waited_for_a_retry() -> None:
    attempts = (AttemptRecord(number=1, started_seconds=0, ended_seconds=1, retry_at_seconds=9),)
    run = NodeRecord(path="a", kind="llm", end="cancelled", ready_seconds=0, started_seconds=0,
                     ended_seconds=4, attempts=attempts)  # fmt: skip
    assert [(segment.kind, segment.end_seconds) for segment in segments_of(run)] == [
        ("running", 1), ("retrying", 4),
    ]  # fmt: skip


def test_a_node_run_that_was_never_ready_has_no_segments() -> None:
    assert segments_of(NodeRun("a", "function", "skipped", None, None, 1, 0)) == ()
