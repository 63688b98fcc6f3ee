"""`retain="outputs"`: values are released after their last reader, and nothing else changes."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from dagorch import DefinitionError, Graph, Policy
from dagorch.errors import NodeEndError


class Big:
    """A value that can be weakly referenced."""


def chain() -> tuple[Graph, list[weakref.ref[Big]], list[bool]]:
    graph = Graph("chain")
    made: list[weakref.ref[Big]] = []
    alive_at_end: list[bool] = []

    async def make() -> Big:
        value = Big()
        made.append(weakref.ref(value))
        return value

    async def read(make: Big) -> int:
        return 1

    async def last(read: int) -> int:
        gc.collect()
        alive_at_end.append(made[0]() is not None)
        return read + 1

    for fn in (make, read, last):
        graph.function(fn)
    return graph, made, alive_at_end


@pytest.mark.parametrize(("retain", "alive"), [("all", True), ("outputs", False)])
async def test_a_value_lives_until_its_last_reader(retain: str, alive: bool) -> None:
    graph, _, alive_at_end = chain()
    result = await graph.run(retain=retain)
    assert result.output == 2
    assert alive_at_end == [alive]


async def test_a_released_value_is_named_in_the_error() -> None:
    graph, _, _ = chain()
    result = await graph.run(retain="outputs")
    assert result.get("make").end == "completed"
    with pytest.raises(NodeEndError, match="retain='all'"):
        result["make"]


async def test_merges_retries_and_bodies_still_read_what_they_need() -> None:
    graph = Graph("all kinds")
    tries: list[int] = []

    async def items() -> list[int]:
        return [1, 2, 3]

    async def double(item: int) -> int:
        return 2 * item

    async def flaky(items: list[int]) -> int:
        tries.append(len(items))
        if len(tries) < 2:
            raise OSError("once")
        return sum(items)

    from dagorch import Retry
    from dagorch.nodes import Function

    source = graph.function(items)
    doubled = graph.map(Function("double", double), over=source)
    again = graph.function(flaky, policy=Policy(retry=Retry(attempts=2, base_delay_seconds=0)))
    joined = graph.merge("joined", [doubled, again])
    graph.output(joined)
    result: Any = await graph.run(retain="outputs")
    assert result.output == [[2, 4, 6], 6]
    assert tries == [3, 3]


async def test_an_unknown_retain_is_refused() -> None:
    graph, _, _ = chain()
    with pytest.raises(DefinitionError, match="neither 'all' nor 'outputs'"):
        await graph.run(retain="none")


@pytest.mark.parametrize(("retain", "states"), [("all", 3), ("outputs", 0)])
async def test_states_of_a_loop_are_freed(retain: str, states: int) -> None:
    made: list[weakref.ref[Big]] = []
    alive: list[int] = []

    async def step(state: Any) -> Big:
        value = Big()
        made.append(weakref.ref(value))
        return value

    async def last(loop: Big) -> int:
        return 1

    async def after(last: int) -> None:
        gc.collect()
        alive.append(sum(ref() is not None for ref in made))

    body = Graph("body")
    body.function(step, state=body.input("state"))
    graph = Graph("loop")
    graph.loop("loop", body, max_iterations=3, state=0)
    graph.function(last)
    graph.function(after)
    result = await graph.run(retain=retain)
    assert alive == [states]
    run = result.loop("loop")
    assert (run.iterations, run.converged, len(run.history)) == (3, False, states)
