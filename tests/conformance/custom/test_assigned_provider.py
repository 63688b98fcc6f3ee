"""A provider that is assigned to `provider` is metered like one that was passed."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock, patch

import pytest

from dagorch import (
    AgentResult,
    BaseOrchestrator,
    BudgetExceededError,
    OrchestratorConfig,
    SequentialOrchestrator,
    SubTask,
)
from dagorch.providers import Router
from tests.conformance.doubles import HI, Plain, once, talking

PLAN = [SubTask("a", "x"), SubTask("b", "y")]


class Asking(Plain):
    async def execute_subtask(self, subtask, context=None):
        return AgentResult(subtask.id, (await self.provider.acomplete(messages=HI)).content)


def priced(text: str) -> Any:
    return Mock(**{"complete.return_value": Mock(content=text, cost=0.25)})


class Keeping(Asking):
    """An `__init__` as many write it."""

    def __init__(self, config: OrchestratorConfig, provider: Any) -> None:
        super().__init__(config, provider, plan=PLAN)
        self.provider = provider


async def test_a_subclass_that_keeps_its_provider_is_metered() -> None:
    result = await Keeping(once(), priced("x")).execute_workflow("Why?")
    assert result.total_cost == 0.5
    assert [agent.cost for agent in result.agent_results] == [0.25, 0.25]
    assert Keeping(once(), None).provider is not None


@pytest.mark.filterwarnings("ignore:max_cost is soft")
async def test_its_ceiling_holds() -> None:
    o = Keeping(once(max_cost=0.25, parallel_execution=False), priced("x"))
    with pytest.raises(BudgetExceededError):
        await o.execute_workflow("Why?")


@pytest.mark.parametrize("kind", ["object", "router", "use"])
async def test_another_provider_replaces_the_first(kind: str) -> None:
    first, second = priced("first"), priced("second")
    o = Asking(once(primary_model="grok-3"), first, plan=PLAN)
    if kind == "use":
        o.use(second)
    else:
        o.provider = second if kind == "object" else Router(second)
    result = await o.execute_workflow("Why?")
    assert result.result == {"said": ["second", "second"]}
    assert (result.total_cost, first.complete.call_count) == (0.5, 0)
    assert second.complete.call_args.kwargs["model"] == "grok-3"


async def test_a_patched_provider_and_its_return() -> None:
    first, second = priced("first"), priced("second")
    o = SequentialOrchestrator(once(steps=["a"]), first)
    with patch.object(o, "provider", second):
        assert (await o.execute_workflow("Why?")).result == "second"
    assert (await o.execute_workflow("Why?")).result == "first"


async def test_providers_by_name_stay() -> None:
    named = talking("by name")
    o = Asking(once(), None, plan=PLAN, providers={"house": named})
    o.provider = priced("x")
    assert (await o.provider.acomplete(HI, model="house:any")).content == "by name"
    assert isinstance(o, BaseOrchestrator)
