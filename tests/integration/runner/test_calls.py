"""Calls that functions make through their context: billed, limited, ended with their attempt."""

from __future__ import annotations

import threading
import warnings
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

import anyio
import pytest

from dagorch import BudgetExceededError, Context, Graph, Policy, RunError
from dagorch.errors import BlockingCallWarning, DefinitionError, OverloadedError
from dagorch.models.usage import Usage
from dagorch.testing import ScriptedProvider, assert_ends

HI = [{"role": "user", "content": "one two"}]
PRICED = {"price_per_token": Decimal("0.01"), "output_limit": 10}


def test_an_async_call_is_billed_to_its_node_run(virtual: Any) -> None:
    graph = Graph("calls")

    @graph.function
    async def ask(context: Context[Any]) -> str:
        first = await context.acomplete(HI)
        second = await context.acomplete([{"role": "user", "content": first.content}], max_tokens=1)
        return second.content

    @graph.function
    async def quiet(ask: str) -> str:
        return ask

    provider = ScriptedProvider("a b c", **PRICED)

    async def run() -> Any:
        return await graph.run(provider=provider)

    result = virtual(run)
    assert result["ask"].strip() == "a"
    assert result.get("ask").usage == Usage(5, 4, Decimal("0.09"), calls=2)
    assert result.usage == result.get("ask").usage
    assert result.get("quiet").usage == Usage()


def test_a_call_from_a_thread_is_billed_too(virtual: Any) -> None:
    graph = Graph("calls")
    where: list[bool] = []

    @graph.function
    def ask(context: Context[Any]) -> str:
        where.append(threading.current_thread() is threading.main_thread())
        return context.complete(HI).content

    provider = ScriptedProvider("a b c", latency_seconds=3600, **PRICED)

    async def run() -> Any:
        return await graph.run(provider=provider)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = virtual(run)
    assert where == [False]
    assert result.output == "a b c"
    assert result.get("ask").usage == Usage(2, 3, Decimal("0.05"), calls=1)
    # While the thread waits for the loop, virtual time advances.
    assert 3600 <= result.duration_seconds < 3610


def test_a_sync_call_on_the_loop_works_and_warns_once_naming_the_node(virtual: Any) -> None:
    graph = Graph("calls")

    @graph.function
    async def ask(context: Context[Any]) -> str:
        return context.complete(HI).content + context.complete(HI).content

    provider = ScriptedProvider("a b c", **PRICED)

    async def run() -> Any:
        return await graph.run(provider=provider)

    with pytest.warns(BlockingCallWarning) as caught:
        result = virtual(run)
    assert len(caught) == 1
    assert "node 'ask' calls its provider synchronously" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert result.output == "a b ca b c"
    assert result.get("ask").usage == Usage(4, 6, Decimal("0.10"), calls=2)


async def test_a_slow_sync_call_on_the_loop_warns_only_once() -> None:
    graph = Graph("calls")

    @graph.function
    async def ask(context: Context[Any]) -> str:
        return context.complete(HI).content

    provider = ScriptedProvider("a", latency_seconds=0.8)
    with pytest.warns(BlockingCallWarning) as caught:
        await graph.run(provider=provider)
    assert len(caught) == 1


def test_a_call_that_fails_is_counted_and_its_error_reaches_the_function(virtual: Any) -> None:
    graph = Graph("calls")

    @graph.function
    async def ask(context: Context[Any]) -> str:
        with pytest.raises(OverloadedError):
            await context.acomplete(HI)
        return (await context.acomplete(HI)).content

    provider = ScriptedProvider([OverloadedError("503", status=503), "fine"])

    async def run() -> Any:
        return await graph.run(provider=provider)

    result = virtual(run)
    assert result.output == "fine"
    assert result.usage.calls == 2


@pytest.mark.parametrize("is_async", [True, False])
def test_a_malformed_call_or_a_missing_provider_raises_at_once(
    virtual: Any, is_async: bool
) -> None:
    graph = Graph("calls")

    async def ask(context: Context[Any]) -> None:
        await context.acomplete([{"role": "user", "content": "x"}], max_token=3)

    def ask_sync(context: Context[Any]) -> None:
        context.complete([{"role": "user", "content": "x"}])

    graph.function(ask if is_async else ask_sync, id="ask")

    async def run() -> RunError:
        with pytest.raises(RunError) as caught:
            await graph.run(provider=ScriptedProvider("x") if is_async else None)
        return caught.value

    cause = virtual(run).__cause__
    assert isinstance(cause, DefinitionError)
    assert ("did you mean 'max_tokens'" if is_async else "pass run(..., provider=...)") in str(
        cause
    )


def test_calls_of_one_function_wait_for_the_providers_limit(virtual: Any) -> None:
    graph = Graph("calls")

    @graph.function
    async def ask(context: Context[Any]) -> int:
        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(context.acomplete, HI)
        return 6

    provider = ScriptedProvider("a", latency_seconds=1, max_concurrency=2)

    async def run() -> Any:
        return await graph.run(provider=provider)

    result = virtual(run)
    assert provider.peak == 2
    assert result.duration_seconds == pytest.approx(3.0)
    assert result.usage.calls == 6


def test_calls_of_two_runs_share_the_providers_limit(virtual: Any) -> None:
    graph = Graph("calls")

    @graph.function
    async def ask(context: Context[str]) -> str:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(context.acomplete, [{"role": "user", "content": context.deps}])
        return "done"

    provider = ScriptedProvider("a", latency_seconds=1, max_concurrency=1)

    async def run() -> float:
        before = anyio.current_time()
        async with anyio.create_task_group() as group:
            for name in ("one", "two"):
                group.start_soon(partial(graph.run, provider=provider, deps=name))
        return anyio.current_time() - before

    assert virtual(run) == pytest.approx(8.0)
    assert provider.peak == 1
    # Round robin, once both runs are waiting.
    order = [request.messages[0].content for request in provider.requests]
    assert all(one != other for one, other in pairwise(order[1:-1]))


