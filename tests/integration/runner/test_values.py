"""Inputs and outputs of a run: values, defaults, options, types; on both event loops."""

from __future__ import annotations

import re
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from dagorch import LLM, Context, Graph, Policy, Retry
from dagorch.errors import DefinitionError, NodeEndError, OutputTypeError, RunError
from dagorch.nodes import Function
from dagorch.providers import ScriptedProvider


def sums() -> Graph:
    graph = Graph("sums")
    graph.input("left", int)
    graph.input("right", int, default=10)

    @graph.function
    async def total(left: int, right: int) -> int:
        return left + right

    @graph.function
    async def text(total: int, unit: str = "m") -> str:
        return f"{total} {unit}"

    return graph


async def test_values_and_defaults_reach_parameters_by_name() -> None:
    result = await sums().run(left=1)
    assert result["total"] == 11
    assert result["text"] == "11 m"
    assert result.output == "11 m"
    assert result.status == "completed"
    assert (await sums().run(left=1, right=2)).output == "3 m"


async def test_a_constant_and_a_ref_can_feed_one_function_twice() -> None:
    graph = Graph("twice")

    @graph.function
    async def one() -> int:
        return 1

    async def add(a: int, b: int) -> int:
        return a + b

    both = graph.function(add, id="both", a=one, b=one)
    plus = graph.function(add, id="plus", a=both, b=40)
    result = await graph.run()
    assert (result[both], result[plus]) == (2, 42)


async def test_several_sinks_are_the_output_by_name() -> None:
    graph = Graph("fan")

    @graph.function
    async def root() -> int:
        return 1

    @graph.function
    async def left(root: int) -> int:
        return root + 1

    @graph.function
    async def right(root: int) -> int:
        return root + 2

    assert (await graph.run()).output == {"left": 2, "right": 3}


async def test_a_value_is_passed_on_and_never_copied() -> None:
    graph = Graph("same")
    given = object()

    @graph.function
    async def first() -> object:
        return given

    @graph.function
    async def second(first: object) -> bool:
        return first is given

    assert (await graph.run()).output is True


async def test_every_problem_of_a_call_is_listed_at_once_with_suggestions() -> None:
    with pytest.raises(DefinitionError) as caught:
        await sums().run(lefd=1, max_paralel=3, right="x", drain_seconds=-1)
    text = str(caught.value)
    assert len(caught.value.problems) == 5
    assert "did you mean 'left'?" in text
    assert "did you mean 'max_parallel'?" in text
    assert "input 'left' is missing; pass left=..." in text
    assert "input 'right' takes int, not str: 'x'" in text
    assert "drain_seconds=-1 must be a number of seconds of at least 0" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_parallel": 0}, "max_parallel=0"),
        ({"max_node_runs": 0}, "max_node_runs=0"),
        ({"timeout_seconds": 0}, "timeout_seconds=0"),
        ({"max_cost": "much"}, "max_cost='much'"),
        ({"max_cost": -1}, "max_cost=-1"),
        ({"limits": {"gpu": 0}}, "limits['gpu']=0"),
    ],
)
async def test_an_invalid_option_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        await sums().run(left=1, **options)
    assert message in str(caught.value)


async def test_a_resource_without_a_bound_is_refused_before_anything_runs() -> None:
    graph = Graph("gpu")
    ran = []

    @graph.function(policy=Policy(resources=("gpu",)))
    async def heavy() -> None:
        ran.append(1)

    with pytest.raises(DefinitionError, match=r"pass limits=\{'gpu': 1\}"):
        await graph.run()
    assert not ran


async def test_a_value_of_the_wrong_type_fails_without_a_retry() -> None:
    graph = Graph("promise")
    calls = []

    @graph.function(policy=Policy(retry=Retry(attempts=5, base_delay_seconds=0)))
    async def number() -> int:
        calls.append(1)
        return "seven"  # type: ignore[return-value]  # the point of this test

    with pytest.raises(RunError) as caught:
        await graph.run()
    cause = caught.value.__cause__
    assert isinstance(cause, OutputTypeError)
    assert isinstance(cause, TypeError)
    assert "'number' is annotated to return int, but returned str: 'seven'" in str(cause)
    assert calls == [1]


