"""Work created during a run: expansions, tool calls, repaired answers."""

from __future__ import annotations

import dataclasses
import threading
from functools import partial
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from dagorch import LLM, Graph, Policy, Retry, RunError
from dagorch.errors import ExpansionError, InvalidOutputError
from dagorch.models.llm import LLMRequest, LLMResponse, ToolCall
from dagorch.models.ref import Ref
from dagorch.testing import ScriptedProvider, assert_ends


async def double(number: int) -> int:
    await anyio.sleep(1)
    return 2 * number


def chain(*numbers: int) -> Graph:
    graph = Graph("chain")
    for number in numbers:
        graph.function(double, id=f"d{number}", number=number)
    return graph


# -- expansion --------------------------------------------------------------------------------


def test_a_returned_graph_runs_in_the_nodes_place(virtual: Any) -> None:
    graph = Graph("plan")

    @graph.function(expand=True)
    async def plan() -> Graph:
        made = chain(1, 2)
        made.merge("sum", [Ref(made, "d1"), Ref(made, "d2")], reducer=sum)
        return made

    @graph.function
    async def behind(plan: int) -> int:
        return plan + 1

    result = virtual(graph.run)
    assert result.output == 7
    assert_ends(
        result, dict.fromkeys(["plan", "plan/d1", "plan/d2", "plan/sum", "behind"], "completed")
    )
    assert result.duration_seconds == pytest.approx(1.0)


def test_a_sync_function_may_expand_too(virtual: Any) -> None:
    graph = Graph("plan")
    graph.function(lambda: chain(3), id="plan", expand=True)
    assert virtual(graph.run).output == 6


def test_expansions_nest_and_share_the_runs_slots(virtual: Any) -> None:
    at_once = peak = 0

    async def leaf() -> int:
        nonlocal at_once, peak
        at_once += 1
        peak = max(peak, at_once)
        await anyio.sleep(1)
        at_once -= 1
        return 1

    async def split(depth: int) -> Graph:
        made = Graph("split")
        halves = [
            made.function(split, id=f"half{n}", depth=depth - 1, expand=True)
            if depth
            else made.function(leaf, id=f"half{n}")
            for n in range(2)
        ]
        made.merge("sum", halves, reducer=sum)
        return made

    graph = Graph("tree")
    graph.function(split, depth=3, expand=True)
    result = virtual(partial(graph.run, max_parallel=3))
    assert result.output == 16
    assert peak == 3
    assert result.get("split/half0/half1/half0/half1").end == "completed"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: "no graph", "must return a Graph, not str"),
        (lambda: _unbound(), "does not compile"),
        (lambda: _open(), "has inputs without a value: number"),
        (lambda: _foreign(), "does not compile"),
        (lambda: _hungry(), "resources"),
    ],
)
def test_an_invalid_expansion_is_a_failed_attempt_and_is_retried(
    virtual: Any, made: Any, message: str
) -> None:
    tries: list[int] = []
    graph = Graph("plan")

    async def plan() -> Any:
        tries.append(1)
        return made() if len(tries) < 3 else chain(1)

    graph.function(plan, expand=True, policy=Policy(retry=Retry(attempts=3)))
    result = virtual(graph.run)
    assert result.output == 2
    assert result.get("plan").attempts == 3

    tries[:] = []
    graph = Graph("plan")
    graph.function(plan, expand=True)

    async def fails() -> BaseException | None:
        with pytest.raises(RunError) as caught:
            await graph.run()
        return caught.value.__cause__

    cause = virtual(fails)
    assert isinstance(cause, ExpansionError)
    assert message in str(cause)


def _unbound() -> Graph:
    graph = Graph("bad")
    graph.function(double)
    return graph


def _open() -> Graph:
    graph = Graph("open")
    graph.input("number", int)
    graph.function(double)
    return graph


def _foreign() -> Graph:
    other = chain(1)
    graph = Graph("foreign")
    graph.function(double, number=Ref(other, "d1"))
    return graph


