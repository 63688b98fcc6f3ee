"""Ceilings of money and tokens: bounded requests, cheaper models, and runs that are stopped."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dagorch import (
    LLM,
    BudgetExceededError,
    Context,
    DefinitionError,
    Event,
    Graph,
    Policy,
    Retry,
    RunError,
)
from dagorch.errors import (
    BudgetWarning,
    OverloadedError,
    ProviderConnectionError,
    ProviderError,
    RateLimitedError,
    RefusedError,
)
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.messages import build_request
from dagorch.models.usage import Usage
from dagorch.providers import adapt
from dagorch.testing import ScriptedProvider, run_virtual
from tests.integration.runner.ceilings import worst_case

CENT = Decimal("0.01")
HI = [{"role": "user", "content": "Hi"}]


def asking(*ids: str, after: bool = False, **options: Any) -> Graph:
    graph = Graph("asking")
    before: list[Any] = []
    for id in ids:
        before = [graph.add(LLM(id, prompt="Hi", **options), after=before if after else [])]
    return graph


def dear(**options: Any) -> ScriptedProvider:
    """Charges a cent a word; its model `small` a hundredth of that."""

    class Dear(ScriptedProvider):
        def price(self, request: LLMRequest) -> Decimal:
            return CENT / 100 if request.model == "small" else CENT

        def worst_case_usd(self, request: LLMRequest) -> Decimal:
            sent, most = self.bounds(request)
            return (sent + (most or 0)) * self.price(request)

        async def exchange(self, request: LLMRequest, on_text: Any) -> LLMResponse:
            answer = await super().exchange(request, on_text)
            used = answer.usage
            cost = used.total_tokens * self.price(request)
            usage = Usage(used.input_tokens, used.output_tokens, cost, calls=1)
            return LLMResponse(answer.content, answer.model, usage)

    return Dear("a few words", **options)


PAID = 4 * CENT
"""The actual cost: one word of prompt, three of answer."""


# -- requests ---------------------------------------------------------------------------------


async def test_under_a_ceiling_every_request_bounds_its_answer() -> None:
    async def ask(context: Context[None]) -> str:
        return (await context.acomplete(HI)).content

    graph = asking("own", "models")
    graph.function(ask, id="call")
    graph.add(LLM("bounded", prompt="Hi", max_tokens=7))
    for ceiling in ({"max_cost": 100}, {"max_tokens": 100_000}):
        provider = dear(output_limit=50)
        await graph.run(provider=provider, **ceiling)
        assert sorted(request.max_tokens or 0 for request in provider.requests) == [7, 50, 50, 50]
    provider = dear(output_limit=50)
    await graph.run(provider=provider)
    assert sorted(request.max_tokens or 0 for request in provider.requests) == [0, 0, 0, 7]


# -- replies without a limit of their own -----------------------------------------------------


LIMIT = 50_000
"""The model's own limit of a reply, in words."""


async def test_a_reply_is_bounded_by_its_share_and_the_calls_run_in_parallel() -> None:
    provider = ScriptedProvider("ok", price_per_token=CENT, output_limit=LIMIT)
    graph = asking(*(f"n{place}" for place in range(4)))
    await graph.run(provider=provider, max_cost=4 * worst_case(provider, 1_500))
    assert [request.max_tokens for request in provider.requests][:1] == [1_024]
    assert all((request.max_tokens or 0) >= 1_024 for request in provider.requests)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_share_counts_at_most_max_parallel(backend: Any) -> None:
    provider = ScriptedProvider("ok", price_per_token=CENT, output_limit=LIMIT, latency_seconds=1)
    graph = asking(*(f"n{place}" for place in range(20)))

    async def main() -> None:
        await graph.run(provider=provider, max_cost=2 * worst_case(provider, 1_500), max_parallel=2)

    run_virtual(main, backend=backend)
    assert provider.requests[0].max_tokens == 1_024
    assert provider.peak == 2
    assert len(provider.requests) == 20


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_functions_that_may_call_share_too(backend: Any) -> None:
    provider = ScriptedProvider("ok", price_per_token=CENT, output_limit=LIMIT, latency_seconds=1)

    async def ask(context: Context[None]) -> str:
        return (await context.acomplete(HI)).content

    graph = Graph("calls")
    for place in range(8):
        graph.function(ask, id=f"n{place}")

    async def main() -> None:
        await graph.run(provider=provider, max_cost=8 * worst_case(provider, 600), max_parallel=8)

    run_virtual(main, backend=backend)
    assert provider.peak == 8
    assert provider.requests[0].max_tokens == 512