async def test_a_sync_functions_value_is_checked_too() -> None:
    graph = Graph("promise")

    @graph.function
    def number() -> int:
        return "seven"  # type: ignore[return-value]  # the point of this test

    with pytest.raises(RunError, match="annotated to return int") as caught:
        await graph.run()
    assert isinstance(caught.value.__cause__, OutputTypeError)


async def test_reading_a_missing_value_names_the_end_and_the_reason() -> None:
    graph = Graph("ends")

    @graph.function(policy=Policy(on_error="continue"))
    async def broken() -> int:
        raise ValueError("no luck")

    @graph.function
    async def behind(broken: int) -> int:
        return broken

    pick = graph.branch("pick", lambda: "true")

    @graph.function(after=pick["false"])
    async def other() -> int:
        return 1

    @graph.function
    async def fine() -> int:
        return 1

    result = await graph.run()
    assert result.status == "partial"
    with pytest.raises(NodeEndError, match="'broken' failed: ValueError: no luck") as caught:
        result["broken"]
    assert isinstance(caught.value.__cause__, ValueError)
    assert isinstance(caught.value, LookupError)
    with pytest.raises(NodeEndError, match="'behind' was blocked: 'broken' failed"):
        result["behind"]
    with pytest.raises(NodeEndError, match="'other' was skipped: 'pick' did not pick 'false'"):
        result["other"]
    with pytest.raises(NodeEndError, match="no node run 'fin'; did you mean 'fine'"):
        result["fin"]
    assert result.get(fine).end == "completed"
    with pytest.raises(NodeEndError, match="belongs to graph 'ends'"):
        (await sums().run(left=1))[fine]


async def test_deps_and_the_path_reach_a_function_through_its_context() -> None:
    graph = Graph("deps")
    seen: list[tuple[object, str, int, str]] = []

    @graph.function(policy=Policy(retry=Retry(attempts=2, base_delay_seconds=0)))
    async def ask(context: Context[dict[str, int]], extra: int = 1) -> int:
        seen.append((context.deps, context.path, context.attempt, context.run_id))
        if context.attempt == 1:
            raise OSError
        return context.deps["answer"] + extra

    deps = {"answer": 41}
    result = await graph.run(deps=deps)
    assert result.output == 42
    assert seen == [(deps, "ask", 1, result.run_id), (deps, "ask", 2, result.run_id)]
    assert seen[0][0] is deps


async def test_run_sync_is_refused_on_a_running_event_loop() -> None:
    with pytest.raises(DefinitionError, match=r"use 'await graph\.run"):
        sums().run_sync(left=1)


def test_run_sync_runs_in_a_loop_of_its_own() -> None:
    assert sums().run_sync(left=1).output == "11 m"
    with pytest.raises(DefinitionError, match="input 'left' is missing"):
        sums().run_sync()


async def test_a_failure_has_its_story_and_keeps_finished_values() -> None:
    graph = Graph("story")

    @graph.function
    async def first() -> int:
        return 1

    @graph.function(policy=Policy(retry=Retry(attempts=2, base_delay_seconds=0)))
    async def second(first: int) -> int:
        raise ConnectionError("gone")

    @graph.function
    async def third(second: int) -> int:
        return second

    with pytest.raises(RunError, match="node 'second' failed: ConnectionError: gone") as caught:
        await graph.run()
    error = caught.value
    assert isinstance(error.__cause__, ConnectionError)
    assert error.path == "second"
    assert sum("failed: ConnectionError: gone" in line for line in error.story) == 3
    partial = error.partial_results
    assert partial.status == "failed"
    assert partial["first"] == 1
    assert partial.get("second").attempts == 2
    assert partial.get("third").end in ("cancelled", "blocked")


