"""Bills: one for each exchange, summed by node run, by model and for the run."""

from __future__ import annotations

import pickle
from decimal import Decimal

import pytest

from dagorch import (
    LLM,
    Context,
    Graph,
    OrchestratorConfig,
    OrchestratorResult,
    Policy,
    Retry,
    SequentialOrchestrator,
)
from dagorch.errors import (
    BadRequestError,
    OverloadedError,
    ProviderTimeoutError,
    RateLimitedError,
)
from dagorch.models.events import Event
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.nodes import Function
from dagorch.testing import ScriptedProvider

AT_ONCE = Retry(attempts=3, base_delay_seconds=0)


def answer(model: str, tokens: int, cost: str) -> LLMResponse:
    return LLMResponse("yes", model, Usage(tokens, 1, Decimal(cost)))


async def test_every_attempt_is_billed_even_if_it_fails() -> None:
    graph = Graph("tries")
    asked = graph.add(LLM("ask", prompt="Well?", model="big", policy=Policy(retry=AT_ONCE)))
    provider = ScriptedProvider([OverloadedError("busy", status=503), answer("big", 9, "0.02")])
    result = await graph.run(provider=provider)
    bills = result.get(asked).bills
    assert [(b.service, b.model, b.attempt, b.usage.cost_usd) for b in bills] == [
        ("scripted", "big", 1, Decimal(0)),
        ("scripted", "big", 2, Decimal("0.02")),
    ]
    assert result.get(asked).usage == bills[0].usage + bills[1].usage == result.usage


@pytest.mark.parametrize(
    ("error", "cost"),
    [
        (BadRequestError("no"), 0),
        (RateLimitedError("later"), 0),
        (BadRequestError("broke off", answer_begun=True), 1),
        (BadRequestError("in the body", status=200), 1),
        (ProviderTimeoutError("no reply"), 1),
        (ValueError("of the user's code"), 0),
    ],
)
async def test_a_refusal_without_a_status_is_free(error: Exception, cost: int) -> None:
    class Priced(ScriptedProvider):
        def worst_case_usd(self, request: LLMRequest) -> Decimal:
            return Decimal(1)

    def reply(request: LLMRequest) -> str:
        raise error

    graph = Graph("refused")
    graph.add(LLM("ask", prompt="Well?", policy=Policy(retry=1, fallback="none")))
    result = await graph.run(provider=Priced(reply))
    assert result.output == "none"
    assert result.usage.cost_usd == cost


async def test_a_functions_calls_are_billed_one_by_one_and_by_model() -> None:
    graph = Graph("calls")

    async def ask(item: str, context: Context[None]) -> str:
        for model in ("small", item):
            await context.acomplete([{"role": "user", "content": "Well?"}], model=model)
        return item

    graph.map(Function("ask", ask), over=["a", "b"], max_parallel=1)
    provider = ScriptedProvider(lambda request: answer(request.model, 10, "0.01"))
    result = await graph.run(provider=provider, max_parallel=1)
    assert [b.model for b in result.node_runs["ask[1]/ask"].bills] == ["small", "b"]
    by_model = result.usage_by_model
    assert list(by_model) == ["scripted:small", "scripted:a", "scripted:b"]
    assert by_model["scripted:small"] == Usage(20, 2, Decimal("0.02"), calls=2)
    assert sum(by_model.values(), NOTHING_USED) == result.usage
    kept = pickle.loads(pickle.dumps(result))
    assert kept.usage_by_model == by_model


async def test_cached_and_reasoning_tokens_are_summed_and_count_once_to_a_ceiling() -> None:
    one = Usage(100, 50, Decimal("0.01"), calls=1, cached_tokens=90, reasoning_tokens=40)
    graph = Graph("parts")
    graph.map(LLM("ask", prompt="{item}?", model="m", max_tokens=50), over=["a", "b"])
    graph.add(LLM("last", prompt="Well?", model="m", max_tokens=50))
    provider = ScriptedProvider(lambda request: LLMResponse("yes", "m", one))
    events: list[Event] = []
    result = await graph.run(provider=provider, max_tokens=2_000, on_event=events.append)
    assert result.usage == result.usage_by_model["scripted:m"] == one + one + one
    assert result.node_runs["ask[0]/ask"].usage == one, "a record of a closed frame keeps them"
    assert (result.usage.cached_tokens, result.usage.reasoning_tokens) == (270, 120)
    assert result.usage.total_tokens == 450
    found = [event.data for event in events if event.data.get("cached_tokens")]
    assert {(data["cached_tokens"], data["reasoning_tokens"]) for data in found} == {(90, 40)}


async def test_an_orchestrators_result_keeps_the_token_counts_in_json() -> None:
    one = Usage(100, 50, Decimal("0.01"), calls=1, cached_tokens=90, reasoning_tokens=40)
    provider = ScriptedProvider(lambda request: LLMResponse("yes", "m", one))
    config = OrchestratorConfig(steps=["look", "write"])
    result = await SequentialOrchestrator(config, provider).execute_workflow("Bees?")
    kept = OrchestratorResult.model_validate_json(result.model_dump_json())
    [usage] = kept.metadata["usage_by_model"].values()
    assert (usage["cached_tokens"], usage["reasoning_tokens"]) == (180, 80)


async def test_a_node_without_model_calls_has_no_bill() -> None:
    graph = Graph("free")
    free = graph.function(lambda: 1, id="free")
    result = await graph.run()
    assert result.get(free).bills == ()
    assert result.usage_by_model == {}