def _hungry() -> Graph:
    graph = Graph("hungry")
    graph.function(double, number=1, policy=Policy(resources=("gpu",)))
    return graph


def test_a_failure_inside_an_expansion_fails_the_node(virtual: Any) -> None:
    graph = Graph("plan")

    async def broken() -> None:
        raise ValueError("inside")

    async def plan() -> Graph:
        made = Graph("made")
        made.function(broken)
        return made

    graph.function(plan, expand=True, policy=Policy(fallback="saved"))
    result = virtual(graph.run)
    assert result.output == "saved"
    assert isinstance(result.get("plan").recovered_from, ValueError)


# -- tools ------------------------------------------------------------------------------------


def wants(*calls: tuple[str, str]) -> LLMResponse:
    made = tuple(ToolCall(f"id{n}", name, arguments) for n, (name, arguments) in enumerate(calls))
    return LLMResponse("", "scripted", finish_reason="tool_calls", tool_calls=made)


async def weather(city: str) -> str:
    """Tell the weather."""
    await anyio.sleep(1)
    return f"sun in {city}"


def population(city: str) -> int:
    """Count the people."""
    assert threading.current_thread() is not threading.main_thread()
    return {"Oslo": 700_000}[city]


def agent(**options: Any) -> Graph:
    graph = Graph("agent")
    graph.input("question", str)
    graph.add(LLM("agent", prompt="{question}", tools=(weather, population), **options))
    return graph


def test_tools_are_called_and_their_results_go_back(virtual: Any) -> None:
    provider = ScriptedProvider(
        [
            wants(("weather", '{"city": "Oslo"}'), ("weather", '{"city": "Rome"}')),
            wants(("population", '{"city": "Oslo"}')),
            "All is well.",
        ]
    )
    result = virtual(partial(agent().run, question="How is it?", provider=provider))
    assert result.output == "All is well."
    assert result.duration_seconds < 1.9  # both calls of a round at once
    assert [spec.name for spec in provider.requests[0].tools] == ["weather", "population"]
    last = provider.requests[2].messages
    messages = [(m.role, m.content, m.tool_call_id) for m in last]
    assert messages == [
        ("user", "How is it?", ""),
        ("assistant", "", ""),
        ("tool", "sun in Oslo", "id0"),
        ("tool", "sun in Rome", "id1"),
        ("assistant", "", ""),
        ("tool", "700000", "id0"),
    ]
    tools = [path for path in result.node_runs if path.endswith("/tool")]
    assert len(tools) == 3
    assert result.usage.calls == 3


def test_a_tools_error_goes_back_to_the_model(virtual: Any) -> None:
    provider = ScriptedProvider(
        [
            wants(
                ("population", '{"city": "Atlantis"}'),
                ("wether", "{}"),
                ("weather", "not json"),
                ("weather", "[1]"),
                ("weather", '{"town": "Oslo"}'),
            ),
            "Sorry.",
        ]
    )
    result = virtual(partial(agent().run, question="?", provider=provider))
    assert result.output == "Sorry."
    answers = [m.content for m in provider.requests[1].messages if m.role == "tool"]
    assert answers[0] == "error: KeyError: 'Atlantis'"
    assert answers[1] == "error: no tool 'wether'; there are weather, population"
    assert answers[2].startswith("error: wrong arguments: not JSON (Expecting value")
    assert answers[3] == "error: wrong arguments: not a JSON object"
    assert answers[4] == ("error: wrong arguments: there is no parameter 'town'; 'city' is missing")


def test_a_result_that_cannot_be_serialized_goes_back_as_an_error(virtual: Any) -> None:
    def endless() -> list[Any]:
        """Return a list that contains itself."""
        made: list[Any] = []
        made.append(made)
        return made

    graph = Graph("agent")
    graph.add(LLM("agent", prompt="?", tools=(endless,)))
    provider = ScriptedProvider([wants(("endless", "{}")), "Well."])
    assert virtual(partial(graph.run, provider=provider)).output == "Well."
    assert provider.requests[1].messages[-1].content.startswith("error: ValueError")


