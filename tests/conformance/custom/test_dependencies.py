"""Dependencies are edges, with results in `context["results"]`; a wrong plan fails first."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from dagorch import AgentResult, RunError, SubTask
from dagorch.errors import CycleError, DefinitionError
from tests.conformance.doubles import Plain, once


def task(id: str, *needs: str) -> SubTask:
    return SubTask(id=id, description=f"do {id}", dependencies=list(needs))


async def test_a_subtask_reads_only_the_results_of_its_dependencies() -> None:
    plan = [
        task("end", "left", "right"),
        task("left", "start"),
        task("right", "start"),
        task("start"),
    ]
    o = Plain(once(), plan=plan)
    result = await o.execute_workflow("Why?", {"mine": 1})
    seen = {s["id"]: s for s in o.seen}
    assert list(seen) == ["start", "left", "right", "end"]
    assert {id: sorted(s["results"]) for id, s in seen.items()} == {
        "start": [], "left": ["start"], "right": ["start"], "end": ["left", "right"],
    }  # fmt: skip
    assert seen["end"]["results"]["left"] == AgentResult(subtask_id="left", content="DO LEFT")
    assert seen["end"]["mine"] == 1
    assert seen["end"]["task"] == "Why?"
    assert result.result == {"said": ["DO END", "DO LEFT", "DO RIGHT", "DO START"]}


async def test_a_subtask_starts_after_its_dependencies_end() -> None:
    running: set[str] = set()
    ended: list[str] = []

    class Slow(Plain):
        async def execute_subtask(self, subtask, context=None):
            assert set(subtask.dependencies) <= set(ended)
            running.add(subtask.id)
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            ended.append(subtask.id)
            return await super().execute_subtask(subtask, context)

    plan = [task("c", "b"), task("b", "a"), task("a"), task("d", "a", "c")]
    assert (await Slow(once(), plan=plan).execute_workflow("Why?")).status == "completed"
    assert ended == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("plan", "cause", "message"),
    [
        ([task("facts"), task("b", "fatcs")], DefinitionError, "'fatcs'.*did you mean 'facts'"),
        ([task("a", "b"), task("b", "c"), task("c", "a")], CycleError, "a -> "),
        ([task("a", "a")], CycleError, "a -> a"),
        ([task("a"), task("a")], DefinitionError, "two subtasks have the id 'a'"),
        ([task("a").model_copy(update={"id": ""})], DefinitionError, "has no id"),
        ([], DefinitionError, "at least one"),
        (["a"], DefinitionError, "'a', which is not a SubTask"),
        (None, DefinitionError, "a NoneType, not a list"),
    ],
    ids=["unknown", "cycle", "itself", "twice", "empty id", "no subtasks", "no SubTask", "nothing"],
)
async def test_a_wrong_plan_fails_before_anything_runs(
    plan: Any, cause: type, message: str
) -> None:
    o = Plain(once(), plan=plan)
    with pytest.raises(RunError, match=message) as caught:
        await o.execute_workflow("Why?")
    assert not o.seen
    chain = _causes(caught.value)
    assert any(isinstance(error, cause) for error in chain)
    assert caught.value.partial_results.status == "failed"


@pytest.mark.parametrize("id", ["", " ", "\n"])
def test_a_blank_id_or_role_is_refused_when_the_subtask_is_made(id: str) -> None:
    with pytest.raises(DefinitionError, match=r"SubTask: id=.*: it is empty; pass a text"):
        task(id)
    with pytest.raises(DefinitionError, match=r"SubTask: agent_type=.*: it is empty; pass a text"):
        SubTask("a", "A", agent_type=id)


async def test_a_planner_with_a_wrong_plan_is_retried_immediately() -> None:
    class Learning(Plain):
        attempts = 0

        async def decompose_task(self, task, context=None):
            self.attempts += 1
            return self.plan if self.attempts == 3 else []

    o = Learning(plan=[task("a")])
    assert (await o.execute_workflow("Why?")).status == "completed"
    assert o.attempts == 3


@pytest.mark.parametrize("id", ["a/b", "x[1]", "tab\there", "after", "id", "蜜蜂"])
async def test_any_id_is_accepted(id: str) -> None:
    o = Plain(once(), plan=[task(id), task("z", id)])
    result = await o.execute_workflow("Why?")
    assert [agent.subtask_id for agent in result.agent_results] == [id, "z"]
    assert list(o.seen[1]["results"]) == [id]


def _causes(error: BaseException | None) -> list[BaseException]:
    chain = []
    while error is not None:
        chain.append(error)
        error = error.__cause__
    return chain
