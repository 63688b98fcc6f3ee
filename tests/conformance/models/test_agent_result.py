"""`AgentResult`."""

from __future__ import annotations

from collections.abc import AsyncIterator

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


async def text() -> str:
    return "found"


async def items() -> AsyncIterator[int]:
    yield 1


@pytest.mark.filterwarnings("error")
def test_content_that_was_not_awaited_is_refused() -> None:
    with pytest.raises(DefinitionError, match="content is the coroutine of 'text'; await it"):
        AgentResult("a", text())
    with pytest.raises(DefinitionError, match="content is the async generator of 'items'"):
        AgentResult("a", items())
