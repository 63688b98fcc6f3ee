"""`unittest.mock` objects as providers, in every pattern and in custom orchestrators."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec

import pytest

from dagorch import (
    AgentResult,
    BaseOrchestrator,
    ConditionalOrchestrator,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    DreamSwarmConfig,
    DreamSwarmOrchestrator,
    IterativeOrchestrator,
    OrchestratorConfig,
    SequentialOrchestrator,
    SubTask,
)
from tests.conformance.swarms import shelves

TEXT = 'They dance [1]. {"score": 0.95}'
REPLIES: dict[str, Callable[[], Any]] = {
    "text": lambda: TEXT,
    "object": lambda: SimpleNamespace(content=TEXT),
    "mock": lambda: Mock(content=TEXT),
    "magic mock": lambda: MagicMock(content=TEXT),
    "dict": lambda: {"content": TEXT},
}


def returning(kind: type[Mock], method: str, reply: Any) -> Any:
    provider = kind()
    getattr(provider, method).return_value = reply
    return provider


def awaited(kind: type[Mock], reply: Any) -> Any:
    provider = kind()
    provider.acomplete = AsyncMock(return_value=reply)
    return provider


class Synchronous:
    def complete(self, messages: list[dict[str, str]], **options: Any) -> Any: ...


def specified(reply: Any) -> Any:
    provider = create_autospec(Synchronous, instance=True)
    provider.complete.return_value = reply
    return provider


PROVIDERS: dict[str, Callable[[Any], Any]] = {
    "create_autospec": specified,
    "Mock.complete": lambda reply: returning(Mock, "complete", reply),
    "MagicMock.complete": lambda reply: returning(MagicMock, "complete", reply),
    "AsyncMock.complete": lambda reply: returning(AsyncMock, "complete", reply),
    "AsyncMock.acomplete": lambda reply: returning(AsyncMock, "acomplete", reply),
    "Mock with acomplete=AsyncMock": lambda reply: awaited(Mock, reply),
    "MagicMock with acomplete=AsyncMock": lambda reply: awaited(MagicMock, reply),
    "Mock(spec)": lambda reply: Mock(spec=["complete"], **{"complete.return_value": reply}),
    "side_effect": lambda reply: Mock(**{"complete.side_effect": lambda *a, **k: reply}),
}


class Custom(BaseOrchestrator):
    async def decompose_task(self, task, context=None):
        return [SubTask("a", "x"), SubTask("b", "y")]

    async def execute_subtask(self, subtask, context=None):
        reply = await self.provider.acomplete(messages=[{"role": "user", "content": "Hi"}])
        return AgentResult(subtask.id, reply.content)

    async def synthesize_results(self, agent_results, context=None):
        return {"answer": self.provider.complete([{"role": "user", "content": "Hi"}]).content}


CONFIG = OrchestratorConfig(max_retries=0)
STEPS = OrchestratorConfig(max_retries=0, steps=["a", "b"])
PATTERNS: dict[str, tuple[Callable[[Any], BaseOrchestrator], int]] = {
    "cascade": (lambda p: DreamCascadeOrchestrator(DreamCascadeConfig(max_retries=0), p), 7),
    "swarm": (
        lambda p: DreamSwarmOrchestrator(
            DreamSwarmConfig(num_agents=4, max_retries=0), p, sources=shelves()
        ),
        5,
    ),
    "sequential": (lambda p: SequentialOrchestrator(STEPS, p), 2),
    "conditional": (
        lambda p: ConditionalOrchestrator(
            CONFIG, p, condition=lambda c: True, true_branch="a", false_branch="b"
        ),
        1,
    ),
    "iterative": (
        lambda p: IterativeOrchestrator(CONFIG, p, convergence_fn=lambda r: r["score"] > 0.9), 1
    ),
    "custom": (lambda p: Custom(CONFIG, p), 3),
}  # fmt: skip


def calls(provider: Any) -> int:
    methods = (provider.complete, getattr(provider, "acomplete", Mock()))
    return sum(len(method.call_args_list) for method in methods)


@pytest.mark.filterwarnings("ignore:node 'synthesize' calls its provider synchronously")
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("kind", PROVIDERS)
async def test_every_pattern_runs_on_it(kind: str, pattern: str) -> None:
    make, count = PATTERNS[pattern]
    provider = PROVIDERS[kind](REPLIES["mock"]())
    result = await make(provider).execute_workflow("Why?")
    assert result.status == "completed"
    assert TEXT[:14] in str(result.result)
    assert calls(provider) == count
    assert result.total_cost == 0


@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("kind", PROVIDERS)
async def test_every_kind_of_reply(kind: str, reply: str) -> None:
    provider = PROVIDERS[kind](REPLIES[reply]())
    o = SequentialOrchestrator(OrchestratorConfig(steps=["a", "b"], max_retries=0), provider)
    assert (await o.execute_workflow("Why?")).result == TEXT


async def test_what_a_mock_reports_is_counted() -> None:
    reply = Mock(content="x", cost=0.25, usage=Mock(input_tokens=3, output_tokens=4))
    o = Custom(CONFIG, Mock(**{"complete.return_value": reply}))
    with pytest.warns(Warning, match="synchronously"):
        result = await o.execute_workflow("Why?")
    assert result.total_cost == 0.75
    assert [agent.tokens_used for agent in result.agent_results] == [7, 7]


async def test_a_mocks_error_is_the_runs() -> None:
    provider = Mock(**{"complete.side_effect": ValueError("no such place")})
    o = SequentialOrchestrator(OrchestratorConfig(steps=["a"], max_retries=0), provider)
    with pytest.raises(Exception, match="ValueError: no such place"):
        await o.execute_workflow("Why?")
