"""`on_budget="finish"`: a ceiling that ends in an answer."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import anyio
import pytest

from dagorch import LLM, BudgetExceededError, Context, DefinitionError, Event, Graph, Policy, Retry
from dagorch.errors import OverloadedError
from dagorch.models.llm import LLMRequest
from dagorch.nodes import Function
from dagorch.testing import ScriptedProvider
from tests.integration.runner.ceilings import worst_case

CENT = Decimal("0.01")
HI = [{"role": "user", "content": "Hi"}]
PAID = 4 * CENT
"""What a call costs: one word of prompt, three of reply."""


def service(**options: Any) -> ScriptedProvider:
    return ScriptedProvider("a few words", price_per_token=CENT, **options)


def worst(tokens: int = 3) -> Decimal:
    return worst_case(service(), tokens)


def ask(id: str, **options: Any) -> LLM[str]:
    return LLM(id, prompt="Hi", max_tokens=3, **options)


# -- what is skipped, and what runs -----------------------------------------------------------


async def test_what_does_not_fit_is_skipped_and_what_is_free_runs() -> None:
    graph = Graph("finish")
    first = graph.add(ask("first"))
    second = graph.add(ask("second"), after=first)
    third = graph.add(ask("third"), after=second)
    free = graph.function(lambda first: first.upper(), id="free", first=first)
    alive = graph.merge("alive", [first, second])
    provider, events = service(), list[Event]()
    graph.output(free, alive, third)
    result = await graph.run(
        provider=provider, max_cost=worst(), on_budget="finish", on_event=events.append
    )
    assert len(provider.requests) == 1
    assert result.status == "partial"
    assert result[free] == "A FEW WORDS"
    assert result[alive] == ["a few words"], "a merge is over what is alive"
    assert result.get(second).end == result.get(third).end == "skipped"
    assert result.over_budget == ("second",), "the third is skipped because the second is"
    assert "node 'second' could cost up to" in result.get(second).reason
    assert "'second' was skipped" in result.get(third).reason
    assert isinstance(result.get(second).error, BudgetExceededError)
    assert isinstance(result.budget_error, BudgetExceededError)
    assert "1 over budget" in repr(result)
    reasons = {e.path: e.data.get("reason") for e in events if e.type == "node_skipped"}
    assert "could cost up to" in reasons["second"]


async def test_nothing_is_paid_after_the_first_refusal() -> None:
    graph = Graph("first")
    big = graph.add(LLM("big", prompt="Hi", max_tokens=500, policy=Policy(priority=1)))
    small = graph.add(ask("small"))
    provider = service()
    result = await graph.run(provider=provider, max_cost=2 * worst(), on_budget="finish")
    assert not provider.requests, "the small one would fit"
    assert result.over_budget == ("big", "small")
    assert "the budget was used up before: node 'big'" in result.get(small).reason
    assert result.get(big).attempts == 0
    assert result.status == "partial"
    assert result.cost_usd == 0


async def test_a_run_that_fits_is_complete() -> None:
    graph = Graph("fits")
    graph.add(ask("one"))
    result = await graph.run(provider=service(), max_cost=10, on_budget="finish")
    assert result.status == "completed"
    assert result.budget_error is None
    assert result.over_budget == ()


async def test_stop_is_the_default() -> None:
    graph = Graph("stop")
    graph.add(ask("one"))
    for options in ({}, {"on_budget": "stop"}):
        with pytest.raises(BudgetExceededError):
            await graph.run(provider=service(), max_cost=CENT, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_budget": "end", "max_cost": 1}, "on_budget='end' is neither 'stop' nor 'finish'"),
        ({"on_budget": "finish"}, "on_budget= does nothing without a ceiling"),
    ],
)
async def test_a_wrong_option_is_refused(options: dict[str, Any], message: str) -> None:
    graph = Graph("wrong")
    graph.add(ask("one"))
    with pytest.raises(DefinitionError, match=message):
        await graph.run(provider=service(), **options)


async def test_a_ceiling_of_tokens_finishes_too() -> None:
    graph = Graph("tokens")
    first = graph.add(ask("first"))
    graph.add(ask("second"), after=first)
    result = await graph.run(provider=service(), max_tokens=int(worst() / CENT), on_budget="finish")
    assert result.over_budget == ("second",)
    assert "could use up to" in result.get("second").reason


async def test_a_cheaper_model_comes_before_a_refusal() -> None:
    class Two(ScriptedProvider):
        def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
            most = super().worst_case_usd(request)
            return most / 100 if most and request.model == "small" else most

    graph = Graph("cheaper")
    first = graph.add(ask("first"))
    graph.add(ask("second"), after=first)
    provider = Two("a few words", price_per_token=CENT)
    result = await graph.run(
        provider=provider, max_cost=worst(), downgrade="small", on_budget="finish"
    )
    assert [request.model for request in provider.requests] == ["", "small"]
    assert result.status == "completed"


async def test_a_retry_that_does_not_fit_is_skipped() -> None:
    graph = Graph("retry")
    broken = OverloadedError("in the middle", status=500, answer_begun=True)
    graph.add(ask("only", policy=Policy(retry=Retry(attempts=3, base_delay_seconds=0))))
    provider = ScriptedProvider([broken, "yes"], price_per_token=CENT)
    result = await graph.run(provider=provider, max_cost=worst(), on_budget="finish")
    assert result.over_budget == ("only",)
    assert result.get("only").attempts == 1
    assert result.cost_usd == worst(), "the attempt that broke off is billed"


async def test_a_fallback_is_for_failures_only() -> None:
    graph = Graph("fallback")
    graph.add(ask("only", policy=Policy(fallback="none", fallback_models=("other",))))
    result = await graph.run(provider=service(), max_cost=CENT, on_budget="finish")
    assert result.over_budget == ("only",)


async def test_a_node_that_fails_still_fails_the_run() -> None:
    graph = Graph("fails")
    graph.add(ask("only"))

    def fail() -> None:
        raise ValueError("no")

    graph.function(fail)
    with pytest.raises(Exception, match="no"):
        await graph.run(provider=service(), max_cost=CENT, on_budget="finish")


# -- calls of functions -----------------------------------------------------------------------


async def test_a_function_whose_call_does_not_fit_is_skipped() -> None:
    async def calls(context: Context[None]) -> str:
        await context.acomplete(HI, max_tokens=3)
        return (await context.acomplete(HI, max_tokens=3)).content

    graph = Graph("calls")
    graph.add(Function("calls", calls, policy=Policy(retry=Retry(attempts=3), fallback="none")))
    provider = service()
    result = await graph.run(provider=provider, max_cost=worst(), on_budget="finish")
    run = result.get("calls")
    assert (run.end, run.attempts) == ("skipped", 1)
    assert "a call of node 'calls' could cost up to" in run.reason
    assert run.usage.cost_usd == PAID
    assert len(provider.requests) == 1


async def test_a_function_may_catch_the_refusal() -> None:
    async def calls(context: Context[None]) -> str:
        try:
            await context.acomplete(HI, max_tokens=3)
        except BudgetExceededError:
            return "without a model"
        raise AssertionError

    graph = Graph("catches")
    graph.function(calls)
    result = await graph.run(provider=service(), max_cost=CENT, on_budget="finish")
    assert result["calls"] == "without a model"
    assert result.status == "partial", "the answer is not the one that was meant"
    assert result.over_budget == ()
    assert "a call of node 'calls'" in str(result.budget_error)


async def test_the_refusals_of_calls_at_once_skip_the_function() -> None:
    async def calls(context: Context[None]) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(context.acomplete, HI)

    graph = Graph("group")
    graph.function(calls)
    result = await graph.run(provider=service(), max_cost=CENT, on_budget="finish")
    assert result.over_budget == ("calls",)


async def test_a_sync_function_is_skipped_too() -> None:
    def calls(context: Context[None]) -> str:
        return context.complete(HI, max_tokens=3).content

    graph = Graph("sync")
    graph.function(calls)
    result = await graph.run(provider=service(), max_cost=CENT, on_budget="finish")
    assert result.over_budget == ("calls",)


async def test_the_refusal_of_a_run_inside_a_function_is_a_failure() -> None:
    async def nested() -> None:
        inner = Graph("inner")
        inner.add(ask("one"))
        await inner.run(provider=service(), max_cost=CENT)

    graph = Graph("outer")
    graph.add(ask("first", policy=Policy(priority=1)))
    graph.function(nested)
    with pytest.raises(Exception, match="nested"):
        await graph.run(provider=service(), max_cost=CENT, on_budget="finish", max_parallel=1)


# -- containers -------------------------------------------------------------------------------


def body() -> Graph:
    inner = Graph("body")
    item = inner.input("item", str)
    inner.add(LLM("ask", prompt="{item}", max_tokens=3), item=item)
    return inner


async def test_a_loop_ends_with_the_last_pass_that_was_paid() -> None:
    graph = Graph("loop")
    graph.loop("refine", body(), item="Hi", max_iterations=5)
    provider = ScriptedProvider("Hi", price_per_token=CENT)
    result = await graph.run(provider=provider, max_cost=worst() + 2 * CENT, on_budget="finish")
    assert result["refine"] == "Hi"
    assert result.loop("refine").iterations == 2
    assert not result.loop("refine").converged
    assert result.over_budget == ("refine[2]/ask",)
    assert result.status == "partial"


async def test_a_loop_without_a_pass_is_skipped() -> None:
    graph = Graph("loop")
    graph.loop("refine", body(), item="Hi", max_iterations=5)
    result = await graph.run(provider=service(), max_cost=CENT, on_budget="finish")
    assert set(result.over_budget) == {"refine", "refine[0]/ask"}
    assert "could cost" in result.get("refine").reason


async def test_a_map_has_the_items_that_were_paid() -> None:
    graph = Graph("map")
    found = graph.map(body(), over=["Hi"] * 5, id="each", item_input="item")
    graph.function(lambda each: len(each), id="count", each=found)
    provider = ScriptedProvider("Hi", price_per_token=CENT)
    result = await graph.run(
        provider=provider, max_cost=worst() + 2 * CENT, on_budget="finish", max_parallel=1
    )
    assert result["each"] == ["Hi", "Hi"]
    assert result["count"] == 2
    assert result.over_budget == tuple(f"each[{place}]/ask" for place in (2, 3, 4))


async def test_a_map_without_an_item_is_skipped() -> None:
    graph = Graph("map")
    graph.map(body(), over=["Hi"] * 5, id="each", item_input="item")
    result = await graph.run(provider=service(), max_cost=CENT, on_budget="finish")
    assert result.get("each").end == "skipped"
    assert len(result.over_budget) == 6


async def test_a_subgraph_is_skipped_with_its_output() -> None:
    inner = Graph("inner")
    inner.add(ask("one"))
    graph = Graph("outer")
    part = graph.subgraph(inner, id="part")
    graph.function(lambda part: part, id="reads", part=part)
    result = await graph.run(provider=service(), max_cost=CENT, on_budget="finish")
    assert set(result.over_budget) == {"part", "part/one"}
    assert result.get("reads").end == "skipped"


# -- doors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["run", "start", "stream"])
async def test_every_door_has_the_option(door: str) -> None:
    graph = Graph("door")
    graph.add(ask("only"))
    options: dict[str, Any] = {"provider": service(), "max_cost": CENT, "on_budget": "finish"}
    if door == "run":
        result = await graph.run(**options)
    elif door == "start":
        async with graph.start(**options) as run:
            result = await run.result()
    else:
        stream = graph.stream(**options)
        kinds = [event.type async for event in stream]
        result = stream.result
        assert "node_skipped" in kinds
        assert kinds[-1] == "run_completed"
    assert result.over_budget == ("only",)


def test_the_sync_door_has_the_option_and_its_result_pickles() -> None:
    graph = Graph("door")
    graph.add(ask("only"))
    result = graph.run_sync(provider=service(), max_cost=CENT, on_budget="finish")
    copy = pickle.loads(pickle.dumps(result))
    assert copy.over_budget == ("only",)
    assert str(copy.budget_error) == str(result.budget_error)
