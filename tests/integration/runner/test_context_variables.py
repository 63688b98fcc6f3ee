"""Every attempt sees the context variables of the run; what it sets stays in the attempt."""

from __future__ import annotations

import contextvars
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dagorch import LLM, Graph, Policy, Retry
from dagorch.models.llm import LLMRequest
from dagorch.nodes.function import Function
from dagorch.testing import ScriptedProvider

UNSET = "unset"
variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable", default=UNSET)


@pytest.fixture(params=["the caller's", UNSET])
def before(request: pytest.FixtureRequest) -> Any:
    """The variable's value in the caller; one that was never set is the harder case."""
    return request.param


def set_variable(value: Any) -> None:
    if value != UNSET:
        variable.set(value)


def in_thread() -> Any:
    seen = variable.get()
    variable.set("leaked")
    return seen


async def at_once() -> Any:
    return in_thread()


async def after_waiting() -> Any:
    await checkpoint()
    seen = in_thread()
    await checkpoint()
    assert variable.get() == "leaked"  # in the attempt itself it stays
    return seen


def returns_a_coroutine() -> Any:
    return at_once()


STEPS = [in_thread, at_once, after_waiting, returns_a_coroutine]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("max_parallel", [1, 16])
async def test_neither_later_nodes_nor_the_caller_see_what_a_node_sets(
    step: Any, before: Any, max_parallel: int
) -> None:
    set_variable(before)
    graph = Graph("diamond")
    first = graph.function(step, id="first")
    sides = [graph.function(step, id=f"side{number}", after=first) for number in range(3)]
    last = graph.function(step, id="last", after=sides)
    result = await graph.run(max_parallel=max_parallel)
    assert [result[ref] for ref in (first, *sides, last)] == [before] * 5
    assert variable.get() == before


async def test_items_of_a_map_passes_and_conditions_of_a_loop_do_not_see_each_other(
    before: Any,
) -> None:
    set_variable(before)

    async def of_item(item: int) -> Any:
        return in_thread()

    async def one_pass(state: list[Any]) -> list[Any]:
        return [*state, in_thread()]

    def until(state: list[Any]) -> bool:
        state.append(in_thread())
        return len(state) >= 6

    graph = Graph("repeated")
    items = graph.map(Function("item", of_item), over=[1, 2, 3], max_parallel=1, id="items")
    body = Graph("pass")
    body.input("state", list)
    body.function(one_pass)
    loop = graph.loop("loop", body, until=until, max_iterations=5, state=[])
    result = await graph.run()
    assert result[items] == [before] * 3
    assert result[loop] == [before] * 6
    assert variable.get() == before


async def test_a_retry_sees_nothing_of_the_attempt_before(before: Any) -> None:
    set_variable(before)
    seen = []

    async def fails_once() -> None:
        seen.append(in_thread())
        if len(seen) == 1:
            raise ConnectionError

    graph = Graph("retried")
    graph.function(fails_once, policy=Policy(retry=Retry(attempts=2, base_delay_seconds=0)))
    await graph.run()
    assert seen == [before, before]


async def test_the_code_of_a_provider_sets_nothing_for_others(before: Any) -> None:
    set_variable(before)

    def reply(request: LLMRequest) -> str:
        return str(in_thread())

    graph = Graph("calls")
    first = graph.add(LLM("first", prompt="Hi"))
    second = graph.add(LLM("second", prompt="{first}"), first=first)
    last = graph.function(at_once, after=second)
    result = await graph.run(provider=ScriptedProvider(reply))
    assert [result[first], result[second], result[last]] == [before] * 3
    assert variable.get() == before


async def test_a_started_run_sees_the_variables_of_its_start() -> None:
    variable.set("at the start")
    graph = Graph("started")
    first = graph.function(after_waiting, id="first")
    last = graph.function(at_once, id="last", after=first)
    async with graph.start() as run:
        variable.set("later")
        result = await run.result()
    assert [result[first], result[last]] == ["at the start"] * 2
    assert variable.get() == "later"


async def test_a_value_that_cannot_be_compared_does_not_leak() -> None:
    class Incomparable:
        def __eq__(self, other: object) -> bool:
            raise ValueError("ambiguous")

        __hash__ = None  # type: ignore[assignment]  # how Python says that it has none

    mine = Incomparable()
    variable.set(mine)

    async def set_another() -> bool:
        seen = variable.get() is mine
        variable.set(Incomparable())
        return seen

    graph = Graph("incomparable")
    first = graph.function(set_another, id="first")
    last = graph.function(set_another, id="last", after=first)
    result = await graph.run()
    assert result[first]
    assert result[last]
    assert variable.get() is mine


@pytest.mark.parametrize(("mine", "equal"), [(["a"], ["a"]), ({"a": 1}, {"a": 1}), (True, 1)])
@pytest.mark.parametrize("waits", [False, True])
async def test_an_equal_value_in_place_of_the_callers_does_not_leak(
    mine: Any, equal: Any, waits: bool
) -> None:
    variable.set(mine)

    async def set_an_equal_one() -> bool:
        if waits:
            await checkpoint()
        seen = variable.get() is mine
        variable.set(equal)
        return seen

    graph = Graph("equal")
    first = graph.function(set_an_equal_one, id="first")
    last = graph.function(set_an_equal_one, id="last", after=first)
    result = await graph.run()
    assert (result[first], result[last]) == (True, True)
    assert variable.get() is mine


async def test_a_cancelled_attempt_leaves_nothing_and_is_cancelled_where_it_waits() -> None:
    caught = []

    async def hangs() -> None:
        in_thread()
        try:
            await anyio.sleep_forever()
        finally:
            caught.append(variable.get())

    graph = Graph("cancelled")
    slow = graph.function(hangs, policy=Policy(timeout_seconds=0.01, fallback="late"))
    last = graph.function(at_once, id="last", after=slow)
    result = await graph.run()
    assert (result[slow], result[last]) == ("late", UNSET)
    assert caught == ["leaked"]
    assert variable.get() == UNSET