async def test_below_the_shortest_reply_a_call_is_refused() -> None:
    provider = ScriptedProvider("ok", price_per_token=CENT, output_limit=LIMIT)
    ceiling = worst_case(provider, 256)
    await asking("ask").run(provider=provider, max_cost=ceiling)
    assert provider.requests[0].max_tokens == 256
    with pytest.raises(BudgetExceededError, match=f"could cost up to \\${ceiling}, but of"):
        await asking("ask").run(provider=provider, max_cost=ceiling - CENT)
    assert len(provider.requests) == 1


async def test_a_reply_that_was_cut_at_its_share_is_warned_of() -> None:
    provider = ScriptedProvider("word " * 300, price_per_token=CENT, output_limit=LIMIT)
    graph = asking("ask")
    with pytest.warns(BudgetWarning, match="node 'ask': the reply was cut off at 256 tokens"):
        await graph.run(provider=provider, max_cost=worst_case(provider, 256))
    await asking("own", max_tokens=200).run(provider=provider, max_cost=100)  # the user's own


async def test_a_cut_reply_is_billed_where_warnings_are_errors() -> None:
    provider = ScriptedProvider("word " * 300, price_per_token=CENT, output_limit=LIMIT)
    with pytest.raises(RunError, match="was cut off at 256 tokens") as caught:
        await asking("ask", policy=Policy(retry=Retry(attempts=1))).run(
            provider=provider, max_cost=worst_case(provider, 256)
        )
    assert caught.value.partial_results.cost_usd == 257 * CENT


# -- tokens -----------------------------------------------------------------------------------


async def test_a_token_ceiling_is_never_exceeded() -> None:
    provider = ScriptedProvider("a few words")
    graph = asking(*(f"n{place}" for place in range(20)), after=True, max_tokens=3)
    most = sum(provider.bounds(LLMRequest(build_request(HI, "", {}).messages, "", 3)))  # type: ignore[arg-type]
    with pytest.raises(BudgetExceededError, match=f"of the run's max_tokens={most + 9} 12 are"):
        await graph.run(provider=provider, max_tokens=most + 9)
    assert len(provider.requests) == 3, "with 0, 4 and 8 tokens used the next still fits"


async def test_a_provider_without_a_size_limit_cannot_run_under_a_token_ceiling() -> None:
    class Own:
        def complete(self, messages: Any) -> str:
            raise AssertionError("nothing must be sent")

    with pytest.raises(DefinitionError, match="the responses of '' of own have no size limit"):
        await asking("ask").run(provider=adapt(Own()), max_tokens=1_000)


@pytest.mark.parametrize("wrong", [-1, 1.5, "many"])
async def test_an_invalid_ceiling_is_refused(wrong: object) -> None:
    with pytest.raises(DefinitionError, match=r"max_tokens=.* must be a whole number"):
        await asking("ask").run(provider=ScriptedProvider("x"), max_tokens=wrong)


# -- a cheaper model first --------------------------------------------------------------------


async def test_a_cheaper_model_is_asked_before_a_ceiling_stops_the_run() -> None:
    events: list[Event] = []
    provider = dear()
    graph = asking("first", "second", after=True, max_tokens=3)
    result = await graph.run(
        provider=provider, max_cost=worst_case(provider), downgrade="small", on_event=events.append
    )
    assert [request.model for request in provider.requests] == ["", "small"]
    assert list(result.usage_by_model) == ["scripted:scripted", "scripted:small"]
    downgrades = [event for event in events if event.type == "node_downgraded"]
    assert [(event.path, event.data["model"]) for event in downgrades] == [("second", "small")]