async def test_an_error_inside_a_container_is_raised_with_its_path() -> None:
    inner = Graph("inner")
    inner.input("item", int)

    @inner.function
    async def invert(item: int) -> float:
        return 1 / item

    graph = Graph("outer")
    graph.map(inner, over=[1, 0], id="all", max_parallel=1)
    with pytest.raises(RunError) as caught:
        await graph.run()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    story = [re.sub(r"^[\d.]+ s", "- s", line) for line in caught.value.story]
    assert story == [
        "all (map)",
        "- s: ready",
        "- s: started",
        "- s: failed: ZeroDivisionError: division by zero",
        "all[1]/invert (function)",
        "- s: ready",
        "- s: started",
        "- s: attempt 1 failed: ZeroDivisionError: division by zero",
        "- s: failed: ZeroDivisionError: division by zero",
    ]
    runs = caught.value.partial_results.node_runs
    assert runs["all[0]/invert"].end == "completed"
    assert runs["all[1]/invert"].end == "failed"


async def test_two_runs_of_one_graph_at_once_share_nothing() -> None:
    graph = Graph("twin")
    graph.input("start", int)

    @graph.function
    async def step(start: int) -> int:
        await anyio.lowlevel.checkpoint()
        return start + 1

    results = {}

    async def one(start: int) -> None:
        results[start] = await graph.run(start=start)

    async with anyio.create_task_group() as group:
        for start in range(20):
            group.start_soon(one, start)
    assert {start: result.output for start, result in results.items()} == {
        n: n + 1 for n in range(20)
    }
    assert len({result.run_id for result in results.values()}) == 20


async def test_a_failure_inside_a_container_names_the_whole_path() -> None:
    async def shrink(state: int) -> int:
        return 10 // (state - 1)

    inner = Graph("inner")
    inner.function(shrink, state=inner.input("state", int))
    body = Graph("body")
    body.subgraph(inner, id="step", state=body.input("state", int))
    graph = Graph("outer")
    graph.loop("passes", body, state=6, max_iterations=5)
    with pytest.raises(RunError, match=r"'passes\[3\]/step/shrink' failed: Zero") as caught:
        await graph.run(provider=None)
    assert caught.value.path == "passes[3]/step/shrink"
    assert caught.value.partial_results.get("passes[3]/step/shrink").end == "failed"
    wide = Graph("wide")
    wide.map(Function("shrink", shrink), over=[3, 2, 1, 0], max_parallel=1)
    with pytest.raises(RunError) as caught:
        await wide.run()
    assert caught.value.path == "shrink[2]/shrink"


async def test_a_run_whose_last_node_is_skipped_ends_once() -> None:
    # The last success and the skip after it both closed the run, and a run without a
    # listener crashed.
    graph = Graph("skipping")
    number = graph.input("number", int)
    way = graph.branch("way", lambda number: "small", ("small", "big"), number=number)

    async def one() -> int:
        return 1

    async def big(one: int) -> int:
        return one

    graph.function(one)
    left = graph.function(big, after=way["big"])
    result = await graph.run(number=1, max_parallel=1)
    assert result.get(left).end == "skipped"


async def test_a_map_over_a_function_binds_its_optional_parameters() -> None:
    def scaled(number: int, factor: int = 1, offset: int = 0) -> int:
        return number * factor + offset

    graph = Graph("map")
    factor = graph.input("times", int)
    graph.map(Function("scaled", scaled), over=[1, 2], factor=factor)
    assert (await graph.run(times=10)).output == [10, 20]


def test_none_in_a_prompt_fails_the_node_before_it_is_sent(virtual: Any) -> None:
    graph = Graph("none")
    graph.add(LLM("ask", prompt="About {topic}"), topic=graph.function(lambda: None, id="topic"))
    provider = ScriptedProvider("x")

    async def run() -> None:
        await graph.run(provider=provider)

    with pytest.raises(RunError, match=r"node 'ask' failed: .*'\{topic\}' is None; write"):
        virtual(run)
    assert not provider.requests
