"""`unittest.mock` objects as providers: what was configured counts, and what they invent never."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock

import anyio
import anyio.lowlevel
import pytest

from dagorch import (
    LLM,
    AgentResult,
    BaseOrchestrator,
    ConditionalOrchestrator,
    DefinitionError,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    DreamSwarmConfig,
    DreamSwarmOrchestrator,
    Graph,
    IterativeOrchestrator,
    OrchestratorConfig,
    SequentialOrchestrator,
    SubTask,
)
from dagorch.errors import BudgetWarning
from tests.conformance.doubles import HI, Plain
from tests.conformance.swarms import Shelf

KINDS = [Mock, MagicMock, AsyncMock]
METHODS = ["complete", "acomplete"]
pytestmark = [
    pytest.mark.parametrize("kind", KINDS),
    pytest.mark.parametrize("method", METHODS),
]

Make = Callable[..., Any]


@pytest.fixture
def provider(kind: Make, method: str) -> Any:
    """A mock of which one method is configured, with a reply that is a mock too."""
    made = kind()
    if method == "acomplete" and kind is not AsyncMock:
        made.acomplete = AsyncMock()
    getattr(made, method).return_value = (
        kind(content="a reply") if kind is not AsyncMock else Mock(content="a reply")
    )
    return made


class Asking(Plain):
    async def execute_subtask(self, subtask, context=None):
        reply = await self.provider.acomplete(HI)
        return AgentResult(subtask.id, reply.content)


class AskingInAThread(Plain):
    async def execute_subtask(self, subtask, context=None):
        reply = await anyio.to_thread.run_sync(self.provider.complete, HI)
        return AgentResult(subtask.id, reply.content)


def once(**fields: Any) -> dict[str, Any]:
    return {"max_retries": 0, "timeout_seconds": 30, **fields}


def workflows(provider: Any) -> dict[str, Callable[[], BaseOrchestrator]]:
    plain = OrchestratorConfig(**once())
    steps = OrchestratorConfig(**once(steps=["one", "two"]))
    return {
        "cascade": lambda: DreamCascadeOrchestrator(DreamCascadeConfig(**once()), provider),
        "swarm": lambda: DreamSwarmOrchestrator(
            DreamSwarmConfig(**once(num_agents=2, domains=["a"])),
            provider,
            sources={"a": Shelf("a")},
        ),
        "sequential": lambda: SequentialOrchestrator(steps, provider),
        "conditional": lambda: ConditionalOrchestrator(
            plain, provider, condition=lambda context: True, true_branch="yes", false_branch="no"
        ),
        "iterative": lambda: IterativeOrchestrator(plain, provider, max_iterations=2),
        "custom": lambda: Asking(plain, provider, plan=[SubTask("a", "x")]),
        "threads": lambda: AskingInAThread(plain, provider, plan=[SubTask("a", "x")]),
    }


@pytest.mark.parametrize(
    "pattern",
    ["cascade", "swarm", "sequential", "conditional", "iterative", "custom", "threads"],
)
async def test_every_pattern_runs_on_a_mock(provider: Any, method: str, pattern: str) -> None:
    result = await workflows(provider)[pattern]().execute_workflow("Why?")
    assert result.status == "completed"
    assert "a reply" in str(result.result)
    assert result.total_cost == 0
    assert getattr(provider, method).called
    assert {agent.cost for agent in result.agent_results} == {0.0}


async def test_a_graph_runs_on_a_mock(provider: Any, kind: Make, method: str) -> None:
    graph = Graph("one")
    ask = graph.add(LLM("ask", prompt="Hi"))
    result = await graph.run(provider=provider)
    assert result[ask] == "a reply"
    assert (await graph.run(provider={"mine": provider}))[ask] == "a reply"
    assert getattr(provider, method).call_args.kwargs["messages"] == HI
    bill = result.get(ask).bills[0]
    assert bill.service == kind.__name__.lower()
    assert bill.usage.estimated, "a mock's usage is not a count"


async def test_what_is_configured_counts(kind: Make, method: str) -> None:
    provider = kind()
    provider.name = "mine"
    provider.default_model = "small"
    reply = Mock(content="a reply", model="grok-3", cost=0.25)
    reply.usage.prompt_tokens, reply.usage.completion_tokens = 10, 5
    setattr(provider, method, AsyncMock(return_value=reply))
    o = Asking(OrchestratorConfig(), provider, plan=[SubTask("a", "x")])
    result = await o.execute_workflow("Why?")
    assert result.total_cost == 0.25
    assert result.agent_results[0].tokens_used == 15
    assert list(result.metadata["usage_by_model"]) == ["mine:small"]


async def test_a_total_alone_counts(kind: Make, method: str) -> None:
    provider = kind()
    reply = {"content": "a reply", "usage": {"total_tokens": 40}, "cost": 0.25}
    setattr(provider, method, AsyncMock(return_value=reply))
    result = await Asking(None, provider, plan=[SubTask("a", "x")]).execute_workflow("Why?")
    assert result.agent_results[0].tokens_used == 40


async def test_costs_of_a_mock_are_kept_under_a_ceiling(kind: Make, method: str) -> None:
    provider = kind()
    setattr(provider, method, AsyncMock(return_value=Mock(content="a reply", cost=0.25)))
    config = OrchestratorConfig(max_cost=1.00, on_budget="finish", max_parallel=1)
    o = Asking(config, provider, plan=[SubTask(str(n), "x") for n in range(9)])
    with pytest.warns(BudgetWarning, match="max_cost is soft for provider"):
        result = await o.execute_workflow("Why?")
    assert result.total_cost == 1.00
    assert getattr(provider, method).call_count == 4


@pytest.mark.filterwarnings("ignore:max_cost is soft")
async def test_a_mock_without_a_cost_is_free_under_a_ceiling(provider: Any) -> None:
    o = Asking(OrchestratorConfig(max_cost=1.00), provider, plan=[SubTask("a", "x")])
    result = await o.execute_workflow("Why?")
    assert (result.status, result.total_cost) == ("completed", 0)
    graph = Graph("two")
    graph.add(LLM("b", prompt="{a}"), a=graph.add(LLM("a", prompt="Hi")))
    assert (await graph.run(provider=provider, max_cost=1.00)).cost_usd == 0


async def test_a_mock_may_be_configured_late_and_may_raise(kind: Make, method: str) -> None:
    provider = kind()
    o = Asking(OrchestratorConfig(**once()), provider, plan=[SubTask("a", "x")])
    getattr(provider, method).side_effect = ["first", OSError("gone")]
    if method == "acomplete" and kind is not AsyncMock:
        provider.acomplete = AsyncMock(side_effect=["first", OSError("gone")])
    assert (await o.execute_workflow("Why?")).agent_results[0].content == "first"
    with pytest.raises(Exception, match="gone"):
        await o.execute_workflow("Why?")


async def test_a_mock_without_a_configured_method_says_so(kind: Make, method: str) -> None:
    graph = Graph("one")
    graph.add(LLM("ask", prompt="Hi"))
    with pytest.raises(
        Exception, match=r"neither complete nor acomplete of this .* is configured"
    ) as caught:
        await graph.run(provider=kind())
    assert isinstance(caught.value.__cause__, DefinitionError)


async def test_a_users_object_runs_in_a_graph_and_keeps_its_limits(kind: Make, method: str) -> None:
    active = peak = 0

    async def reply(messages: Any) -> str:
        nonlocal active, peak
        active += 1
        peak = max(peak, active)
        await anyio.lowlevel.checkpoint()
        active -= 1
        return "ok"

    own = SimpleNamespace(max_concurrency=1, **{method: reply})
    graph = Graph("two")
    for id in ("a", "b"):
        graph.add(LLM(id, prompt="Hi"))
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(lambda: graph.run(provider=own))
    assert peak == 1
