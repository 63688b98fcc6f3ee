"""Programs and tests as they are written to the old documentation, with mocks as providers."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, patch

import anyio
import pytest

from dagorch import (
    AgentResult,
    AgentType,
    BaseOrchestrator,
    BudgetExceededError,
    ConditionalOrchestrator,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    DreamSwarmConfig,
    DreamSwarmOrchestrator,
    EventType,
    Finding,
    IterativeOrchestrator,
    OrchestratorConfig,
    OrchestratorResult,
    ProviderFactory,
    SequentialOrchestrator,
    SubTask,
    TaskStatus,
)

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
SMALL = DreamCascadeConfig(belter_count=1, drummer_count=1, max_retries=0)


def reply(text: str = "An answer.", **fields: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"content": text, "usage": USAGE, "model": "grok-3", **fields})


def mocked(text: str = "An answer.", **fields: Any) -> Mock:
    provider = Mock()
    provider.complete.return_value = reply(text, **fields)
    return provider


class Report(BaseOrchestrator):
    async def decompose_task(self, task, context=None):
        return [
            SubTask(id="facts", description=f"Facts on {task}", agent_type=AgentType.RESEARCHER),
            SubTask(id="views", description=f"Views on {task}", agent_type="critic", priority=2),
            SubTask(id="text", description="Write", dependencies=["facts", "views"]),
        ]

    async def execute_subtask(self, subtask, context=None):
        response = await self.provider.acomplete(
            messages=[{"role": "user", "content": subtask.description}],
            temperature=0.3,
            max_tokens=100,
        )
        return AgentResult(
            subtask_id=subtask.id,
            content=response.content,
            status=TaskStatus.COMPLETED,
            tokens_used=response.usage.get("total_tokens", 0),
            cost=response.cost,
            metadata={"model": response.model, "read": sorted(context["results"])},
        )

    async def synthesize_results(self, agent_results, context=None):
        return {
            "summary": " ".join(result.content for result in agent_results),
            "tokens": sum(result.tokens_used for result in agent_results),
        }


async def test_the_quick_start() -> None:
    with patch.object(ProviderFactory, "get_provider", return_value=mocked()) as get_provider:
        orchestrator = DreamCascadeOrchestrator(
            config=DreamCascadeConfig(
                belter_count=3, drummer_count=2, camina_count=1, primary_model="grok-3"
            ),
            provider=ProviderFactory.get_provider("xai"),
        )
        result = await orchestrator.execute_workflow(task="Trends in quantum computing")
    get_provider.assert_called_once_with("xai")
    assert result.status == TaskStatus.COMPLETED == "completed"
    assert result.result == "An answer."
    assert len(result.agent_results) == 6
    assert OrchestratorResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("cost", [0.001, None])
async def test_a_custom_orchestrator(cost: float | None) -> None:
    provider = mocked("R", cost=cost)
    result = await Report(OrchestratorConfig(num_agents=3), provider).execute_workflow("bees")
    assert result.result == {"summary": "R R R", "tokens": 45}
    assert result.total_cost == pytest.approx(3 * (cost or 0))
    assert [agent.tokens_used for agent in result.agent_results] == [15, 15, 15]
    assert result.agent_results[2].metadata["read"] == ["facts", "views"]
    assert provider.complete.call_args.kwargs["max_tokens"] == 100


async def test_a_method_alone_in_a_unit_test() -> None:
    provider = mocked("R")
    o = Report(OrchestratorConfig(), provider)
    result = await o.execute_subtask(SubTask(id="a", description="A"), {"results": {}})
    assert (result.content, result.tokens_used) == ("R", 15)
    provider.complete.assert_called_once_with(
        messages=[{"role": "user", "content": "A"}], temperature=0.3, max_tokens=100
    )


@pytest.mark.filterwarnings("ignore:max_cost is soft")
async def test_a_dollar() -> None:
    for provider in (mocked("R"), mocked("R", cost=0.2)):
        result = await Report(OrchestratorConfig(max_cost=1.00), provider).execute_workflow("bees")
        assert result.status == "completed"
    o = Report(OrchestratorConfig(max_cost=0.30, max_parallel=1), mocked("R", cost=0.2))
    with pytest.raises(BudgetExceededError) as caught:
        await o.execute_workflow("bees")
    assert caught.value.partial_results.agent_results[0].content == "R"


def test_a_script_and_a_notebook() -> None:
    orchestrator = Report(OrchestratorConfig(), mocked())

    async def main() -> OrchestratorResult:
        return await orchestrator.execute_workflow("bees")

    assert [asyncio.run(main()).status for _ in range(2)] == ["completed"] * 2
    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(loop.create_task(main())).status == "completed"
    finally:
        loop.close()


async def test_a_handler_of_a_web_service() -> None:
    orchestrator = DreamCascadeOrchestrator(SMALL, mocked())

    async def handler(body: dict[str, Any]) -> dict[str, Any]:
        result = await orchestrator.execute_workflow(body["task"], context=body.get("context"))
        return {
            "status": result.status,
            "agents": [agent.model_dump() for agent in result.agent_results],
            "cost": result.total_cost,
        }

    answers: list[dict[str, Any]] = []

    async def request(number: int) -> None:
        answers.append(json.loads(json.dumps(await handler({"task": f"Question {number}"}))))

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(request, number)
    assert [answer["status"] for answer in answers] == ["completed"] * 3


@pytest.mark.parametrize("kind", [Mock, MagicMock, AsyncMock])
@pytest.mark.parametrize("how", ["attribute", "argument"])
async def test_a_mock_as_the_callback(kind: Any, how: str) -> None:
    callback = kind()
    orchestrator = DreamCascadeOrchestrator(SMALL, mocked())
    if how == "attribute":
        orchestrator.stream_callback = callback
        await orchestrator.execute_workflow("bees")
    else:
        await orchestrator.execute_workflow("bees", stream_callback=callback)
    events = [call.args[0] for call in callback.call_args_list]
    types = [event.event_type for event in events]
    assert (types[0], types[-1]) == (EventType.TASK_STARTED, EventType.TASK_COMPLETED)
    assert types.count(EventType.SUBTASK_CREATED) == types.count(EventType.SUBTASK_COMPLETED) == 3
    progress = [event.progress for event in events if event.progress is not None]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert all(f"[{event.progress:5.1f}%] {event.event_type.value}" for event in events)


async def test_replies_in_order_and_an_error_that_passes() -> None:
    provider = Mock()
    plan = reply('```json\n["Why do bees dance", "Where do bees fly"]\n```')
    texts = [reply("b1"), reply("b2"), reply("d1"), reply("c1")]
    provider.complete.side_effect = [ConnectionError("reset"), plan, *texts]
    config = DreamCascadeConfig(
        belter_count=2, drummer_count=1, max_retries=1, parallel_execution=False
    )
    result = await DreamCascadeOrchestrator(config, provider).execute_workflow("bees")
    assert result.result == "c1"
    assert [agent.content for agent in result.agent_results] == ["b1", "b2", "d1", "c1"]
    assert result.metadata["questions"] == ["Why do bees dance", "Where do bees fly"]


async def test_each_pattern_with_mocks_alone() -> None:
    research, analyse = AsyncMock(return_value={"facts": 2}), Mock(return_value="two facts")
    sequential = SequentialOrchestrator(
        OrchestratorConfig(num_agents=2, steps=["research", "analyze"]),
        mocked(),
        step_handlers={"research": research, "analyze": analyse},
    )
    assert (await sequential.execute_workflow("bees")).result == "two facts"
    assert analyse.call_args.args[1]["results"] == {"research": {"facts": 2}}

    conditional = ConditionalOrchestrator(
        OrchestratorConfig(),
        mocked(),
        condition=Mock(side_effect=lambda context: context["complexity"] > 5),
        true_branch=AsyncMock(return_value="deep"),
        false_branch=AsyncMock(return_value="shallow"),
    )
    result = await conditional.execute_workflow("bees", context={"complexity": 8})
    assert (result.result, result.metadata["selected_branch"]) == ("deep", "true")

    iterative = IterativeOrchestrator(
        OrchestratorConfig(),
        mocked('Here it is:\n```json\n{"text": "A", "score": 0.95}\n```\nDone.'),
        max_iterations=5,
        convergence_fn=lambda results: results["score"] > 0.9,
    )
    result = await iterative.execute_workflow("bees")
    assert (result.metadata["iterations"], result.metadata["converged"]) == (1, True)

    source = Mock(search=AsyncMock(return_value=[Finding("Bees", text="They dance.")]))
    source.name = "arxiv"
    swarm = DreamSwarmOrchestrator(
        DreamSwarmConfig(num_agents=1, domains=["arxiv"], max_parallel=3),
        mocked("They dance [1]."),
        sources={"arxiv": source},
    )
    result = await swarm.execute_workflow("bees")
    assert [agent.metadata["domains"] for agent in result.agent_results] == [["arxiv"]]
    source.search.assert_awaited_once()
