"""The metadata of a loop; running out of passes is not a failure."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import EventType, IterativeOrchestrator, RunError, StreamEvent
from tests.conformance.doubles import once, talking


@pytest.mark.parametrize(
    ("enough", "iterations", "converged"), [(1, 1, True), (3, 3, True), (4, 3, False)]
)
async def test_metadata_has_the_number_of_passes_and_the_convergence(
    enough: int, iterations: int, converged: bool
) -> None:
    events: list[StreamEvent] = []
    o = IterativeOrchestrator(
        once(),
        talking("x"),
        max_iterations=3,
        convergence_fn=lambda results: results["iteration"] >= enough,
    )
    o.stream_callback = events.append
    result = await o.execute_workflow("Better!")
    assert result.status == "completed"
    assert result.metadata["iterations"] == iterations
    assert result.metadata["converged"] is converged
    assert result.result["iteration"] == iterations
    assert events[-1].event_type is EventType.TASK_COMPLETED
    created = [e for e in events if e.event_type is EventType.SUBTASK_CREATED]
    assert len(created) == iterations, "an event announces a pass that never ran"


async def test_after_a_failure_only_completed_passes_are_counted() -> None:
    def handler(context: dict[str, Any]) -> str:
        if context["iteration"] == 3:
            raise OSError("no more")
        return "fine"

    with pytest.raises(RunError, match="no more") as caught:
        await IterativeOrchestrator(once(), handler=handler).execute_workflow("Better!")
    partial = caught.value.partial_results
    assert (partial.metadata["iterations"], partial.metadata["converged"]) == (2, False)
    assert [(a.subtask_id, a.status.value, a.content) for a in partial.agent_results] == [
        ("improve_1", "completed", "fine"),
        ("improve_2", "completed", "fine"),
        ("improve_3", "failed", ""),
    ]
