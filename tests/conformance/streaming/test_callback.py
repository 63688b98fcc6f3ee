"""A callback of any kind receives every event and does not delay the workflow."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

import anyio
import pytest

from dagorch import StreamEvent, SubTask
from dagorch.testing import run_virtual
from dagorch.testing.virtual_time import Backend
from tests.conformance.doubles import Plain, by_tier, cascade, once, talking

PLAN = [SubTask(str(n), "x") for n in range(3)]


class Kinds:
    """Every kind of callable; each records the events that it receives."""

    def __init__(self) -> None:
        self.events: list[StreamEvent] = []

    def method(self, event: StreamEvent) -> None:
        self.events.append(event)

    async def async_method(self, event: StreamEvent) -> None:
        await anyio.lowlevel.checkpoint()
        self.events.append(event)

    def __call__(self, event: StreamEvent) -> None:
        self.events.append(event)


class AsyncObject(Kinds):
    async def __call__(self, event: StreamEvent) -> None:
        await self.async_method(event)


def made(kind: str) -> tuple[Kinds, Any]:
    kinds = AsyncObject() if kind == "async object" else Kinds()
    return kinds, {
        "method": kinds.method,
        "async method": kinds.async_method,
        "object": kinds,
        "async object": kinds,
        "builtin": kinds.events.append,
        "lambda": lambda event: kinds.events.append(event),
        "lambda around a coroutine": lambda event: kinds.async_method(event),
        "partial": functools.partial(kinds.async_method),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["method", "async method", "object", "async object", "builtin", "lambda",
     "lambda around a coroutine", "partial"],
)  # fmt: skip
async def test_any_callable_receives_every_event_before_the_workflow_returns(kind: str) -> None:
    kinds, callback = made(kind)
    o = Plain(once(), plan=PLAN)
    o.stream_callback = callback
    result = await o.execute_workflow("Why?")
    names = [event.event_type.value for event in kinds.events]
    assert names[0] == "task_started"
    assert names[-1] == "task_completed"
    assert names.count("subtask_completed") == 3
    assert result.metadata["dropped_events"] == 0


def test_a_slow_async_callback_does_not_delay_the_workflow() -> None:
    times: dict[str, float] = {}

    class Timed(Plain):
        async def execute_subtask(self, subtask, context=None):
            await anyio.sleep(0.1)
            return await super().execute_subtask(subtask, context)

        async def synthesize_results(self, agent_results, context=None):
            times["synthesis"] = anyio.current_time() - times["start"]

    async def slow(event: StreamEvent) -> None:
        await anyio.sleep(0.12)

    async def main() -> Any:
        times["start"] = anyio.current_time()
        o = Timed(once(), plan=PLAN)
        o.stream_callback = slow
        return await o.execute_workflow("Why?")

    result = run_virtual(main)
    assert times["synthesis"] == pytest.approx(0.1)
    assert result.execution_time == pytest.approx(0.1)
    assert result.metadata["dropped_events"] == 0


async def test_a_blocking_callback_does_not_delay_the_workflow() -> None:
    ended = threading.Event()

    class Ending(Plain):
        async def synthesize_results(self, agent_results, context=None):
            ended.set()

    events = []

    def blocking(event: StreamEvent) -> None:
        assert ended.wait(20), "the work waited for the callback"
        events.append(event)

    o = Ending(once(), plan=PLAN)
    o.stream_callback = blocking
    await o.execute_workflow("Why?")
    assert events[-1].event_type == "task_completed"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_virtual_time_stops_while_a_callback_runs_in_its_thread(backend: Backend) -> None:
    events: list[StreamEvent] = []

    def working(event: StreamEvent) -> None:
        time.sleep(0.002)  # long enough for an idle event loop to advance its clock
        events.append(event)

    o = Plain(once(), plan=PLAN)
    o.stream_callback = working
    result = run_virtual(o.execute_workflow, "Why?", backend=backend)
    assert result.metadata["dropped_events"] == 0
    assert events[-1].event_type == "task_completed"


def test_events_dropped_by_a_very_slow_callback_are_counted() -> None:
    events: list[StreamEvent] = []

    async def hopeless(event: StreamEvent) -> None:
        events.append(event)
        await anyio.sleep(1000)

    o = Plain(once(), plan=PLAN)
    o.stream_callback = hopeless
    result = run_virtual(o.execute_workflow, "Why?")
    assert len(events) == 1
    assert result.metadata["dropped_events"] > 5


async def test_a_callback_that_fails_does_not_fail_the_workflow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events: list[StreamEvent] = []

    def failing(event: StreamEvent) -> None:
        events.append(event)
        raise ValueError("a bug of mine")

    o = Plain(once(), plan=PLAN)
    o.stream_callback = failing
    result = await o.execute_workflow("Why?")
    assert result.status == "completed"
    assert events[-1].event_type == "task_completed"
    assert "a bug of mine" in caplog.text
    assert "failing at 0x" in caplog.text, "the log does not name the callback"


async def test_enable_streaming_switches_the_events_of_a_cascade() -> None:
    for streaming in (True, False):
        events: list[StreamEvent] = []
        o = cascade(talking(by_tier), enable_streaming=streaming)
        o.stream_callback = events.append
        await o.execute_workflow("Why?")
        assert bool(events) is streaming


async def test_a_callback_for_one_workflow() -> None:
    always, once_only = Kinds(), Kinds()
    o = Plain(once(), plan=PLAN)
    o.stream_callback = always.method
    await o.execute_workflow("Why?", stream_callback=once_only)
    assert once_only.events[-1].event_type == "task_completed"
    assert always.events == []
    await o.execute_workflow("Why?")
    assert len(always.events) == len(once_only.events)
