"""The error of a failed workflow has the finished results; subtasks run with `continue`."""

from __future__ import annotations

import pytest

from dagorch import AgentResult, OrchestratorResult, RunError, SubTask, TaskStatus
from dagorch.models.llm import LLMRequest
from tests.conformance.doubles import Plain, by_tier, cascade, once, talking

PLAN = [SubTask("a", "x"), SubTask("b", "y", dependencies=["a"]), SubTask("c", "z")]


class Failing(Plain):
    bad: frozenset[str] = frozenset()

    async def execute_subtask(self, subtask, context=None):
        if subtask.id in self.bad:
            raise OSError(f"no {subtask.id}")
        return await super().execute_subtask(subtask, context)

    async def synthesize_results(self, agent_results, context=None):
        if "synthesis" in self.bad:
            raise OSError("no synthesis")
        return await super().synthesize_results(agent_results, context)


def failing(*bad: str) -> Failing:
    o = Failing(once(), plan=PLAN)
    o.bad = frozenset(bad)
    return o


async def test_the_synthesis_gets_the_completed_results() -> None:
    result = await failing("a").execute_workflow("Why?")
    assert result.status is TaskStatus.PARTIAL
    assert result.result == {"said": ["Z"]}
    assert result.metadata["failed"] == ["a", "b"]
    ends = {agent.subtask_id: agent.status.value for agent in result.agent_results}
    assert ends == {"a": "failed", "b": "blocked", "c": "completed"}
    assert result.agent_results[0].metadata["error"] == "OSError: no a"
    assert "'a' failed" in result.agent_results[1].metadata["error"]


async def test_a_workflow_fails_if_all_subtasks_fail() -> None:
    with pytest.raises(RunError, match=r"OSError: no a") as caught:
        await failing("a", "c").execute_workflow("Why?")
    partial = caught.value.partial_results
    assert isinstance(partial, OrchestratorResult)
    assert partial.status is TaskStatus.FAILED
    assert partial.result is None
    assert [agent.status.value for agent in partial.agent_results] == [
        "failed",
        "blocked",
        "failed",
    ]


async def test_a_failed_synthesis_keeps_the_finished_results() -> None:
    with pytest.raises(RunError, match="no synthesis") as caught:
        await failing("synthesis").execute_workflow("Why?")
    partial = caught.value.partial_results
    assert [(a.subtask_id, a.content) for a in partial.agent_results] == [
        ("a", "X"), ("b", "Y"), ("c", "Z"),
    ]  # fmt: skip
    assert OrchestratorResult.model_validate_json(partial.model_dump_json()) == partial
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_result_with_status_failed_is_a_failure_without_retry() -> None:
    class Reporting(Plain):
        tries = 0

        async def execute_subtask(self, subtask, context=None):
            if subtask.id == "c":
                self.tries += 1
                return AgentResult("c", "half of it", status="failed", cost=0.5)
            return await super().execute_subtask(subtask, context)

    o = Reporting(plan=PLAN)
    result = await o.execute_workflow("Why?")
    assert o.tries == 1
    assert result.status == "partial"
    assert result.result == {"said": ["X", "Y"]}
    failed = result.agent_results[2]
    assert (failed.content, failed.status.value, failed.cost) == ("half of it", "failed", 0.5)
    assert result.total_cost == 0.5


async def test_a_wrong_return_type_is_an_error_that_shows_the_right_one() -> None:
    class Careless(Plain):
        async def execute_subtask(self, subtask, context=None):
            return "a text"

    with pytest.raises(RunError, match=r"return AgentResult\('a', content\)"):
        await Careless(once(), plan=[SubTask("a", "x")]).execute_workflow("Why?")


@pytest.mark.parametrize(
    ("tiers", "status", "finished"),
    [
        ("b", "failed", 0),
        ("d", "failed", 3),
        ("c", "failed", 5),
        ("p", "completed", 6),
    ],
)
async def test_a_failure_of_each_tier_of_a_cascade(tiers: str, status: str, finished: int) -> None:
    def reply(request: LLMRequest) -> str:
        if request.model in tiers:
            raise OSError("no")
        return by_tier(request)

    try:
        result = await cascade(talking(reply)).execute_workflow("Why?")
    except RunError as error:
        result = error.partial_results
    assert result.status == status
    done = [agent for agent in result.agent_results if agent.status == "completed"]
    assert len(done) == finished
    assert all(agent.content.startswith("said by") for agent in done)
    assert len(result.agent_results) == 6
    assert result.metadata["planned"] is ("p" not in tiers)


async def test_one_failure_in_each_tier_leaves_an_answer() -> None:
    seen: set[str] = set()

    def reply(request: LLMRequest) -> str:
        first = request.json_schema is None and request.model not in seen
        seen.add(request.model if request.json_schema is None else "")
        if first and request.model != "p":
            raise OSError("no")
        return by_tier(request)

    o = cascade(talking(reply), belter_count=4, drummer_count=2, camina_count=2)
    result = await o.execute_workflow("Why?")
    assert result.status is TaskStatus.PARTIAL
    assert result.result == "said by p"
    assert len(result.metadata["failed"]) == 3
