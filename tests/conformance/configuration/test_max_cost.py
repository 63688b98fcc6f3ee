"""A run never exceeds `max_cost`; the error has the answers paid for, and is not in a group."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dagorch import (
    AgentResult,
    BudgetExceededError,
    DefinitionError,
    OrchestratorConfig,
    OrchestratorResult,
    ProviderFactory,
    SubTask,
)
from dagorch.testing import ScriptedProvider, run_virtual
from tests.conformance.doubles import HI, Plain, by_tier, cascade, once, talking
from tests.servers import ModelServer

PRICE = 0.0001


async def cost_of_all() -> float:
    result = await cascade(talking(by_tier, price_per_token=PRICE)).execute_workflow("Why?")
    return result.total_cost


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8])
async def test_a_cascade_never_exceeds_max_cost(share: float) -> None:
    ceiling = share * await cost_of_all() + 0.4  # the highest possible cost of one call
    provider = talking(by_tier, price_per_token=PRICE)
    o = cascade(provider, max_cost=ceiling if share else 0.0, belter_count=40, drummer_count=20)
    try:
        result = await o.execute_workflow("Why?")
    except BudgetExceededError as error:
        result = error.partial_results
        assert isinstance(result, OrchestratorResult)
        assert result.status == "failed"
    assert result.total_cost <= ceiling


class Asking(Plain):
    async def execute_subtask(self, subtask, context=None):
        await self.provider.acomplete(HI, max_tokens=10)
        return await super().execute_subtask(subtask, context)


async def test_the_partial_results_have_the_answers_paid_for() -> None:
    provider = ScriptedProvider("one two three", price_per_token=0.01)
    plan = [SubTask(str(n), f"text {n}") for n in range(50)]
    o = Asking(once(max_cost=3.0, max_parallel=4), provider, plan=plan)
    with pytest.raises(BudgetExceededError) as caught:
        await o.execute_workflow("Why?")
    partial = caught.value.partial_results
    done = [agent for agent in partial.agent_results if agent.status == "completed"]
    assert 1 <= len(done) < 50
    assert all(agent.content == f"TEXT {agent.subtask_id}" for agent in done)
    assert 0 < partial.total_cost <= 3.0
    assert partial.total_cost == pytest.approx(sum(agent.cost for agent in partial.agent_results))


async def test_a_run_within_its_ceiling_completes() -> None:
    provider = ScriptedProvider("one two three", price_per_token=0.01)
    o = Asking(once(max_cost=9.0), provider, plan=[SubTask("a", "x")])
    assert (await o.execute_workflow("Why?")).total_cost == pytest.approx(0.04)


async def test_an_unknown_price_is_reported_before_any_request() -> None:
    class Priceless(ScriptedProvider):
        def worst_case_usd(self, request):
            return None

    provider = Priceless("x", name="mine")
    with pytest.raises(DefinitionError, match="price of 'p' of mine is not known"):
        await cascade(provider, max_cost=1.0).execute_workflow("Why?")
    assert not provider.requests


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8])
async def test_a_cascade_never_exceeds_max_tokens(share: float) -> None:
    whole = (await cascade(talking(by_tier)).execute_workflow("Why?")).run.usage.total_tokens
    ceiling = int(share * whole) + 4_500 if share else 0
    o = cascade(talking(by_tier), max_tokens=ceiling, belter_count=40, drummer_count=20)
    with pytest.raises(BudgetExceededError, match=f"max_tokens={ceiling:,}") as caught:
        await o.execute_workflow("Why?")
    assert caught.value.partial_results.run.usage.total_tokens <= ceiling


async def test_a_downgrade_uses_a_cheaper_model_below_the_ceiling() -> None:
    provider = ScriptedProvider("one two three", price_per_token=0.01)
    provider.worst_case_usd = lambda request: Decimal("0.04" if request.model == "small" else 5)
    o = Asking(once(max_cost=1.0, downgrade="scripted:small"), provider, plan=[SubTask("a", "x")])
    result = await o.execute_workflow("Why?")
    assert result.status == "completed"
    assert list(result.metadata["usage_by_model"]) == ["scripted:small"]


async def test_without_a_downgrade_the_workflow_fails() -> None:
    provider = ScriptedProvider("one two three", price_per_token=0.01)
    provider.worst_case_usd = lambda request: Decimal(5)
    with pytest.raises(BudgetExceededError):
        await Asking(once(max_cost=1.0), provider, plan=[SubTask("a", "x")]).execute_workflow("?")


# -- calls that set no max_tokens -------------------------------------------------------------


class Open(Plain):
    """Asks for replies of any length."""

    async def execute_subtask(self, subtask, context=None):
        reply = await self.provider.acomplete(HI)
        return AgentResult(subtask.id, reply.content)

    async def synthesize_results(self, agent_results, context=None):
        return (await self.provider.acomplete(HI)).content


def large_model(**options) -> ScriptedProvider:
    """One call could cost $1.97, as one of grok-3 could; a reply of 100 words costs 0.15 cents."""
    return ScriptedProvider(
        "word " * 100, price_per_token=0.000015, output_limit=131_072, **options
    )


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_dollar_is_enough_for_calls_without_max_tokens(backend) -> None:
    provider = large_model(latency_seconds=1)
    o = Open(
        OrchestratorConfig(max_cost=1.00), provider, plan=[SubTask(str(n), "x") for n in range(16)]
    )
    result = run_virtual(o.execute_workflow, "Why?", backend=backend)
    assert result.status == "completed"
    assert len(provider.requests) == 17
    assert provider.peak == o.config.max_parallel, "in parallel"
    assert result.total_cost <= 1


async def test_the_bound_is_sent_to_the_service() -> None:
    with ModelServer() as server:
        provider = ProviderFactory.get_provider(
            "xai", model="grok-3", api_key="xai-of-nobody", base_url=server.url
        )
        o = Open(once(max_cost=1.00), provider, plan=[SubTask(str(n), "x") for n in range(8)])
        result = await o.execute_workflow("Why?")
    sent = [request.json["max_tokens"] for request in server.requests]
    assert result.status == "completed"
    assert len(sent) == 9
    assert sent[0] == 8_192, "the longest of which eight fit into a dollar"
    assert all(256 <= limit <= 131_072 for limit in sent)


# -- a ceiling that ends in an answer ---------------------------------------------------------


async def test_the_synthesis_is_over_what_was_paid() -> None:
    provider = ScriptedProvider("one two three", price_per_token=0.01)
    plan = [SubTask(str(n), f"text {n}") for n in range(50)]
    config = once(max_cost=3.0, max_parallel=4, on_budget="finish")
    result = await Asking(config, provider, plan=plan).execute_workflow("Why?")
    done = [agent for agent in result.agent_results if agent.status == "completed"]
    skipped = [agent for agent in result.agent_results if agent.status == "skipped"]
    assert result.status == "partial"
    assert 1 <= len(done) < 50
    assert len(done) + len(skipped) == 50
    assert result.result == {"said": [agent.content for agent in done]}
    assert "could cost up to $" in result.metadata["budget_error"]
    assert result.metadata["over_budget"] == [f"subtasks/{agent.subtask_id}" for agent in skipped]
    assert all("BudgetExceededError" in agent.metadata["error"] for agent in skipped)
    assert result.total_cost <= 3.0


async def test_a_workflow_that_fits_does_not_mention_the_budget() -> None:
    config = once(max_cost=9.0, on_budget="finish")
    provider = ScriptedProvider("one two three", price_per_token=0.01)
    result = await Asking(config, provider, plan=[SubTask("a", "x")]).execute_workflow("Why?")
    assert result.status == "completed"
    assert "budget_error" not in result.metadata


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 2.0])
async def test_a_cascade_finishes_under_its_ceiling(share: float) -> None:
    ceiling = share * await cost_of_all() + 0.05 if share else 0.0
    provider = talking(by_tier, price_per_token=PRICE)
    o = cascade(provider, max_cost=ceiling, belter_count=40, drummer_count=20, on_budget="finish")
    result = await o.execute_workflow("Why?")
    assert result.status == "partial"
    assert result.total_cost <= ceiling
