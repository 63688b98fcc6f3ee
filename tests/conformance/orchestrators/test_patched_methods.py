"""Methods that a test replaces, on the class or on one orchestrator, take effect like overrides."""

from __future__ import annotations

from typing import Any
from unittest.mock import AsyncMock, Mock, create_autospec, patch

import pytest

from dagorch import (
    AgentResult,
    DefinitionError,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    DreamSwarmConfig,
    DreamSwarmOrchestrator,
    IterativeOrchestrator,
    OrchestratorConfig,
    SequentialOrchestrator,
    SubTask,
)
from tests.conformance.doubles import Plain, by_tier, once, talking
from tests.conformance.swarms import shelves

CONFIG = DreamCascadeConfig(belter_count=2, drummer_count=1, max_retries=0)


def done(subtask: SubTask, context: Any = None) -> AgentResult:
    return AgentResult(subtask_id=subtask.id, content=f"patched {subtask.id} [1].")


def cascade() -> DreamCascadeOrchestrator:
    return DreamCascadeOrchestrator(CONFIG, talking(by_tier))


@pytest.mark.parametrize("kind", [AsyncMock, Mock])
async def test_a_synthesis_patched_on_an_orchestrator(kind: Any) -> None:
    o = cascade()
    with patch.object(o, "synthesize_results", kind(return_value={"answer": 42})) as method:
        result = await o.execute_workflow("Why?")
    assert result.result == {"answer": 42}
    method.assert_called_once()
    assert [agent.subtask_id for agent in method.call_args.args[0]] == [
        "belter_1", "belter_2", "drummer_1", "camina_1",
    ]  # fmt: skip
    assert (await o.execute_workflow("Why?")).result == "said by ", "it is itself again"


async def test_subtasks_and_a_plan_that_are_set_on_an_orchestrator() -> None:
    o = cascade()
    o.decompose_task = AsyncMock(return_value=[SubTask(id="a", description="Is A so?")])
    o.execute_subtask = AsyncMock(side_effect=done)
    result = await o.execute_workflow("Why?")
    assert [agent.content for agent in result.agent_results] == [
        f"patched {id} [1]." for id in ("belter_1", "belter_2", "drummer_1", "camina_1")
    ]
    assert o.execute_subtask.call_args_list[0].args[0].description == "Is A so?"
    assert not o._router.default.requests


@pytest.mark.parametrize("owner", [DreamCascadeOrchestrator, DreamCascadeOrchestrator.__base__])
async def test_a_method_patched_on_the_class(owner: Any) -> None:
    with patch.object(owner, "execute_subtask", AsyncMock(side_effect=done)) as method:
        result = await cascade().execute_workflow("Why?")
    assert result.result == "patched camina_1 [1]."
    assert method.await_count == 4
    assert (await cascade().execute_workflow("Why?")).result == "said by "


async def test_a_method_patched_by_its_address() -> None:
    with patch("dagorch.DreamCascadeOrchestrator.synthesize_results", autospec=True) as method:
        method.return_value = "from the patch"
        result = await cascade().execute_workflow("Why?")
    assert result.result == "from the patch"
    assert isinstance(method.call_args.args[0], DreamCascadeOrchestrator)


async def test_the_steps_of_other_patterns() -> None:
    swarm = DreamSwarmOrchestrator(
        DreamSwarmConfig(num_agents=2), talking("[1]"), sources=shelves()
    )
    steps = SequentialOrchestrator(once(steps=["a", "b"]), talking("x"))
    passes = IterativeOrchestrator(once(), talking("x"), max_iterations=2)
    for o in (swarm, steps, passes):
        with patch.object(o, "execute_subtask", AsyncMock(side_effect=done)):
            result = await o.execute_workflow("Why?")
        assert all(agent.content.startswith("patched ") for agent in result.agent_results)


@pytest.mark.parametrize("name", ["decompose_task", "synthesize_results"])
async def test_a_step_that_the_pattern_lacks_is_refused_before_the_run(name: str) -> None:
    provider = talking("x")
    o = SequentialOrchestrator(once(steps=["a"]), provider)
    setattr(o, name, AsyncMock(return_value="never"))
    with pytest.raises(DefinitionError, match=f"SequentialOrchestrator has no step {name}: its"):
        await o.execute_workflow("Why?")
    assert not provider.requests


async def test_a_custom_orchestrators_methods() -> None:
    o = Plain(OrchestratorConfig(), plan=[])
    o.decompose_task = AsyncMock(return_value=[SubTask("a", "x")])
    o.execute_subtask = create_autospec(o.execute_subtask, side_effect=done)
    o.synthesize_results = AsyncMock(side_effect=lambda results, context=None: len(results))
    assert (await o.execute_workflow("Why?")).result == 1