def test_a_run_that_stops_waiting_does_not_delay_the_others(virtual: Any) -> None:
    graph = Graph("calls")

    @graph.function(policy=Policy(attempt_timeout_seconds=5, on_error="continue"))
    async def impatient(context: Context[Any]) -> str:
        return (await context.acomplete(HI)).content

    @graph.function
    async def idles() -> str:
        await anyio.sleep(100)
        return "idled"

    plain = Graph("plain")

    @plain.function
    async def ask(context: Context[Any]) -> str:
        return (await context.acomplete(HI)).content

    provider = ScriptedProvider("a", latency_seconds=10, max_concurrency=1)

    async def run() -> dict[str, float]:
        ends: dict[str, float] = {}
        before = anyio.current_time()

        async def one(name: str, graph: Graph, delay: float) -> None:
            await anyio.sleep(delay)
            await graph.run(provider=provider)
            ends[name] = anyio.current_time() - before

        async with anyio.create_task_group() as group:
            group.start_soon(one, "holder", plain, 0)
            group.start_soon(one, "impatient", graph, 1)
            group.start_soon(one, "patient", plain, 2)
        return ends

    ends = virtual(run)
    assert ends["holder"] == pytest.approx(10)
    assert ends["patient"] == pytest.approx(20)


def test_a_call_over_the_ceiling_ends_the_run_and_keeps_finished_values(virtual: Any) -> None:
    graph = Graph("calls")

    @graph.function
    async def ask(context: Context[Any]) -> str:
        text = ""
        while True:
            text += (await context.acomplete(HI, max_tokens=3)).content

    @graph.function(policy=Policy(priority=1))
    async def first(context: Context[Any]) -> str:
        return (await context.acomplete(HI, max_tokens=3)).content

    provider = ScriptedProvider("a b c", **PRICED)

    async def run() -> BudgetExceededError:
        with pytest.raises(BudgetExceededError) as caught:
            await graph.run(provider=provider, max_cost=3, max_parallel=1)
        return caught.value

    error = virtual(run)
    result = error.partial_results
    assert result["first"] == "a b c"
    assert result.get("first").usage.cost_usd == Decimal("0.05")
    assert Decimal(1) < result.usage.cost_usd <= Decimal(3)
    assert result.usage.calls == len(provider.requests)


def test_a_sync_call_over_the_ceiling_raises_a_budget_error(virtual: Any) -> None:
    graph = Graph("calls")

    @graph.function
    async def ask(context: Context[Any]) -> str:
        return context.complete(HI).content

    async def run() -> None:
        await graph.run(provider=ScriptedProvider("a", **PRICED), max_cost=0.01)

    with pytest.warns(BlockingCallWarning), pytest.raises(BudgetExceededError, match="max_cost"):
        virtual(run)


def test_a_model_without_a_price_cannot_be_called_under_a_ceiling(virtual: Any) -> None:
    class Unpriced(ScriptedProvider):
        def worst_case_usd(self, request: Any) -> None:
            return None

    graph = Graph("calls")

    @graph.function
    async def ask(context: Context[Any]) -> str:
        return (await context.acomplete(HI)).content

    async def run() -> None:
        await graph.run(provider=Unpriced("a"), max_cost=1)

    with pytest.raises(RunError, match="price of 'scripted' of scripted is not known"):
        virtual(run)


@pytest.mark.parametrize("is_async", [True, False])
def test_cancelling_an_attempt_ends_its_calls(virtual: Any, is_async: bool) -> None:
    graph = Graph("calls")

    async def ask(context: Context[Any]) -> str:
        return (await context.acomplete(HI)).content

    def ask_sync(context: Context[Any]) -> str:
        return context.complete(HI).content

    policy = Policy(attempt_timeout_seconds=60, on_error="continue")
    graph.function(ask if is_async else ask_sync, id="ask", policy=policy)

    @graph.function
    async def beside() -> int:
        return 1

    provider = ScriptedProvider("a", latency_seconds=3600, max_concurrency=1, **PRICED)

    async def run() -> Any:
        result = await graph.run(provider=provider)
        assert provider.active == 0
        return result

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the thread ended by itself, so none was abandoned
        result = virtual(run)
    assert_ends(result, {"ask": "failed", "beside": "completed"})
    assert "took longer than attempt_timeout_seconds=60" in result.get("ask").reason
    assert result.duration_seconds < 70
    assert result.usage.estimated
    assert result.usage.calls == 1


def test_a_thread_that_outlives_its_attempt_cannot_make_calls(virtual: Any) -> None:
    graph = Graph("calls")
    go_on, ended = threading.Event(), threading.Event()
    messages: list[str] = []

    @graph.function(policy=Policy(attempt_timeout_seconds=0.05, on_error="continue"))
    def ask(context: Context[Any]) -> None:
        go_on.wait(30)
        try:
            context.complete(HI)
        except RunError as error:
            messages.append(str(error))
        ended.set()

    @graph.function
    async def beside() -> int:
        return 1

    provider = ScriptedProvider("a")

    async def run() -> None:
        await graph.run(provider=provider)
        go_on.set()
        while not ended.is_set():
            await anyio.to_thread.run_sync(ended.wait, 0.01)

    with pytest.warns(UserWarning, match="a thread cannot be killed"):
        virtual(run, stall_seconds=0.05)
    assert messages == ["node 'ask' was cancelled, so it may call no more"]
    assert provider.requests == []
