"""A run beside other work: its handle cancels, answers questions and reports progress."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dagorch import LLM, Context, Event, EventType, Graph, Policy, Question, RunError
from dagorch.errors import DefinitionError
from dagorch.models.events import RUN_ENDS
from dagorch.testing import ScriptedProvider, assert_ends
from tests.integration.runner.naps import Watched, boom
from tests.servers import WAIT_SECONDS


def test_a_handle_runs_beside_other_work(virtual: Any) -> None:
    watched = Watched()
    seen: list[tuple[dict[str, str], float]] = []

    async def run() -> Any:
        async with watched.graph.start() as handle:
            assert handle.run_id
            for _ in range(3):
                await anyio.sleep(0.9)
                seen.append((handle.status, handle.progress))
            result = await handle.result()
            seen.append((handle.status, handle.progress))
            assert result.run_id == handle.run_id
            return result

    assert virtual(run).output == 3
    assert [status["nap1"] for status, _ in seen] == [
        "pending",
        "running",
        "completed",
        "completed",
    ]
    progress = [value for _, value in seen]
    assert progress == sorted(progress)
    assert progress[0] < 99
    assert progress[-1] == 100


def test_leaving_the_block_waits_for_the_run(virtual: Any) -> None:
    watched = Watched()

    async def run() -> None:
        async with watched.graph.start():
            pass

    virtual(run)
    assert watched.done == 3


def test_a_failed_run_is_raised_on_leaving_unless_it_was_asked_for(virtual: Any) -> None:
    graph = Graph("bad")
    graph.function(boom)

    async def leave() -> None:
        async with graph.start():
            await checkpoint()

    async def ask() -> float:
        async with graph.start() as handle:
            with pytest.raises(RunError, match="boom"):
                await handle.result()
            return handle.progress

    with pytest.raises(RunError, match="boom"):
        virtual(leave)
    assert virtual(ask) < 100


def test_a_handle_cancels_at_once_even_before_the_first_node(virtual: Any) -> None:
    watched = Watched()

    async def run() -> Any:
        async with watched.graph.start() as handle:
            handle.cancel("changed my mind")
            with pytest.raises(RunError, match="the run was cancelled: changed my mind") as caught:
                await handle.result()
            assert handle.progress < 100
            handle.cancel("again")
            return caught.value.partial_results

    result = virtual(run)
    assert result.status == "cancelled"
    assert watched.done == 0
    assert {run.end for run in result.node_runs.values()} == {"cancelled"}


def test_a_handle_that_was_cancelled_before_it_began_runs_nothing(virtual: Any) -> None:
    watched = Watched()

    async def run() -> Any:
        handle = watched.graph.start()
        handle.cancel("too late")
        async with handle:
            with pytest.raises(RunError, match="the run was cancelled: too late") as caught:
                await handle.result()
            return caught.value.partial_results

    assert virtual(run).status == "cancelled"
    assert watched.done == 0


def test_a_handle_cancels_in_the_middle_and_keeps_what_had_finished(virtual: Any) -> None:
    watched = Watched()

    async def run() -> Any:
        async with watched.graph.start() as handle:
            await anyio.sleep(1.5)
            handle.cancel()
            with pytest.raises(RunError) as caught:
                await handle.result()
            return caught.value.partial_results

    result = virtual(run)
    assert_ends(result, {"nap0": "completed", "nap1": "cancelled", "nap2": "cancelled"})
    assert result["nap0"] == 1
    assert result.duration_seconds == pytest.approx(1.5)


def test_a_node_can_cancel_its_own_run(virtual: Any) -> None:
    graph = Graph("self")

    @graph.function
    async def stop(context: Context[Any]) -> None:
        await anyio.sleep(1)
        context.deps[0].cancel("from inside")
        await anyio.sleep_forever()

    async def run() -> None:
        deps: list[Any] = []
        async with graph.start(deps=deps) as handle:
            deps.append(handle)
            with pytest.raises(RunError, match="from inside"):
                await handle.result()

    virtual(run)


def test_a_plain_callback_of_the_loop_and_a_thread_can_cancel() -> None:
    graph = Graph("sleeper")

    @graph.function
    async def sleeps() -> None:
        await anyio.sleep_forever()

    async def run(through_thread: bool) -> list[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        problems: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, problem: problems.append(problem))
        async with graph.start() as handle:
            if through_thread:
                await asyncio.to_thread(handle.cancel, "from a thread")
            else:
                loop.call_soon(handle.cancel, "from a callback")
            with anyio.fail_after(WAIT_SECONDS), pytest.raises(RunError, match="from a"):
                await handle.result()
        return problems

    for through_thread in (False, True):
        assert asyncio.run(run(through_thread)) == []


def test_a_plain_callback_of_the_loop_can_answer() -> None:
    graph = Graph("asks")
    graph.ask("name", "Who?")

    async def run() -> object:
        async with graph.start() as handle:
            while not handle.questions:
                await checkpoint()
            asyncio.get_running_loop().call_soon(handle.answer, "name", "Ada")
            with anyio.fail_after(WAIT_SECONDS):
                return (await handle.result()).output

    assert asyncio.run(run()) == "Ada"


def test_the_first_reason_for_stopping_is_the_one_raised(virtual: Any) -> None:
    # The run is already failing, and waits for a node that is slow to stop.
    graph = Graph("bad")
    graph.function(boom)

    @graph.function
    async def stubborn() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(5)

    async def run() -> None:
        async with graph.start() as handle:
            await anyio.sleep(2)
            handle.cancel("too late")
            with pytest.raises(RunError, match="boom") as caught:
                await handle.result()
            assert caught.value.partial_results.status == "failed"

    virtual(run)


def test_an_error_in_the_block_cancels_the_run_and_is_raised_unchanged(virtual: Any) -> None:
    watched = Watched()

    async def run() -> None:
        async with watched.graph.start():
            await anyio.sleep(1.5)
            raise LookupError("mine") from OSError("cause")

    with pytest.raises(LookupError, match="mine") as caught:
        virtual(run)
    assert isinstance(caught.value.__cause__, OSError)
    assert (watched.done, watched.cancelled, watched.active) == (1, 1, 0)


def test_events_of_a_handle_from_the_first_on(virtual: Any) -> None:
    graph = Graph("talk")

    @graph.function
    async def first() -> str:
        await anyio.sleep(1)
        return "go"

    graph.add(LLM("say", prompt="{first}"))

    async def run() -> tuple[list[Event], Any]:
        async with graph.start(provider=ScriptedProvider("one two")) as handle:
            events = [event async for event in handle.events()]
            late = [event async for event in handle.events()]
            assert [event.type for event in late] == [event.type for event in events]
            return events, await handle.result()

    events, result = virtual(run)
    assert events[0].type is EventType.RUN_STARTED
    assert events[-1].type is EventType.RUN_COMPLETED
    text = "".join(event.data["text"] for event in events if event.type is EventType.NODE_TOKENS)
    assert text == "one two" == result.output


def test_a_reader_that_left_is_not_counted_as_slow(virtual: Any) -> None:
    graph = Graph("wide")

    async def nothing() -> None:
        return None

    gate = graph.function(anyio.sleep, id="gate", delay=1)
    for number in range(4_000):
        graph.function(nothing, id=f"n{number}", after=gate)

    async def run() -> int:
        async with graph.start() as handle:
            events = handle.events()
            await anext(events)
            await events.aclose()
            return (await handle.result()).dropped_events

    assert virtual(run) == 0


def test_usage_and_cost_so_far(virtual: Any) -> None:
    graph = Graph("bill")
    first = graph.add(LLM("first", prompt="one"))
    graph.add(LLM("second", prompt="two {first}"), first=first)
    provider = ScriptedProvider("a b c", latency_seconds=1, price_per_token=0.01)

    async def run() -> list[tuple[int, float]]:
        async with graph.start(provider=provider) as handle:
            seen = []
            for _ in range(3):
                seen.append((handle.usage.calls, float(handle.usage.cost_usd)))
                await anyio.sleep(0.99)
            await handle.result()
            seen.append((handle.usage.calls, float(handle.usage.cost_usd)))
            return seen

    assert virtual(run) == [(0, 0.0), (0, 0.0), (1, 0.04), (2, 0.11)]


def test_a_question_waits_until_it_is_answered(virtual: Any) -> None:
    graph = Graph("ask")
    graph.input("topic", str)
    body = Graph("body")
    body.ask("sure", "Really {item}?", output=bool, item=body.input("item", str))
    sure = graph.map(body, over=["a", "b"], id="all")
    graph.ask("title", "A title for {topic}?")

    async def run() -> Any:
        async with graph.start(topic="owls") as handle:
            await anyio.sleep(3600)
            assert handle.status["title"] == "parked"
            with pytest.raises(DefinitionError, match=r"no question 'titel'.*did you mean 'title'"):
                handle.answer("titel", "x")
            with pytest.raises(DefinitionError, match="wants bool, not str: 'yes'"):
                handle.answer("all[0]/sure", "yes")
            assert set(handle.questions) == {
                Question("title", "A title for owls?", str),
                Question("all[0]/sure", "Really a?", bool),
                Question("all[1]/sure", "Really b?", bool),
            }
            title = next(question for question in handle.questions if question.path == "title")
            handle.answer(title, "Owls")
            assert title not in handle.questions
            with pytest.raises(DefinitionError, match="is waiting"):
                handle.answer("title", "Twice")
            handle.answer("all[1]/sure", value=False)
            handle.answer("all[0]/sure", value=True)
            return await handle.result()

    result = virtual(run)
    assert result["title"] == "Owls"
    assert result[sure] == [True, False]


def test_the_question_is_in_the_event_and_holds_no_slot(virtual: Any) -> None:
    graph = Graph("ask")
    graph.ask("name", "Who?", policy=Policy(timeout_seconds=3600, fallback="no answer"))
    graph.function(anyio.sleep, id="beside", delay=10)
    events: list[Event] = []

    async def run() -> Any:
        return await graph.run(max_parallel=1, on_event=events.append)

    result = virtual(run)
    assert result["name"] == "no answer"
    assert result.get("beside").ended_seconds == pytest.approx(10)
    parked = [event for event in events if event.type is EventType.NODE_PARKED]
    assert [event.data["question"] for event in parked] == ["Who?"]


def test_a_handle_inside_a_cancelled_scope_ends_with_it(virtual: Any) -> None:
    watched = Watched()

    async def run() -> None:
        with anyio.move_on_after(1.5):
            async with watched.graph.start() as handle:
                await handle.result()
        assert (watched.done, watched.cancelled, watched.active) == (1, 1, 0)
        with pytest.raises(RunError, match="cancelled from outside"):
            await handle.result()

    virtual(run)


def test_a_large_run_is_cancelled_from_outside_too(virtual: Any) -> None:
    # More node runs than the core processes in one step.
    graph = Graph("large")
    first = graph.function(anyio.sleep_forever, id="first")

    async def nothing() -> None:
        return None

    for number in range(5_000):
        graph.function(nothing, id=f"n{number}", after=first)
    events: list[Event] = []

    async def run() -> None:
        with anyio.move_on_after(1):
            await graph.run(on_event=events.append)

    virtual(run)
    assert events[-1].type in RUN_ENDS


def test_no_way_to_run_a_graph_leaves_a_task() -> None:
    watched = Watched(100)

    async def run() -> list[str]:
        async for _ in watched.graph.stream():
            break
        async with watched.graph.start() as handle:
            handle.cancel()
            with pytest.raises(RunError):
                await handle.result()
        with anyio.move_on_after(0.01):
            await watched.graph.run()
        for _ in range(5):
            await asyncio.sleep(0)
        return [
            task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()
        ]

    assert asyncio.run(run()) == []
