"""The synthesis may return a dict, a text or a pydantic model."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from dagorch import OrchestratorResult, SubTask
from tests.conformance.doubles import Plain, once


class Report(BaseModel):
    title: str
    pages: int = 3


@pytest.mark.parametrize(
    "answer", [{"a": [1, None]}, "text", Report(title="Bees"), ["x"]], ids=repr
)
async def test_the_synthesis_becomes_the_result(answer: Any) -> None:
    class Answering(Plain):
        async def synthesize_results(self, agent_results, context=None):
            assert list(context["results"]) == ["a"]
            return answer

    result = await Answering(once(), plan=[SubTask("a", "x")]).execute_workflow("Why?")
    assert result.result == answer
    back = OrchestratorResult.model_validate_json(result.model_dump_json())
    assert back.result == (answer.model_dump() if isinstance(answer, BaseModel) else answer)
