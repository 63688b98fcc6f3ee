"""What bounds a run: slots, resources, providers shared with other runs, money, node runs."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

import anyio
import pytest

from dagorch import LLM, BudgetExceededError, Graph, Policy, Retry, RunError
from dagorch.errors import DefinitionError, OverloadedError, ProviderConnectionError
from dagorch.models.llm import LLMRequest
from dagorch.runner.loop_state import shared
from dagorch.testing import ScriptedProvider, assert_ends


class Counter:
    """Counts how many calls run at once."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.inside = 0
        self.peak = 0

    async def work(self) -> None:
        self.inside += 1
        self.peak = max(self.peak, self.inside)
        try:
            await anyio.sleep(self.seconds)
        finally:
            self.inside -= 1


def wide(counter: Counter, nodes: int, policy: Policy | None = None) -> Graph:
    graph = Graph("wide")
    for number in range(nodes):
        graph.function(counter.work, id=f"n{number}", policy=policy or Policy())
    return graph


@pytest.mark.parametrize("slots", [1, 3, 16])
def test_max_parallel_bounds_what_runs_at_once(virtual: Any, slots: int) -> None:
    counter = Counter()
    result = virtual(partial(wide(counter, 12).run, max_parallel=slots))
    assert counter.peak == min(slots, 12)
    assert result.duration_seconds == pytest.approx(-(-12 // slots))


def test_nesting_at_one_slot_never_deadlocks(virtual: Any) -> None:
    counter = Counter()
    graph = wide(counter, 2)
    for depth in range(30):
        outer = Graph(f"level{depth}")
        if depth % 3 == 0:
            outer.map(item_of(graph), over=[1], id="all")
        elif depth % 3 == 1:
            outer.subgraph(graph, id="inner")
        else:
            outer.loop("again", state_of(graph), max_iterations=1, state=0)
        outer.function(counter.work, id="beside")
        graph = outer
    virtual(partial(graph.run, max_parallel=1))
    assert counter.peak == 1


def item_of(graph: Graph) -> Graph:
    body = Graph("item")
    body.input("item")
    body.subgraph(graph, id="inner")
    return body


def state_of(graph: Graph) -> Graph:
    body = Graph("state")
    body.input("state")
    body.subgraph(graph, id="inner")
    return body


def test_a_resource_bounds_its_holders_only(virtual: Any) -> None:
    gpu, free = Counter(), Counter()
    graph = wide(gpu, 6, Policy(resources=("gpu",), priority=1))
    for number in range(4):
        graph.function(free.work, id=f"free{number}")
    result = virtual(partial(graph.run, limits={"gpu": 2}))
    assert gpu.peak == 2
    assert free.peak == 4
    assert result.duration_seconds == pytest.approx(3.0)
    for number in range(4):
        assert result.get(f"free{number}").started_seconds == 0


def test_limits_of_two_runs_are_independent(virtual: Any) -> None:
    counter = Counter()
    graph = wide(counter, 4, Policy(resources=("gpu",)))

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(graph.run, limits={"gpu": 1}))
            group.start_soon(partial(graph.run, limits={"gpu": 2}))

    virtual(run)
    assert counter.peak == 3


def test_a_providers_bound_is_shared_by_runs_round_robin(virtual: Any) -> None:
    graph = Graph("talk")
    graph.input("who", str)
    for number in range(5):
        graph.add(LLM(f"say{number}", prompt="{who}"))
    provider = ScriptedProvider("ok", latency_seconds=1, max_concurrency=1)

    async def run() -> float:
        before = anyio.current_time()
        async with anyio.create_task_group() as group:
            for who in ("a", "b", "c"):
                group.start_soon(partial(graph.run, who=who, provider=provider))
        assert not shared().admission._queues
        return anyio.current_time() - before

    assert virtual(run) == pytest.approx(15)
    assert provider.peak == 1
    order = [request.messages[0].content for request in provider.requests]
    rounds = [order[at : at + 3] for at in range(2, 11, 3)]
    assert all(sorted(round) == ["a", "b", "c"] for round in rounds), order


def test_bounds_of_two_providers_are_independent(virtual: Any) -> None:
    graph = Graph("talk")
    for number in range(4):
        graph.add(LLM(f"left{number}", prompt="x", model="left"))
        graph.add(LLM(f"right{number}", prompt="x", model="right"))
    left = ScriptedProvider("l", name="left", latency_seconds=1, max_concurrency=1)
    right = ScriptedProvider("r", name="right", latency_seconds=1, max_concurrency=4)
    result = virtual(partial(graph.run, provider={"left": left, "right": right}))
    assert (left.peak, right.peak) == (1, 4)
    assert result.duration_seconds == pytest.approx(4.0)


# -- money ------------------------------------------------------------------------------------

PRICE = Decimal("0.001")


def priced(script: Any = "one two three", **options: Any) -> ScriptedProvider:
    return ScriptedProvider(script, price_per_token=PRICE, latency_seconds=1, **options)


def talk(nodes: int, **options: Any) -> Graph:
    graph = Graph("talk")
    for number in range(nodes):
        graph.add(LLM(f"say{number}", prompt="Say something.", **options))
    return graph


async def budget_error(graph: Graph, **options: Any) -> BudgetExceededError:
    with pytest.raises(BudgetExceededError) as caught:
        await graph.run(**options)
    assert not isinstance(caught.value, BaseExceptionGroup)
    return caught.value


@pytest.mark.parametrize("ceiling", ["0.05", "0.5", "1", "3"])
@pytest.mark.parametrize("slots", [1, 16])
def test_a_ceiling_is_never_exceeded_and_paid_values_are_kept(
    virtual: Any, ceiling: str, slots: int
) -> None:
    provider = priced()
    graph = talk(1000, max_tokens=20)
    error = virtual(
        partial(
            budget_error, graph, provider=provider, max_cost=Decimal(ceiling), max_parallel=slots
        )
    )
    result = error.partial_results
    spent = result.usage.cost_usd
    assert spent <= Decimal(ceiling)
    done = [run for run in result.node_runs.values() if run.end == "completed"]
    assert spent == sum(run.usage.cost_usd for run in done) == len(done) * Decimal("0.005")
    assert len(provider.requests) == len(done)
    # The stop was right: the rest of the ceiling was below one more worst case.
    worst = provider.worst_case_usd(provider.requests[0]) if done else Decimal(1)
    assert worst is not None
    assert spent + worst > Decimal(ceiling)
    assert "max_cost" in str(error)


def test_a_run_within_its_ceiling_completes(virtual: Any) -> None:
    provider = priced()
    result = virtual(partial(talk(10, max_tokens=20).run, provider=provider, max_cost=5))
    assert result.status == "completed"
    assert result.usage.cost_usd == Decimal("0.05")


def test_a_node_waits_for_budget_that_another_has_reserved(virtual: Any) -> None:
    provider = priced()
    graph = talk(4, max_tokens=20)
    request = LLMRequest((), max_tokens=20)
    assert provider.worst_case_usd(request) is not None
    # The ceiling fits one worst case at a time, and the actual cost of all calls.
    result = virtual(partial(graph.run, provider=provider, max_cost=0.2))
    assert provider.peak < 4
    assert result.status == "completed"
    assert result.usage.calls == 4


def test_failed_attempts_and_broken_answers_are_billed(virtual: Any) -> None:
    provider = priced(
        [OverloadedError("503", status=503), ProviderConnectionError("cut off"), "ok"]
    )
    graph = talk(1, max_tokens=20, policy=Policy(retry=Retry(attempts=3)))
    result = virtual(partial(graph.run, provider=provider))
    usage = result.get("say0").usage
    assert usage.calls == 3
    assert usage.estimated
    worst = provider.worst_case_usd(provider.requests[0])
    assert worst is not None
    assert usage.cost_usd == worst + 3 * PRICE


def test_a_cancelled_attempt_is_billed_at_its_reservation(virtual: Any) -> None:
    provider = priced()
    policy = Policy(attempt_timeout_seconds=0.5, retry=Retry(attempts=1), on_error="continue")
    graph = talk(1, max_tokens=20, policy=policy)
    graph.function(Counter().work, id="beside")
    result = virtual(partial(graph.run, provider=provider, max_cost=1))
    worst = provider.worst_case_usd(provider.requests[0])
    assert result.get("say0").usage.cost_usd == worst == result.usage.cost_usd
    assert result.usage.estimated


def test_a_provider_without_a_price_cannot_run_under_a_ceiling(virtual: Any) -> None:
    class Unpriced(ScriptedProvider):
        def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
            return None

    provider = Unpriced("x")

    async def run() -> None:
        with pytest.raises(DefinitionError, match="price of 'scripted' of scripted is not known"):
            await talk(2).run(provider=provider, max_cost=1)

    virtual(run)
    assert provider.requests == []


def test_free_nodes_overtake_nodes_that_wait_for_budget(virtual: Any) -> None:
    provider = priced()
    graph = talk(4, max_tokens=20, policy=Policy(priority=9))
    counter = Counter(0)
    graph.function(counter.work, id="free")
    result = virtual(partial(graph.run, provider=provider, max_cost=0.2))
    assert result.get("free").ended_seconds == 0


# -- node runs --------------------------------------------------------------------------------


def test_max_node_runs_bounds_a_loop(virtual: Any) -> None:
    body = Graph("body")
    body.input("state", int)

    @body.function
    async def step(state: int) -> int:
        return state + 1

    graph = Graph("loop")
    graph.loop("again", body, max_iterations=10**9, state=0)

    async def run() -> RunError:
        with pytest.raises(RunError, match="max_node_runs=50") as caught:
            await graph.run(max_node_runs=50)
        return caught.value

    assert len(virtual(run).partial_results.node_runs) == 50


def test_max_node_runs_bounds_the_graph_itself(virtual: Any) -> None:
    counter = Counter()

    async def run() -> None:
        with pytest.raises(
            DefinitionError, match="max_node_runs=9 is less than the graph's own 10 nodes"
        ):
            await wide(counter, 10).run(max_node_runs=9)
        await wide(counter, 10).run(max_node_runs=10)

    virtual(run)
    assert counter.peak == 10


def test_max_node_runs_stops_an_expansion_without_end(virtual: Any) -> None:
    async def again() -> Graph:
        graph = Graph("more")
        graph.function(again, expand=True)
        return graph

    graph = Graph("endless")
    graph.function(again, expand=True)

    async def run() -> RunError:
        with pytest.raises(RunError, match="max_node_runs=40") as caught:
            await graph.run(max_node_runs=40)
        return caught.value

    assert len(virtual(run).partial_results.node_runs) == 40


def test_order_is_by_priority_then_critical_path(virtual: Any) -> None:
    graph = Graph("order")
    order: list[str] = []

    def named(name: str) -> Any:
        async def work() -> None:
            order.append(name)
            await anyio.sleep(1)

        return work

    graph.function(named("short"), id="short")
    long = graph.function(named("long1"), id="long1")
    graph.function(named("long2"), id="long2", after=long)
    graph.function(named("urgent"), id="urgent", policy=Policy(priority=5))
    result = virtual(partial(graph.run, max_parallel=1))
    assert order == ["urgent", "long1", "short", "long2"] or order == [
        "urgent",
        "long1",
        "long2",
        "short",
    ]
    starts = [result.get(name).started_seconds for name in order]
    assert all(one < other for one, other in pairwise(starts))
    assert_ends(result, dict.fromkeys(order, "completed"))
