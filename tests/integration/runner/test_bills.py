"""Who was paid what: a bill for every exchange, summed by node run, by model and for the run."""

from __future__ import annotations

import pickle
from decimal import Decimal

from dagorch import LLM, Context, Graph, Policy, Retry
from dagorch.errors import OverloadedError
from dagorch.models.llm import LLMResponse
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.nodes import Function
from dagorch.testing import ScriptedProvider

AT_ONCE = Retry(attempts=3, base_delay_seconds=0)


def answer(model: str, tokens: int, cost: str) -> LLMResponse:
    return LLMResponse("yes", model, Usage(tokens, 1, Decimal(cost)))


async def test_every_attempt_has_its_bill_and_a_failed_one_too() -> None:
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


async def test_what_calls_no_model_has_no_bill() -> None:
    graph = Graph("free")
    free = graph.function(lambda: 1, id="free")
    result = await graph.run()
    assert result.get(free).bills == ()
    assert result.usage_by_model == {}
