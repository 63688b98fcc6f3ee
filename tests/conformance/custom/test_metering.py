"""Calls made through `self.provider` are metered without any help from the subclass."""

from __future__ import annotations

import anyio
import pytest

from dagorch import AgentResult, BudgetExceededError, OrchestratorConfig, SubTask
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import HI, Plain, by_tier, cascade, once, talking

PLAN = [SubTask("a", "x"), SubTask("b", "y")]


def priced() -> ScriptedProvider:
    return ScriptedProvider("one two three", price_per_token=0.01)


class Asking(Plain):
    async def decompose_task(self, task, context=None):
        await self.provider.acomplete(HI)
        return self.plan

    async def execute_subtask(self, subtask, context=None):
        async with anyio.create_task_group() as group:
            group.start_soon(self.provider.acomplete, HI)
            group.start_soon(anyio.to_thread.run_sync, lambda: self.provider.complete(HI))
        return await super().execute_subtask(subtask, context)

    async def synthesize_results(self, agent_results, context=None):
        await self.provider.acomplete(HI)
        return "done"


async def test_each_call_counts_for_its_agent_and_for_the_run() -> None:
    result = await Asking(once(), priced(), plan=PLAN).execute_workflow("Why?")
    assert [(a.tokens_used, a.cost) for a in result.agent_results] == [
        (8, pytest.approx(0.08)), (8, pytest.approx(0.08)),
    ]  # fmt: skip
    assert result.total_cost == pytest.approx(0.24)
    assert result.metadata["tokens_used"] == 24
    assert result.run.usage.calls == 6


async def test_the_synthesis_reads_the_tokens_and_the_cost_of_each_result() -> None:
    seen: list[tuple[int, float]] = []

    class Adding(Asking):
        async def execute_subtask(self, subtask, context=None):
            result = await super().execute_subtask(subtask, context)
            if len(self.seen) == 1:
                error = OSError("the first attempt fails after its calls")
                error.retry_at_once = True
                raise error
            return result

        async def synthesize_results(self, agent_results, context=None):
            seen.extend((result.tokens_used, result.cost) for result in agent_results)
            seen.extend((r.tokens_used, r.cost) for r in context["results"].values())
            return "done"

    config = OrchestratorConfig(max_retries=1, parallel_execution=False)
    result = await Adding(config, priced(), plan=PLAN).execute_workflow("Why?")
    assert seen == [(16, pytest.approx(0.16)), (8, pytest.approx(0.08))] * 2
    assert [(a.tokens_used, a.cost) for a in result.agent_results] == seen[:2]


async def test_usage_is_reported_by_model_and_by_tier() -> None:
    result = await Asking(once(), priced(), plan=PLAN).execute_workflow("Why?")
    four = {"calls": 4, "input_tokens": 4, "output_tokens": 12, "cost": pytest.approx(0.16)}
    two = {"calls": 2, "input_tokens": 2, "output_tokens": 6, "cost": pytest.approx(0.08)}
    assert result.metadata["usage_by_tier"] == {"orchestrator": two, "analyst": four}
    assert result.metadata["usage_by_model"]["scripted:scripted"]["calls"] == 6
    provider = talking(by_tier, price_per_token=0.01)
    tiers = (await cascade(provider).execute_workflow("Why?")).metadata["usage_by_tier"]
    assert {role: usage["calls"] for role, usage in tiers.items()} == {
        "orchestrator": 1, "belter": 3, "drummer": 2, "camina": 1,
    }  # fmt: skip


async def test_metered_calls_respect_the_ceiling() -> None:
    o = Asking(once(max_cost=0.05), priced(), plan=PLAN)
    with pytest.raises(BudgetExceededError):
        await o.execute_workflow("Why?")


async def test_a_cost_that_an_agent_reports_is_counted() -> None:
    class Elsewhere(Plain):
        async def execute_subtask(self, subtask, context=None):
            return AgentResult(subtask_id=subtask.id, content="", tokens_used=9, cost=0.5)

    result = await Elsewhere(once(), plan=PLAN).execute_workflow("Why?")
    assert result.total_cost == pytest.approx(1.0)
    assert result.agent_results[0].tokens_used == 9


async def test_a_nested_orchestrator_counts_for_the_outer_run() -> None:
    class Outer(Plain):
        async def execute_subtask(self, subtask, context=None):
            inner = Asking(once(), self.provider, plan=[SubTask("i", "x")])
            found = await inner.execute_workflow("inner")
            assert found.run.usage.calls == 4
            return AgentResult(subtask_id=subtask.id, content=found.result)

    provider = priced()
    result = await Outer(once(), provider, plan=[SubTask("o", "x")]).execute_workflow("Why?")
    assert len(provider.requests) == 4
    assert result.total_cost == pytest.approx(0.16)


async def test_a_call_without_a_model_uses_the_primary_model() -> None:
    provider = ScriptedProvider("yes", name="mine")
    await Asking(once(primary_model="first"), provider, plan=PLAN).execute_workflow("Why?")
    assert {request.model for request in provider.requests} == {"first"}


async def test_a_primary_model_of_another_service_runs_there() -> None:
    xai, other = ScriptedProvider("given", name="xai"), ScriptedProvider("other", name="groq")
    o = Asking(once(primary_model="groq-llama"), xai, providers={"groq": other}, plan=PLAN)
    await o.execute_workflow("Why?")
    assert not xai.requests
    assert len(other.requests) == 6
