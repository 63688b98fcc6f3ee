"""`AgentResult`."""

from __future__ import annotations

import pytest

from dagorch import AgentResult, DefinitionError, TaskStatus


def test_as_documented() -> None:
    result = AgentResult(
        subtask_id="a", content="found", status=TaskStatus.COMPLETED, tokens_used=1500, cost=0.003,
        metadata={"k": 1},
    )  # fmt: skip
    assert result.status == "completed"
    assert AgentResult("a", "found").status is TaskStatus.COMPLETED
    assert AgentResult("a", "found", status="failed").status is TaskStatus.FAILED
    assert isinstance(AgentResult("a", "found", cost=1).cost, float)


def test_wrong_fields_are_refused() -> None:
    with pytest.raises(DefinitionError, match="status='done'"):
        AgentResult("a", "found", status="done")
    with pytest.raises(DefinitionError, match="did you mean 'tokens_used'"):
        AgentResult("a", "found", token_used=3)
