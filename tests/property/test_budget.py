"""
Ceilings against a service's own accounts: random graphs, prices and luck, parallelism 1 to 64.

The service counts for itself what it would bill: for answers, for those that broke off or whose
usage was lost on the way, and for those that were cancelled under it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import anyio
import pytest

from dagorch import (
    LLM,
    BudgetExceededError,
    Context,
    DefinitionError,
    Graph,
    Policy,
    Retry,
    RunError,
)
from dagorch.errors import OverloadedError, ProviderConnectionError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import Amount, Usage
from dagorch.nodes import Function
from dagorch.providers.base import BaseProvider
from dagorch.scheduler.dispatcher import Dispatcher
from dagorch.testing import ScriptedProvider, run_virtual

QUICK, FULL = 60, 1_000
SHARES = 10
MODELS = ("big", "small", "tiny")


class Service(BaseProvider):
    """Bills by the token and keeps its own accounts."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__("service", "big", chance.choice((None, 1, 3)))
        self.chance = chance
        self.prices = {model: Decimal(chance.randrange(50)) / 10_000 for model in MODELS}
        self.limit = chance.choice((chance.randrange(1, 60), chance.randrange(60, 9_000)))
        self.spent = Amount()
        self.lost = False
        """Whether something was billed whose usage was not reported."""

    def max_output_tokens(self, model: str = "") -> int | None:
        return self.limit

    def worst_case_usd(self, request: LLMRequest) -> Decimal:
        sent, most = self.bounds(request)
        assert most is not None
        return (sent + most) * self.prices[request.model or "big"]

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        assert request.max_tokens is not None, "a request under a ceiling bounds its answer"
        chance, price = self.chance, self.prices[request.model or "big"]
        sent, most = self.bounds(request)
        counted = Usage(chance.randint(1, sent), chance.randint(0, most or 0))
        usage = Usage(
            counted.input_tokens, counted.output_tokens, counted.total_tokens * price, calls=1
        )
        luck = chance.random()
        if luck < 0.1:
            raise OverloadedError("busy", status=503)
        if luck < 0.15:
            raise ProviderConnectionError("connection refused", sent=False)
        self.spent += Amount(usage.cost_usd, usage.total_tokens)
        reported = False
        try:
            await anyio.sleep(chance.random())
            on_text("a few")
            if luck < 0.25:
                raise ProviderConnectionError("closed", answer_begun=True)
            if luck < 0.3:
                return LLMResponse("a few words", request.model, Usage(estimated=True))
            if luck < 0.35:
                reported = True
                raise OverloadedError("midway", status=500, answer_begun=True, usage=usage)
            reported = True
            return LLMResponse("a few words", request.model, usage)
        finally:
            self.lost = self.lost or not reported


def random_graph(chance: random.Random) -> Graph:
    """Build a graph of model calls by nodes, functions and maps, in sequence and in parallel."""
    graph = Graph("random")
    refs: list[Any] = []

    def policy() -> Policy:
        return Policy(
            retry=Retry(attempts=chance.randint(1, 4), base_delay_seconds=0.5),
            fallback_models=("tiny",) if chance.random() < 0.2 else (),
            on_error=chance.choice(("fail", "continue", "continue")),
            attempt_timeout_seconds=chance.choice((None, None, 0.5)),
            priority=chance.choice((None, 1, 2)),
        )

    def llm(id: str, *, may_reserve: bool = False) -> LLM[str]:
        model, reserve = chance.choice(("", *MODELS)), may_reserve and chance.random() < 0.1
        covered = {"reserve": True, "reserve_input_tokens": chance.choice((20, 200))}
        return LLM(
            id,
            prompt="words " * chance.randrange(1, 30),
            model=model,
            max_tokens=chance.choice((None, chance.randrange(1, 40))),
            policy=replace(policy(), **covered if reserve else {}),
        )

    async def calls(context: Context[Any]) -> int:
        count = chance.randrange(1, 4)
        async with anyio.create_task_group() as group:
            for _ in range(count):
                message = {"role": "user", "content": "Hi"}
                group.start_soon(context.acomplete, [message], chance.choice(MODELS))
        return count

    async def free() -> int:
        await anyio.sleep(chance.random())
        return 1

    for place in range(chance.randrange(2, 25)):
        after = chance.sample(refs, min(len(refs), chance.randrange(3)))
        kind = chance.random()
        if kind < 0.6:
            refs.append(graph.add(llm(f"n{place}", may_reserve=True), after=after))
        elif kind < 0.75:
            reserve = chance.random() < 0.1
            node = Function(f"n{place}", calls, policy=replace(policy(), reserve=reserve))
            refs.append(graph.add(node, after=after))
        elif kind < 0.85:
            items = list(range(chance.randrange(6)))
            refs.append(
                graph.map(body(chance, llm), over=items, id=f"n{place}", on_item_error="skip")
            )
        else:
            refs.append(graph.function(free, id=f"n{place}", after=after))
    return graph


def body(chance: random.Random, llm: Callable[[str], LLM[str]]) -> Graph:
    inner = Graph("inner")
    inner.input("item", int)
    inner.add(llm("ask"))
    return inner


