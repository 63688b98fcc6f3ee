"""Whatever a user's own provider returns or raises: no bill is lowered, and no run breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from dagorch import LLM, Context, Graph, Policy, Retry, RunError
from dagorch.errors import (
    BudgetExceededError,
    BudgetWarning,
    DefinitionError,
    InvariantError,
    MalformedReplyError,
    OverloadedError,
    ProviderError,
)
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import Usage
from dagorch.providers import BaseProvider

HI = [{"role": "user", "content": "Hi"}]
WORST = Decimal("0.25")


class Own(BaseProvider):
    """Returns or raises one thing, and costs at most 0.25 dollars a call."""

    def __init__(self, outcome: Any, worst: Any = WORST, reports_costs: bool = False) -> None:
        super().__init__("own", "m")
        self.outcome = outcome
        self.worst = worst
        self.reports_costs = reports_costs
        self.calls = 0

    def worst_case_usd(self, request: LLMRequest) -> Any:
        return self.worst

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> Any:
        self.calls += 1
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


class Plain:
    """A user's object without a base class; each call costs at most 0.25 dollars."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome
        self.calls = 0

    def worst_case_usd(self, request: LLMRequest) -> Decimal:
        return WORST

    async def acomplete(self, messages: Any) -> Any:
        self.calls += 1
        return self.outcome


def nodes(size: int, **policy: Any) -> Graph:
    graph = Graph("asking")
    for place in range(size):
        graph.add(LLM(f"n{place}", prompt="Hi", max_tokens=9, policy=Policy(**policy)))
    return graph


def said(cost: Any = Decimal("0.01"), count: Any = 1) -> LLMResponse:
    return LLMResponse("yes", "m", Usage(count, count, cost))


