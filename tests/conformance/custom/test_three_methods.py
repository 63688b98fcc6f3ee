"""A subclass needs only three methods; the error names a missing one."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import (
    AgentResult,
    BaseOrchestrator,
    DefinitionError,
    OrchestratorConfig,
    RunError,
    SubTask,
)
from tests.conformance.doubles import HI, once


class Three(BaseOrchestrator):
    async def decompose_task(self, task, context=None) -> list[SubTask]:
        return [SubTask(id="a", description=task), SubTask(id="b", description=task[::-1])]

    async def execute_subtask(self, subtask, context=None) -> AgentResult:
        reply = await self.provider.acomplete([{"role": "user", "content": subtask.description}])
        return AgentResult(subtask_id=subtask.id, content=reply.content)

    async def synthesize_results(self, agent_results, context=None) -> dict:
        return {result.subtask_id: result.content for result in agent_results}


class Complete:
    def complete(self, messages: Any) -> str:
        return "<" + messages[-1]["content"] + ">"


class Acomplete:
    async def acomplete(self, messages: Any, **_: Any) -> dict[str, Any]:
        return {"content": "<" + messages[-1]["content"] + ">"}


@pytest.mark.parametrize("provider", [Complete(), Acomplete()], ids=["complete", "acomplete"])
async def test_it_runs_on_a_provider_of_the_user(provider: object) -> None:
    result = await Three(once(primary_model="grok-3"), provider).execute_workflow("abc")
    assert result.result == {"a": "<abc>", "b": "<cba>"}
    assert result.status == "completed"


@pytest.mark.parametrize("name", ["decompose_task", "execute_subtask", "synthesize_results"])
def test_a_missing_method_fails_at_construction(name: str) -> None:
    methods = {
        n: f for n, f in vars(Three).items() if n.endswith(("task", "results")) and n != name
    }
    lacking = type("Lacking", (BaseOrchestrator,), methods)
    with pytest.raises(DefinitionError, match=rf"orchestrator Lacking: there is no {name}; define"):
        lacking(OrchestratorConfig(), Complete())


def test_an_object_that_is_not_a_provider_fails_at_construction() -> None:
    with pytest.raises(DefinitionError, match=r"complete\(messages\)"):
        Three(OrchestratorConfig(), object())


async def test_without_a_provider_only_a_call_fails() -> None:
    with pytest.raises(Exception, match="provider"):
        await Three(once()).execute_workflow("abc")
    with pytest.raises(DefinitionError, match="no provider"):
        Three(once()).provider.complete(HI)


async def test_the_result_of_another_subtask_is_an_error() -> None:
    class Confused(Three):
        async def execute_subtask(self, subtask, context=None) -> AgentResult:
            return AgentResult("zzz", "found")

    with pytest.raises(RunError, match="returned the result of 'zzz' for 'a'") as caught:
        await Confused(once(), Complete()).execute_workflow("abc")
    assert {a.subtask_id: a.status for a in caught.value.partial_results.agent_results} == {
        "a": "failed",
        "b": "failed",
    }
