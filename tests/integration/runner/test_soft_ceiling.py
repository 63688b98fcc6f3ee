"""A provider that reports its costs, but has no price list, under `max_cost`."""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import Any

import pytest

from dagorch import LLM, BudgetExceededError, Context, DefinitionError, Graph, RunError
from dagorch.errors import MalformedReplyError

HI = [{"role": "user", "content": "Hi"}]


class Own:
    """Knows what a call cost when it has ended."""

    def __init__(self, cost: object = 0.4) -> None:
        self.cost = cost
        self.calls = 0

    async def acomplete(self, messages: Any) -> dict[str, Any]:
        self.calls += 1
        return {"content": "yes", "cost": self.cost}


def chain(size: int) -> Graph:
    graph = Graph("chain")
    before: list[Any] = []
    for place in range(size):
        before = [graph.add(LLM(f"n{place}", prompt="Hi"), after=before)]
    return graph


async def test_the_ceiling_is_checked_after_each_call_and_warned_of_once() -> None:
    provider = Own()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(BudgetExceededError, match=r"max_cost=\$1 is used up: \$1.2 are spent"):
            await chain(9).run(provider=provider, max_cost=1)
    found = [str(warning.message) for warning in caught]
    assert len(found) == 1, "once a run"
    assert "max_cost is soft for provider 'own'" in found[0]
    assert provider.calls == 3


@pytest.mark.filterwarnings("ignore::dagorch.errors.BudgetWarning")
async def test_it_can_finish_with_what_is_free() -> None:
    graph = chain(9)
    graph.function(lambda: "free", id="free")
    result = await graph.run(provider=Own(), max_cost=1, on_budget="finish")
    assert result.over_budget == ("n3",)
    assert result["free"] == "free"
    assert result.cost_usd == Decimal("1.2")


@pytest.mark.parametrize("cost", [None, "dear", -1, float("nan"), True])
@pytest.mark.filterwarnings("ignore::dagorch.errors.BudgetWarning")
async def test_a_reply_without_a_cost_is_an_error(cost: object) -> None:
    provider = Own(cost)
    with pytest.raises(
        RunError, match=r"acomplete\(\) reported no cost, so max_cost cannot be kept"
    ) as caught:
        await chain(1).run(provider=provider, max_cost=1)
    assert isinstance(caught.value.__cause__, MalformedReplyError)
    assert provider.calls == 1, "not retried"
    await chain(1).run(provider=provider)


@pytest.mark.filterwarnings("ignore::dagorch.errors.BudgetWarning")
@pytest.mark.filterwarnings("ignore::dagorch.errors.BlockingCallWarning")
@pytest.mark.parametrize("sync", ["thread", "loop", "async"])
async def test_calls_of_functions_are_checked_too(sync: str) -> None:
    graph = Graph("calls")
    if sync == "async":

        async def calls(context: Context[None]) -> None:
            for _ in range(9):
                await context.acomplete(HI)

        graph.function(calls)
    elif sync == "loop":

        async def calls_on_the_loop(context: Context[None]) -> None:
            for _ in range(9):
                context.complete(HI)

        graph.function(calls_on_the_loop)
    else:

        def calls_in_a_thread(context: Context[None]) -> None:
            for _ in range(9):
                context.complete(HI)

        graph.function(calls_in_a_thread)
    provider = Own()
    with pytest.raises(BudgetExceededError, match="is used up"):
        await graph.run(provider=provider, max_cost=1)
    assert provider.calls == 3
    with pytest.raises(RunError, match="reported no cost"):
        await graph.run(provider=Own(None), max_cost=1)


async def test_a_worst_case_makes_the_ceiling_hard_again() -> None:
    class Priced(Own):
        def worst_case_usd(self, request: Any) -> float:
            return 0.5

    provider = Priced()
    with pytest.raises(BudgetExceededError, match="could cost up to"):
        await chain(9).run(provider=provider, max_cost=1)
    assert provider.calls == 2


async def test_an_unknown_worst_case_is_refused() -> None:
    class Unpriced(Own):
        def worst_case_usd(self, request: Any) -> None:
            return None

    with pytest.raises(DefinitionError, match="the price of '' of unpriced is not known"):
        await chain(1).run(provider=Unpriced(), max_cost=1)


async def test_it_has_no_ceiling_of_tokens() -> None:
    with pytest.raises(DefinitionError, match="have no size limit"):
        await chain(1).run(provider=Own(), max_tokens=1_000)
