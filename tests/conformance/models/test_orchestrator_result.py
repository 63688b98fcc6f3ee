"""`OrchestratorResult`: its fields after a completed run."""

from __future__ import annotations

import pytest

from dagorch import AgentResult, DefinitionError, OrchestratorResult
from tests.conformance.doubles import by_tier, cascade, talking


async def test_the_fields_after_a_completed_run() -> None:
    result = await cascade(talking(by_tier, price_per_token=0.01)).execute_workflow("Why?")
    assert isinstance(result, OrchestratorResult)
    assert result.status == "completed"
    assert result.result == "said by c"
    assert result.task_id
    assert result.total_cost > 0
    assert 0 < result.execution_time < 60
    assert result.metadata["run_id"] == result.run.run_id == result.task_id
    assert [a.content for a in result.agent_results] == ["said by b"] * 3 + ["said by d"] * 2 + [
        "said by c"
    ]
    assert [a.metadata["tier"] for a in result.agent_results] == ["belter"] * 3 + [
        "drummer"
    ] * 2 + ["camina"]
    assert [a.metadata["model"] for a in result.agent_results] == ["b", "b", "b", "d", "d", "c"]
    assert all(a.tokens_used > 0 and a.cost > 0 for a in result.agent_results)


def test_agent_results_may_be_dicts() -> None:
    result = OrchestratorResult(
        "t1", "completed", agent_results=[{"subtask_id": "a", "status": "failed"}, AgentResult("b")]
    )
    assert result.agent_results == [AgentResult("a", status="failed"), AgentResult("b")]
    with pytest.raises(DefinitionError, match="status='done'"):
        OrchestratorResult("t1", "completed", agent_results=[{"subtask_id": "a", "status": "done"}])