ODD: dict[str, Any] = {
    "negative": said(Decimal(-1)),
    "not a number": said(Decimal("NaN")),
    "signalling": said(Decimal("sNaN")),
    "infinite": said(Decimal("Infinity")),
    "huge": said(Decimal("9e999999")),
    "text": said("0.01x"),
    "a float that is no number": said(float("nan")),
    "nothing": said(None),
    "negative tokens": said(count=-5),
    "half tokens": said(count=0.5),
    "text for tokens": said(count="many"),
    "no usage": LLMResponse("yes", "m", None),  # type: ignore[arg-type]  # what users do
    "a dict": LLMResponse("yes", "m", {"cost": 1}),  # type: ignore[arg-type]  # what users do
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kind", [Own, Plain])
def test_usage_that_cannot_be_true_is_billed_at_the_worst_case(
    virtual: Any, kind: Any, odd: str
) -> None:
    provider = kind(ODD[odd])

    async def main() -> Any:
        with pytest.raises(BudgetExceededError) as caught:
            await nodes(9).run(provider=provider, max_cost=1)
        return caught.value.partial_results

    result = virtual(main)
    assert provider.calls == 4
    assert result.usage.cost_usd == 1
    assert result.usage.estimated


@pytest.mark.parametrize("where", ["node", "async", "thread", "loop"])
@pytest.mark.filterwarnings("ignore::dagorch.errors.BlockingCallWarning")
def test_calls_of_functions_are_billed_alike(virtual: Any, where: str) -> None:
    graph = nodes(1)

    if where == "async":

        async def asks(context: Context[None]) -> None:
            await context.acomplete(HI, max_tokens=9)

        graph.function(asks)
    elif where == "thread":

        def asks_in_a_thread(context: Context[None]) -> None:
            context.complete(HI, max_tokens=9)

        graph.function(asks_in_a_thread)
    elif where == "loop":

        async def asks_on_the_loop(context: Context[None]) -> None:
            context.complete(HI, max_tokens=9)

        graph.function(asks_on_the_loop)
    result = virtual(lambda: graph.run(provider=Own(said(Decimal(-1))), max_cost=1))
    assert result.usage.cost_usd == WORST * result.usage.calls
    assert result.usage.calls == 1 + (where != "node")


@pytest.mark.parametrize("cost", [0.01, 0, "0.01", Decimal("0.01")])
def test_a_cost_of_another_type_is_a_cost(virtual: Any, cost: Any) -> None:
    result = virtual(lambda: nodes(2).run(provider=Own(said(cost)), max_cost=1))
    assert result.usage.cost_usd == 2 * Decimal(str(cost))
    assert type(result.usage.cost_usd) is Decimal
    assert not result.usage.estimated


@pytest.mark.parametrize("reply", [None, "text", {"content": "x"}, LLMResponse(None, "m")])  # type: ignore[arg-type]  # what users do
def test_a_reply_of_another_type_is_an_error_and_billed(virtual: Any, reply: Any) -> None:
    provider = Own(reply)

    async def main() -> Any:
        with pytest.raises(RunError, match=r"node 'n0'.*own: exchange\(\) returned") as caught:
            await nodes(1).run(provider=provider, max_cost=1)
        assert isinstance(caught.value.__cause__, MalformedReplyError)
        return caught.value.partial_results

    assert virtual(main).usage.cost_usd == WORST
    assert provider.calls == 1, "not retried"


@pytest.mark.parametrize("worst", [-1, Decimal("NaN"), float("inf"), "dear", True, Decimal("9e99")])
def test_a_worst_case_that_is_no_amount_is_refused(virtual: Any, worst: Any) -> None:
    provider = Own(said(), worst)

    async def main() -> None:
        with pytest.raises((DefinitionError, RunError), match=r"own: worst_case_usd\(\) returned"):
            await nodes(1).run(provider=provider, max_cost=1)

    virtual(main)
    assert provider.calls == 0


@pytest.mark.parametrize("worst", [0.25, "0.25"])
def test_a_worst_case_of_another_type_is_an_amount(virtual: Any, worst: Any) -> None:
    provider = Own(said(Decimal(9)), worst)

    async def main() -> None:
        with pytest.raises(BudgetExceededError):
            await nodes(9).run(provider=provider, max_cost=1)

    virtual(main)
    assert provider.calls == 4


@pytest.mark.parametrize("bounds", [(-5, 1), (1, -5), (1.5, 1), None, (1, 2, 3), (10**300, 1)])
def test_bounds_that_are_no_counts_are_refused(virtual: Any, bounds: Any) -> None:
    class Bounded(Own):
        def bounds(self, request: LLMRequest) -> Any:
            return bounds

    provider = Bounded(said())

    async def main() -> None:
        with pytest.raises((DefinitionError, RunError), match=r"own: bounds\(\) returned"):
            await nodes(1).run(provider=provider, max_tokens=1_000)

    virtual(main)
    assert provider.calls == 0


@pytest.mark.filterwarnings(f"ignore::{BudgetWarning.__module__}.BudgetWarning")
@pytest.mark.parametrize("odd", ODD)
def test_without_a_worst_case_such_a_cost_ends_the_run(virtual: Any, odd: str) -> None:
    """The ceiling is soft: it holds only as long as each call reports its cost."""
    if "tokens" in odd:
        return
    provider = Own(ODD[odd], None, reports_costs=True)

    async def main() -> None:
        with pytest.raises(RunError, match="reported no cost that can be true"):
            await nodes(1).run(provider=provider, max_cost=1)

    virtual(main)
    assert provider.calls == 1


class UnreadyError(ProviderError):
    def __init__(self) -> None:
        pass  # forgets its base class


ERRORS: dict[str, Callable[[], BaseException]] = {
    "usage": lambda: OverloadedError("x", usage=Usage(cost_usd=Decimal(-1)), answer_begun=True),
    "status": lambda: OverloadedError("x", status="bad"),  # type: ignore[arg-type]  # of users
    "a wait that is no number": lambda: OverloadedError("x", retry_after_seconds=float("nan")),
    "a negative wait": lambda: OverloadedError("x", retry_after_seconds=-(10.0**300)),
    "text for a wait": lambda: OverloadedError("x", retry_after_seconds="soon"),  # type: ignore[arg-type]  # of users
    "rate limits": lambda: OverloadedError("x", rate_limits="many"),
    "unready": UnreadyError,
    "another loop's cancellation": asyncio.CancelledError,
    "a group of it": lambda: BaseExceptionGroup("x", [asyncio.CancelledError(), ValueError()]),
}


@pytest.mark.parametrize("wrong", ERRORS)
@pytest.mark.parametrize("where", ["node", "function"])
def test_an_error_of_any_shape_fails_the_node_that_met_it(
    virtual: Any, wrong: str, where: str
) -> None:
    graph = Graph("asking")
    retry = Retry(attempts=2, base_delay_seconds=1)
    paid = graph.function(lambda: "paid", id="paid")
    if where == "node":
        graph.add(LLM("n0", prompt="Hi", max_tokens=9, policy=Policy(retry=retry)), after=[paid])
    else:

        async def n0(context: Context[None]) -> None:
            await context.acomplete(HI, max_tokens=9)

        graph.function(n0, policy=Policy(retry=retry), after=[paid])
    provider = Own(ERRORS[wrong]())

    async def main() -> RunError:
        with pytest.raises(RunError) as caught:
            await graph.run(provider=provider, max_cost=1)
        return caught.value

    failure = virtual(main)
    assert not isinstance(failure, InvariantError), failure
    assert "'n0'" in str(failure)
    assert failure.partial_results["paid"] == "paid"
    spent = failure.partial_results.usage
    assert spent.cost_usd == WORST * spent.calls
    assert spent.calls == provider.calls