@dataclass
class Stops:
    """Every stop for lack of budget, checked as it is decided."""

    count: int = 0

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        exceeded = Dispatcher.budget_exceeded

        def budget_exceeded(
            dispatcher: Dispatcher, who: str, path: str, worst: Amount, own: Amount
        ) -> BudgetExceededError:
            self.count += 1
            if dispatcher.over_budget is None:
                assert not dispatcher.budget.reserved, "what is reserved may still come back"
            assert dispatcher.budget.never_fits(worst, own), "the next call would still fit"
            return exceeded(dispatcher, who, path, worst, own)

        monkeypatch.setattr(Dispatcher, "budget_exceeded", budget_exceeded)


async def trial(seed: int) -> None:
    chance = random.Random(seed)
    service, graph = Service(random.Random(seed + 1)), random_graph(chance)
    max_cost = Decimal(chance.randrange(1, 400)) / 100 if chance.random() < 0.8 else None
    tokens = chance.randrange(100, 20_000)
    max_tokens = tokens if max_cost is None or chance.random() < 0.3 else None
    downgrade = chance.choice((None, "tiny", {"big": "small", "small": "tiny"}))
    on_budget = chance.choice(("stop", "finish"))
    try:
        result = await graph.run(
            provider=service,
            max_parallel=chance.choice((1, 2, 5, 16, 64)),
            max_cost=max_cost,
            max_tokens=max_tokens,
            downgrade=downgrade,
            on_budget=on_budget,
            seed=seed,
        )
        if on_budget == "finish" and result.budget_error is not None:
            assert result.status == "partial"
        for node in graph:  # 200 bytes are enough for any prompt here
            covered = node.policy.reserve and node.policy.reserve_input_tokens == 200
            if node.kind == "llm" and covered and node.id in result.over_budget:
                assert result.get(node.id).attempts, "its first attempt was paid for"
    except DefinitionError as error:
        assert "reserves does not fit under the ceiling" in str(error)  # noqa: PT017
        assert service.spent == Amount(), "refused before the first call"
        return
    except BudgetExceededError as error:
        assert on_budget == "stop"
        result = error.partial_results
    except RunError as error:
        result = error.partial_results
    assert max_cost is None or service.spent.cost_usd <= result.usage.cost_usd <= max_cost
    assert max_tokens is None or service.spent.tokens <= result.usage.total_tokens <= max_tokens
    billed = Amount(result.usage.cost_usd, result.usage.total_tokens)
    if service.lost:
        assert result.usage.estimated
        assert billed.cost_usd >= service.spent.cost_usd
        assert billed.tokens >= service.spent.tokens
    else:
        assert billed == service.spent
    bills = [bill.usage for run in result.node_runs.values() for bill in run.bills]
    assert sum(bills, Usage()) == result.usage


def trials(seeds: range, backend: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    stops = Stops()
    stops.watch(monkeypatch)
    for seed in seeds:
        try:
            run_virtual(trial, seed, backend=backend)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    return stops.count


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_ceilings_are_never_exceeded_and_runs_do_not_stop_too_early(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trials(range(QUICK), backend, monkeypatch) > 5


@pytest.mark.full
@pytest.mark.parametrize("share", range(SHARES))
def test_ceilings_hold_in_a_thousand_graphs(share: int, monkeypatch: pytest.MonkeyPatch) -> None:
    size = FULL // SHARES
    backend = ("asyncio", "trio")[share % 2]
    assert trials(range(share * size, (share + 1) * size), backend, monkeypatch) > 5


# -- replies without a limit of their own -----------------------------------------------------


class Terse(ScriptedProvider):
    """Replies with few words at random, though its model could write 50,000."""

    def __init__(self, chance: random.Random, price: Decimal) -> None:
        super().__init__(
            lambda request: "word " * chance.randrange(1, 200),
            price_per_token=price,
            output_limit=50_000,
            latency_seconds=lambda request: chance.random(),
        )


async def bounded_trial(seed: int) -> int:
    """Run calls that set no limit, under a ceiling with room for their cost and one more reply."""
    chance = random.Random(seed)
    count, price = chance.randrange(1, 30), Decimal(chance.randrange(1, 50)) / 1_000_000
    graph = Graph("unbounded replies")
    refs: list[Any] = []

    async def call(context: Context[Any]) -> str:
        message = {"role": "user", "content": "Hi"}
        return (await context.acomplete([message])).content

    for place in range(count):
        after = chance.sample(refs, min(len(refs), chance.randrange(2)))
        node: Any = LLM(f"n{place}", prompt="Hi")
        if chance.random() < 0.5:
            node = Function(f"n{place}", call)
        refs.append(graph.add(node, after=after))
    provider = Terse(random.Random(seed + 1), price)
    most = count * 201 + 256 + 500  # every reply, the shortest limit, and the bytes of a prompt
    result = await graph.run(
        provider=provider,
        max_cost=most * price,
        max_parallel=chance.choice((1, 2, 8, 16)),
        on_budget=chance.choice(("stop", "finish")),
    )
    assert result.status == "completed"
    assert len(provider.requests) == count
    assert all((request.max_tokens or 0) >= 256 for request in provider.requests)
    return provider.peak


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_run_whose_real_costs_fit_completes_without_limits_of_replies(backend: Any) -> None:
    peaks = []
    for seed in range(25):
        try:
            peaks.append(run_virtual(bounded_trial, seed, backend=backend))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    assert max(peaks) > 4, "in parallel too"
