"""Forecasts of a run: exact if equal nodes take equal time, partial if something is unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dagorch import LLM, Graph, Policy
from dagorch.graph.forecast import Forecast, Forecaster
from dagorch.models.events import Event, EventType
from dagorch.models.ref import Ref
from dagorch.nodes.ask import Ask
from dagorch.providers import ScriptedProvider
from dagorch.testing import run_virtual

KIND = EventType


class Feed:
    """A forecaster that receives events."""

    def __init__(self, graph: Graph, max_parallel: int = 8) -> None:
        self.forecaster = Forecaster(graph.compile(), max_parallel)

    def __call__(self, seconds: float, type: EventType, *paths: str, **data: Any) -> None:
        for path in paths:
            self.forecaster.observe(Event(1, seconds, type, "run", path, data=data))

    def rest(self, now: float) -> tuple[float, bool]:
        found = self.forecaster.forecast(now)
        assert found is not None
        return found.seconds, found.is_whole


def calls(*names: str) -> Graph:
    """LLM nodes, one after the other."""
    graph = Graph("chain")
    before: Any = None
    for name in names:
        given = {} if before is None else {"before": before}
        before = graph.add(LLM(name, prompt="{before}" if given else "x"), **given)
    return graph


def followed(
    graph: Graph, *, max_parallel: int = 4, **options: Any
) -> tuple[list[tuple[float, Forecast]], float, float]:
    """Run on virtual time; return each forecast with its time, the makespan and the cost."""
    forecaster = Forecaster(graph.compile(), max_parallel)
    made: list[tuple[float, Forecast]] = []

    def listen(event: Event) -> None:
        forecaster.observe(event)
        found = forecaster.forecast(event.seconds)
        if found is not None:
            made.append((event.seconds, found))

    async def main() -> Any:
        return await graph.run(max_parallel=max_parallel, on_event=listen, **options)

    result = run_virtual(main)
    return made, result.duration_seconds, float(result.cost_usd)


def slow(seconds: float = 2.0) -> ScriptedProvider:
    return ScriptedProvider(
        lambda request: "four words of text", latency_seconds=seconds, price_per_token=0.01
    )


def test_there_is_no_forecast_before_a_node_has_completed() -> None:
    feed = Feed(calls("a", "b"))
    assert feed.forecaster.forecast(0.0) is None
    feed(0.0, KIND.NODE_STARTED, "a")
    feed(1.0, KIND.NODE_FAILED, "a")
    assert feed.forecaster.forecast(1.0) is None


def test_a_running_node_counts_its_remaining_time_and_at_least_0() -> None:
    feed = Feed(calls("a", "b", "c"))
    feed(0.0, KIND.NODE_STARTED, "a")
    feed(4.0, KIND.NODE_COMPLETED, "a")
    assert feed.rest(4.0) == (8.0, True)
    feed(4.0, KIND.NODE_STARTED, "b")
    assert feed.rest(5.0) == (7.0, True)
    assert feed.rest(11.0) == (4.0, True)
    feed(11.0, KIND.NODE_COMPLETED, "b")
    assert feed.rest(11.0) == (5.5, True)  # the average of 4 and 7
    feed(11.0, KIND.NODE_STARTED, "c")
    feed(12.0, KIND.NODE_COMPLETED, "c")
    assert feed.rest(12.0) == (0.0, True)


@pytest.mark.parametrize("slots", [1, 3, 4, 8])
def test_a_map_of_equal_items_is_forecast_exactly_from_its_first_item_on(slots: int) -> None:
    graph = Graph("items")
    body = Graph("body")
    item = body.input("item", int)
    search = body.add(LLM("search", prompt="{item}"), item=item)
    body.add(LLM("read", prompt="{search}"), search=search)
    graph.map(body, over=list(range(24)), id="each")
    made, seconds, cost = followed(graph, max_parallel=slots, provider=slow())
    late = [
        (when, found)
        for when, found in made
        if found.is_whole and found.seconds and when > 4.01  # one of each has been observed
    ]
    assert len(late) > 20
    for when, found in late:
        assert when + found.seconds == pytest.approx(seconds, abs=4.001)
        assert found.cost_usd == pytest.approx(cost)
    assert late[0][0] + late[0][1].seconds == pytest.approx(seconds, abs=0.001)


def test_the_maps_own_bound_counts_too() -> None:
    graph = Graph("items")
    graph.map(LLM("call", prompt="{item}"), over=list(range(12)), max_parallel=2)
    made, seconds, _ = followed(graph, max_parallel=8, provider=slow())
    assert seconds == pytest.approx(12.0)
    assert all(when + found.seconds == pytest.approx(12.0) for when, found in made if found.seconds)


def test_unknown_items_make_the_forecast_partial() -> None:
    graph = Graph("items")
    first = graph.add(LLM("first", prompt="x"))
    items = graph.function(_three, first=first)
    graph.map(LLM("call", prompt="{item}"), over=items, id="each")
    made, seconds, _ = followed(graph, provider=slow())
    assert not made[0][1].is_whole
    assert made[-1][1].is_whole
    assert all(
        when + found.seconds == pytest.approx(seconds) for when, found in made if found.is_whole
    )


async def _three(first: str) -> list[int]:
    return [1, 2, 3]


def passes(*, until: Callable[[Any], bool] | None) -> Graph:
    body = Graph("body")
    state = body.input("state", str)
    body.add(LLM("improve", prompt="{state}"), state=state)
    graph = Graph("loop")
    done = graph.loop("refine", body, max_iterations=5, until=until, state="x")
    graph.add(LLM("last", prompt="{done}"), done=done)
    return graph


def test_a_loop_without_a_condition_runs_all_its_passes() -> None:
    made, seconds, _ = followed(passes(until=None), provider=slow())
    assert seconds == pytest.approx(12.0)
    assert all(found.is_whole for _, found in made)
    assert all(when + found.seconds == pytest.approx(12.0) for when, found in made)


def test_only_the_begun_passes_of_a_conditional_loop_are_certain() -> None:
    made, seconds, _ = followed(passes(until=lambda state: False), provider=slow())
    assert all(when + found.seconds <= seconds + 0.001 for when, found in made)
    before, after = [f for w, f in made if w < 9.9], [f for w, f in made if w > 10.1]
    assert before
    assert not any(found.is_whole for found in before)
    assert all(found.is_whole for found in after)


def test_loops_inside_a_map_are_forecast_from_the_ended_ones() -> None:
    body = Graph("body")
    state = body.input("state", str)
    body.add(LLM("improve", prompt="{state}"), state=state)
    item = Graph("item")
    given = item.input("item", str)
    item.loop("refine", body, max_iterations=9, until=_at_third_pass(), state=given)
    graph = Graph("loops")
    graph.map(item, over=["x"] * 8, id="each", max_parallel=1)
    made, seconds, cost = followed(graph, provider=slow())
    assert seconds == pytest.approx(8 * 3 * 2.0)
    late = [(when, found) for when, found in made if when > 6.1 and found.seconds]
    assert late
    for when, found in late:
        assert found.is_whole
        assert when + found.seconds == pytest.approx(seconds)
        assert found.cost_usd == pytest.approx(cost, rel=0.1)  # a first pass is asked for less


def _at_third_pass() -> Callable[[Any], bool]:
    seen = [0]

    def until(state: Any) -> bool:
        seen[0] += 1
        return seen[0] % 3 == 0

    return until


def two_ways() -> Graph:
    graph = Graph("ways")
    first = graph.add(LLM("first", prompt="x"))
    pick = graph.branch("pick", lambda first: "long", ("long", "short"), first=first)
    long = graph.add(LLM("long_1", prompt="x"), after=pick["long"])
    longer = graph.add(LLM("long_2", prompt="{long}"), long=long)
    short = graph.add(LLM("short", prompt="x"), after=pick["short"])
    joined = graph.merge("joined", [longer, short])
    graph.add(LLM("last", prompt="{joined}"), joined=joined)
    return graph


def test_the_arms_of_a_branch_count_once_it_has_picked() -> None:
    feed = Feed(two_ways())
    feed(0.0, KIND.NODE_STARTED, "first")
    feed(2.0, KIND.NODE_COMPLETED, "first")
    assert feed.rest(2.0) == (0.0, False)
    feed(2.0, KIND.NODE_STARTED, "pick")
    assert feed.rest(2.0) == (0.0, False)
    feed(2.0, KIND.NODE_COMPLETED, "pick")
    feed(2.0, KIND.NODE_SKIPPED, "short")
    assert feed.rest(2.0) == (6.0, True)


def test_an_arm_counts_by_how_often_it_was_taken() -> None:
    body = Graph("body")
    body.input("item", int)
    pick = body.branch("pick", lambda item: item % 2 == 0, ("true", "false"), item=_ref(body))
    even = body.add(LLM("even", prompt="x"), after=pick["true"])
    body.merge("out", [even], wait="all")
    graph = Graph("items")
    graph.map(body, over=list(range(40)), id="each", max_parallel=1)
    made, seconds, cost = followed(graph, provider=slow())
    middle = [(when, found) for when, found in made if 10.1 < when < 30]
    assert middle
    for when, found in middle:
        assert when + found.seconds == pytest.approx(seconds, rel=0.1)
        assert found.cost_usd == pytest.approx(cost, rel=0.1)


def _ref(graph: Graph) -> Any:
    return Ref(graph, "item")


def test_unseen_kinds_expansions_and_questions_are_not_forecast() -> None:
    graph = calls("a", "b")

    async def step() -> int:
        return 1

    async def plan() -> Graph:
        return calls("x")

    graph.function(step)
    feed = Feed(graph)
    feed(0.0, KIND.NODE_STARTED, "a")
    feed(2.0, KIND.NODE_COMPLETED, "a")
    assert feed.rest(2.0) == (2.0, False)  # no function has been observed yet
    feed(2.0, KIND.NODE_STARTED, "step")
    feed(3.0, KIND.NODE_COMPLETED, "step")
    assert feed.rest(3.0) == (2.0, True)
    graph.function(plan, expand=True)
    feed = Feed(graph)
    for path in ("a", "step"):
        feed(0.0, KIND.NODE_STARTED, path)
        feed(2.0, KIND.NODE_COMPLETED, path)
    assert feed.rest(2.0) == (2.0, False)
    feed(2.0, KIND.NODE_STARTED, "plan")
    assert feed.rest(2.0) == (2.0, False)
    feed(2.0, KIND.NODE_STARTED, "plan/x")
    feed(9.0, KIND.NODE_COMPLETED, "plan/x", cost_usd=1.5)
    feed(9.0, KIND.NODE_COMPLETED, "plan")
    assert feed.rest(9.0) == (2.0, True)
    found = feed.forecaster.forecast(9.0)
    assert found is not None
    assert found.cost_usd == 1.5


def test_blocked_and_cancelled_nodes_are_not_forecast() -> None:
    feed = Feed(calls("a", "b", "c"))
    feed(0.0, KIND.NODE_STARTED, "a", "b")
    feed(2.0, KIND.NODE_COMPLETED, "a")
    feed(2.0, KIND.NODE_CANCELLED, "b")
    feed(2.0, KIND.NODE_BLOCKED, "c")
    assert feed.rest(2.0) == (0.0, True)


def test_a_failed_map_is_not_forecast() -> None:
    graph = Graph("items")
    graph.map(
        LLM("call", prompt="{item}"), over=list(range(12)), id="each",
        policy=Policy(on_error="continue"),
    )  # fmt: skip
    feed = Feed(graph)
    feed(0.0, KIND.NODE_STARTED, "each")
    feed(0.0, KIND.MAP_OPENED, "each", items=12)
    feed(0.0, KIND.NODE_STARTED, "each[0]/call", "each[1]/call")
    feed(2.0, KIND.NODE_COMPLETED, "each[0]/call")
    assert feed.rest(2.0) == (4.0, True)
    feed(2.0, KIND.NODE_FAILED, "each[1]/call")
    feed(2.0, KIND.NODE_FAILED, "each")
    assert feed.rest(2.0) == (0.0, True)


def test_a_subgraph_counts_with_its_nodes() -> None:
    graph = Graph("outer")
    first = graph.add(LLM("first", prompt="x"))
    inner = graph.subgraph(calls("a", "b"), id="inner", after=first)
    graph.add(LLM("last", prompt="{inner}"), inner=inner)
    made, seconds, _ = followed(graph, provider=slow())
    assert seconds == pytest.approx(8.0)
    assert all(when + found.seconds == pytest.approx(8.0) for when, found in made)


def test_the_cost_of_a_forecast_does_not_grow_with_the_items() -> None:
    graph = Graph("items")
    graph.map(LLM("call", prompt="{item}"), over=list(range(1_000_000)), id="each")
    feed = Feed(graph)
    feed(0.0, KIND.NODE_STARTED, "each")
    feed(0.0, KIND.MAP_OPENED, "each", items=1_000_000)
    feed(0.0, KIND.NODE_STARTED, "each[0]/call")
    feed(2.0, KIND.NODE_COMPLETED, "each[0]/call")
    assert feed.rest(2.0)[0] == pytest.approx(250_000.0, rel=0.001)
    assert len(feed.forecaster._observed.nodes) == 2


def test_a_question_makes_the_forecast_partial() -> None:
    graph = calls("a")
    graph.add(Ask("human", question="Well?"))
    feed = Feed(graph)
    feed(0.0, KIND.NODE_STARTED, "a")
    feed(2.0, KIND.NODE_COMPLETED, "a")
    assert feed.rest(2.0) == (0.0, False)
