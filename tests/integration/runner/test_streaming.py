"""A run as a stream of events, and what happens when its reader leaves."""

from __future__ import annotations

import contextvars
import gc
from typing import Any

import anyio
import pytest

from dagorch import LLM, Event, EventType, Graph, RunError
from dagorch.errors import DefinitionError
from dagorch.testing import ScriptedProvider
from tests.integration.runner.naps import Watched, boom


def test_a_stream_yields_every_event_and_then_has_the_result(virtual: Any) -> None:
    async def run() -> tuple[list[Event], Any]:
        stream = Watched().graph.stream()
        with pytest.raises(DefinitionError, match="has not completed"):
            _ = stream.result
        events = [event async for event in stream]
        assert [event async for event in stream] == []
        return events, stream.result

    events, result = virtual(run)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert events[0].type is EventType.RUN_STARTED
    assert events[-1].type is EventType.RUN_COMPLETED
    assert result.output == 3


def test_tokens_arrive_while_they_are_written(virtual: Any) -> None:
    graph = Graph("talk")
    graph.add(LLM("say", prompt="Hi"))

    async def run() -> list[str]:
        stream = graph.stream(provider=ScriptedProvider("one two"))
        return [event.data["text"] async for event in stream if event.type is EventType.NODE_TOKENS]

    assert "".join(virtual(run)) == "one two"


def test_a_failed_run_raises_its_error_at_the_end_of_the_stream(virtual: Any) -> None:
    graph = Graph("bad")
    graph.function(boom)
    events: list[Event] = []

    async def run() -> None:
        async for event in graph.stream():
            events.append(event)

    with pytest.raises(RunError, match="boom") as caught:
        virtual(run)
    assert isinstance(caught.value.__cause__, ValueError)
    assert events[-1].type is EventType.RUN_FAILED


def test_leaving_a_stream_early_cancels_the_run(virtual: Any) -> None:
    watched = Watched(100)

    async def run() -> None:
        async for event in watched.graph.stream():
            if event.type is EventType.NODE_COMPLETED:
                break
        gc.collect()
        await anyio.sleep(50)

    virtual(run)
    assert (watched.done, watched.cancelled, watched.active) == (1, 1, 0)


def test_closing_a_stream_waits_until_the_run_has_ended(virtual: Any) -> None:
    watched = Watched(100)

    async def run() -> None:
        async with watched.graph.stream() as stream:
            async for event in stream:
                if event.type is EventType.NODE_COMPLETED:
                    break
        assert (watched.done, watched.cancelled, watched.active) == (1, 1, 0)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    virtual(run)


def test_a_stream_that_is_never_read_never_runs(virtual: Any) -> None:
    watched = Watched()

    async def run() -> None:
        stream = watched.graph.stream()
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        watched.graph.stream()
        await anyio.sleep(10)

    virtual(run)
    assert (watched.done, watched.cancelled) == (0, 0)


def test_cancelling_the_reader_cancels_the_run_and_waits_for_it(virtual: Any) -> None:
    watched = Watched(100)

    async def run() -> None:
        with anyio.move_on_after(2.5) as scope:
            async for _ in watched.graph.stream():
                pass
        assert scope.cancelled_caught
        assert (watched.done, watched.cancelled, watched.active) == (2, 1, 0)

    virtual(run)


def test_a_reader_cancelled_before_its_first_event_leaves_nothing(virtual: Any) -> None:
    watched = Watched(100)

    async def run() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            async for _ in watched.graph.stream():
                pass
        assert watched.active == 0
        await anyio.sleep(50)

    virtual(run)
    assert (watched.done, watched.active) == (0, 0)


def test_a_stream_with_wrong_arguments_fails_cleanly(virtual: Any) -> None:
    async def run() -> None:
        with pytest.raises(DefinitionError, match="nonsense"):
            Watched().graph.stream(nonsense=1)
        gc.collect()

    virtual(run)


def test_the_readers_context_variables_reach_the_nodes(virtual: Any) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    graph = Graph("vars")

    @graph.function
    async def read() -> str:
        return variable.get()

    async def run() -> str:
        variable.set("set")
        stream = graph.stream()
        async for _ in stream:
            pass
        return str(stream.result.output)

    assert virtual(run) == "set"


def test_a_stream_and_a_listener_receive_the_same_events(virtual: Any) -> None:
    heard: list[Event] = []

    async def run() -> list[Event]:
        return [event async for event in Watched().graph.stream(on_event=heard.append)]

    assert virtual(run) == heard