async def test_a_functions_calls_use_the_cheaper_model_too() -> None:
    async def ask(context: Context[None]) -> int:
        for _ in range(4):
            await context.acomplete(HI, max_tokens=3)
        return 4

    graph = Graph("calls")
    graph.function(ask)
    provider = dear()
    await graph.run(
        provider=provider, max_cost=worst_case(provider), downgrade={"scripted": "small"}
    )
    assert [request.model for request in provider.requests] == ["", "small", "small", "small"]


async def test_the_run_stops_if_the_cheaper_model_does_not_fit_either() -> None:
    provider = dear()
    graph = asking("first", "second", after=True, max_tokens=3)
    downgrade = {"scripted:scripted": "other"}
    with pytest.raises(BudgetExceededError, match="second"):
        await graph.run(provider=provider, max_cost=worst_case(provider), downgrade=downgrade)
    assert len(provider.requests) == 1


async def test_a_call_waits_for_reserved_budget_before_it_is_downgraded() -> None:
    provider = dear()
    graph = asking("one", "two", max_tokens=3)
    await graph.run(provider=provider, max_cost=worst_case(provider) + PAID, downgrade="small")
    assert [request.model for request in provider.requests] == ["", ""]


async def test_a_cheaper_model_may_be_another_services() -> None:
    large, small = dear(name="large"), ScriptedProvider("ok", name="small")
    graph = asking("first", "second", after=True, max_tokens=3)
    providers = {"large": large, "small": small}
    await graph.run(provider=providers, max_cost=worst_case(large), downgrade="small:tiny")
    assert [request.model for request in small.requests] == ["tiny"]


async def test_downgrade_without_a_ceiling_would_do_nothing() -> None:
    with pytest.raises(DefinitionError, match="downgrade= does nothing without a ceiling"):
        await asking("ask").run(provider=dear(), downgrade="small")


# -- bills ------------------------------------------------------------------------------------


def failing(error: Exception) -> ScriptedProvider:
    return ScriptedProvider([error, "yes"], price_per_token=CENT)


WORST = 3


@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (RateLimitedError("429", status=429), "nothing"),
        (OverloadedError("500", status=500), "nothing"),
        (ProviderConnectionError("refused", sent=False), "nothing"),
        (ProviderConnectionError("closed"), "worst"),
        (OverloadedError("in the middle", status=500, answer_begun=True), "worst"),
        (ProviderError("odd", usage=Usage(5, 2, Decimal("0.07"))), "counted"),
    ],
)
async def test_a_failure_is_billed_at_what_it_may_have_cost(error: Exception, billed: str) -> None:
    error.retryable = True  # type: ignore[attr-defined]
    policy = Policy(retry=Retry(attempts=2, base_delay_seconds=0))
    graph = asking("ask", max_tokens=WORST, policy=policy)
    provider = failing(error)
    bill = (await graph.run(provider=provider)).get("ask").bills[0].usage
    if billed == "nothing":
        assert bill == Usage(calls=1)
    elif billed == "counted":
        assert bill == Usage(5, 2, Decimal("0.07"), calls=1)
    else:
        assert bill.cost_usd == provider.worst_case_usd(provider.requests[0])
        assert bill.output_tokens == WORST
        assert bill.estimated


async def test_usage_that_never_arrived_is_billed_at_the_reservation() -> None:
    silent = LLMResponse("yes", "m", Usage(estimated=True))
    provider = ScriptedProvider(lambda request: silent, price_per_token=CENT)

    async def ask(context: Context[None]) -> float:
        return (await context.acomplete(HI, max_tokens=WORST)).cost

    graph = asking("ask", max_tokens=WORST)
    graph.function(ask, id="call")
    result = await graph.run(provider=provider, max_cost=10)
    for id in ("ask", "call"):
        usage = result.get(id).usage
        assert usage.estimated
        assert usage.cost_usd == provider.worst_case_usd(provider.requests[0])
    assert result["call"] == float(result.get("call").usage.cost_usd), "the caller sees it too"


async def test_a_refusal_with_usage_costs_its_usage() -> None:
    refused = RefusedError("no", status=200, answer_begun=True, usage=Usage(9, 1, CENT))
    graph = asking("ask", policy=Policy(fallback="none"))
    result = await graph.run(provider=ScriptedProvider([refused]))
    assert result.usage == Usage(9, 1, CENT, calls=1)
