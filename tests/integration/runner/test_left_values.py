"""Finished values inside failed containers are in the error: nothing that was paid for is lost."""

from __future__ import annotations

import pickle
from typing import Any

import anyio
import pytest

from dagorch import LLM, BudgetExceededError, Graph, Policy, Ref, RunError
from dagorch.errors import NodeEndError
from dagorch.models.result import Result
from dagorch.nodes import Function
from dagorch.testing import ScriptedProvider


def pair(bad: int = 3) -> Graph:
    """Two steps for an item; the second fails for one item."""
    body = Graph("pair")
    body.input("item", int)

    @body.function
    async def first(item: int) -> int:
        return item * 10

    @body.function
    async def second(first: int) -> int:
        if first == bad * 10:
            raise ValueError("no")
        return first + 1

    body.output(second)
    return body


async def partial(graph: Graph, **inputs: Any) -> Result:
    with pytest.raises(RunError) as caught:
        await graph.run(max_parallel=1, **inputs)
    result = caught.value.partial_results
    assert isinstance(result, Result)
    return result


def inside(result: Result) -> dict[str, Any]:
    """Return the values below the top level, by path."""
    return {path: result[path] for path in result.node_runs if "/" in path and path in result}


async def test_a_failed_map_keeps_the_finished_items() -> None:
    graph = Graph("g")
    xs = graph.input("xs", list[int])
    graph.map(pair(), over=xs, id="each", max_parallel=1)
    result = await partial(graph, xs=[1, 2, 3, 4])
    assert inside(result) == {"each[0]/second": 11, "each[1]/second": 21, "each[2]/first": 30}
    assert result["each[0]/second"] == 11
    with pytest.raises(NodeEndError, match="'each\\[2\\]/second' failed"):
        result["each[2]/second"]
    again = pickle.loads(pickle.dumps(result))
    assert inside(again) == inside(result)


async def test_a_failed_loop_keeps_each_pass_and_the_finished_part_of_the_last() -> None:
    body = Graph("body")
    body.input("state", int)

    @body.function
    async def think(state: int) -> int:
        return state + 1

    @body.function
    async def check(think: int) -> int:
        if think == 3:
            raise ValueError("no")
        return think

    body.output(check)
    graph = Graph("g")
    graph.loop("refine", body, state=0, max_iterations=9)
    result = await partial(graph)
    assert inside(result) == {"refine[0]/check": 1, "refine[1]/check": 2, "refine[2]/think": 3}


async def test_values_are_kept_at_any_depth() -> None:
    middle = Graph("middle")
    each = middle.map(pair(), over=middle.input("item", list[int]), id="each", max_parallel=1)
    middle.output(each)
    inner = Graph("inner")
    xss = inner.input("xss", list[list[int]])
    inner.output(inner.map(middle, over=xss, id="rows", max_parallel=1))
    graph = Graph("g")
    graph.subgraph(inner, id="deep", xss=[[1], [2, 3]])
    result = await partial(graph)
    assert inside(result) == {
        "deep/rows[0]/each": [11],
        "deep/rows[1]/each[0]/second": 21,
        "deep/rows[1]/each[1]/first": 30,
    }


async def test_values_of_several_outputs_are_kept() -> None:
    body = pair()
    body.output(Ref(body, "first"), Ref(body, "second"))
    graph = Graph("g")
    xs = graph.input("xs", list[int])
    graph.map(body, over=xs, id="each", max_parallel=1)
    result = await partial(graph, xs=[1, 3])
    assert result["each[0]/second"] == 11
    assert result["each[1]/first"] == 30


async def test_values_of_an_omitted_item_are_kept() -> None:
    graph = Graph("g")
    xs = graph.input("xs", list[int])
    each = graph.map(pair(), over=xs, id="each", max_parallel=1, on_item_error="skip")
    result = await graph.run(xs=[1, 3, 2])
    assert result[each] == [11, 21]
    assert inside(result) == {"each[1]/first": 30}


@pytest.mark.parametrize("fallback", [-1, Function("instead", lambda: -1)], ids=["value", "node"])
async def test_values_of_a_node_replaced_by_its_fallback_are_kept(fallback: Any) -> None:
    graph = Graph("g")
    xs = graph.input("xs", list[int])
    each = graph.map(pair(), over=xs, id="each", max_parallel=1, policy=Policy(fallback=fallback))
    result = await graph.run(xs=[1, 3])
    assert result[each] == -1
    assert inside(result).items() >= {"each[0]/second": 11, "each[1]/first": 30}.items()


async def test_a_failed_expansion_keeps_its_values() -> None:
    def plan() -> Graph:
        made = Graph("made")
        made.subgraph(pair(), id="one", item=3)
        return made

    graph = Graph("g")
    graph.function(plan, expand=True)
    assert inside(await partial(graph)) == {"plan/one/first": 30}


async def test_a_cancelled_run_keeps_its_values() -> None:
    reached = anyio.Event()
    body = Graph("body")
    body.input("item", int)

    @body.function
    async def first(item: int) -> int:
        return item

    @body.function
    async def second(first: int) -> int:
        if first == 2:
            reached.set()
            await anyio.sleep_forever()
        return first

    body.output(second)
    graph = Graph("g")
    graph.map(body, over=[1, 2], id="each", max_parallel=1)

    async def stopped() -> None:
        async with graph.start() as run:
            await reached.wait()
            run.cancel("enough")
            await run.result()

    with pytest.raises(RunError, match="enough") as caught:
        await stopped()
    assert inside(caught.value.partial_results) == {"each[0]/second": 1, "each[1]/first": 2}


async def test_a_run_stopped_by_its_budget_keeps_its_values() -> None:
    graph = Graph("g")
    xs = graph.input("xs", list[str])
    graph.map(LLM("ask", prompt="{item}", max_tokens=10), over=xs, id="each", max_parallel=1)
    provider = ScriptedProvider(lambda r: f"of {r.messages[-1].content}", price_per_token=0.01)
    with pytest.raises(BudgetExceededError) as caught:
        await graph.run(xs=list("abcdefgh") * 9, provider=provider, max_cost=3, max_parallel=1)
    kept = inside(caught.value.partial_results)
    assert 1 <= len(kept) == len(provider.requests) < 72
    assert kept["each[0]/ask"] == "of a"


async def test_a_value_passed_on_is_kept_once() -> None:
    graph = Graph("g")
    graph.map(pair(), over=[1, 2], id="each")
    result = await graph.run()
    assert result.output == [11, 21]
    assert inside(result) == {}
    with pytest.raises(NodeEndError, match="was released after its last use"):
        result["each[0]/second"]