def test_rounds_of_tools_are_bounded(virtual: Any) -> None:
    provider = ScriptedProvider(lambda request: wants(("weather", '{"city": "Oslo"}')))

    async def fails() -> RunError:
        with pytest.raises(RunError, match="still called tools after max_tool_rounds=3") as caught:
            await agent(max_tool_rounds=3).run(question="?", provider=provider)
        return caught.value

    assert isinstance(virtual(fails).__cause__, InvalidOutputError)
    assert len(provider.requests) == 3


def test_a_tool_that_hangs_ends_with_its_run(virtual: Any) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def hang() -> None:
        """Never return."""
        begun.set()
        go_on.wait(20)

    graph = Graph("agent")
    graph.add(LLM("agent", prompt="?", tools=(hang,)))
    provider = ScriptedProvider([wants(("hang", "{}"))])

    async def run() -> bool:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:

                async def stop() -> None:
                    await anyio.to_thread.run_sync(begun.wait, 20)
                    scope.cancel()

                group.start_soon(stop)
                await graph.run(provider=provider)
        return go_on.is_set()

    with pytest.warns(UserWarning, match="a thread cannot be killed"):
        waited = virtual(run)
    go_on.set()
    assert not waited


# -- structured output ------------------------------------------------------------------------


class Report(BaseModel):
    title: str
    score: int


@dataclasses.dataclass
class Point:
    x: int


def structured(output: Any, **options: Any) -> Graph:
    graph = Graph("structured")
    graph.add(LLM("report", prompt="Report.", output=output, **options))
    return graph


@pytest.mark.parametrize(
    ("output", "reply", "value"),
    [
        (Report, '{"title": "T", "score": 3}', Report(title="T", score=3)),
        (Report, 'Sure!\n```json\n{"title": "T", "score": 3}\n```', Report(title="T", score=3)),
        (list[str], '{"value": ["a", "b"]}', ["a", "b"]),
        (list[str], '["a", "b"]', ["a", "b"]),
        (Point, '{"x": 1}', Point(1)),
    ],
)
def test_a_reply_becomes_a_value_of_the_wanted_type(
    virtual: Any, output: Any, reply: str, value: Any
) -> None:
    provider = ScriptedProvider(reply)
    assert virtual(partial(structured(output).run, provider=provider)).output == value
    assert provider.requests[0].json_schema is not None


def test_a_reply_that_does_not_fit_is_repaired_at_once(virtual: Any) -> None:
    provider = ScriptedProvider(['{"title": "T", "score": "high"}', '{"title": "T", "score": 3}'])
    result = virtual(partial(structured(Report).run, provider=provider))
    assert result.output == Report(title="T", score=3)
    assert result.get("report").attempts == 2
    assert result.duration_seconds == 0
    first, second = (request.messages for request in provider.requests)
    assert second[: len(first)] == first
    assert [message.role for message in second[len(first) :]] == ["assistant", "user"]
    assert second[-2].content == '{"title": "T", "score": "high"}'
    assert "score" in second[-1].content
    assert result.usage.calls == 2


def test_a_model_that_never_replies_correctly_fails_with_its_reply(virtual: Any) -> None:
    provider = ScriptedProvider("no JSON here")

    async def fails() -> BaseException | None:
        with pytest.raises(RunError) as caught:
            await structured(Report).run(provider=provider)
        return caught.value.__cause__

    cause = virtual(fails)
    assert isinstance(cause, InvalidOutputError)
    assert cause.reply == "no JSON here"
    assert len(provider.requests) == 3  # the retries that an LLM node has by default


def test_a_truncated_reply_is_named_in_the_error(virtual: Any) -> None:
    def script(request: LLMRequest) -> LLMResponse:
        return LLMResponse('{"title": "T', "scripted", finish_reason="length")

    async def fails() -> None:
        with pytest.raises(RunError, match="it was cut off, raise max_tokens"):
            await structured(Report).run(provider=ScriptedProvider(script))

    virtual(fails)
