"""`anyio.from_thread` in sync functions works as in the threads of `anyio.to_thread`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
import trio

from dagorch import Graph, Policy, RunError, SequentialOrchestrator, StreamEvent
from dagorch.errors import DagorchWarning
from dagorch.models import OrchestratorConfig
from dagorch.testing import ScriptedProvider, assert_ends

CANCELLATIONS = (asyncio.CancelledError, concurrent.futures.CancelledError, trio.Cancelled)
PATIENCE_SECONDS = 20.0


async def doubled(number: int) -> int:
    await anyio.lowlevel.checkpoint()
    return 2 * number


async def test_run_awaits_a_function_on_the_loop_of_the_run() -> None:
    graph = Graph("threads")
    loop_thread = threading.get_ident()
    ran_on: list[int] = []

    async def on_loop(number: int) -> int:
        ran_on.append(threading.get_ident())
        return await doubled(number)

    @graph.function
    def asks() -> int:
        return anyio.from_thread.run(on_loop, 21)

    assert (await graph.run()).output == 42
    assert ran_on == [loop_thread]


async def test_run_sync_calls_a_function_on_the_loop() -> None:
    graph = Graph("threads")
    event = anyio.Event()

    @graph.function
    def sets() -> int:
        anyio.from_thread.run_sync(event.set)
        return anyio.from_thread.run_sync(threading.get_ident)

    assert (await graph.run()).output == threading.get_ident()
    assert event.is_set()


async def test_check_cancelled_passes_while_the_attempt_runs() -> None:
    graph = Graph("threads")
    graph.function(anyio.from_thread.check_cancelled, id="check")
    assert (await graph.run()).output is None


async def test_a_sync_node_may_start_an_event_loop_of_its_own() -> None:
    graph = Graph("threads")

    @graph.function
    def starts_a_loop() -> int:
        async def main() -> int:
            return await anyio.to_thread.run_sync(anyio.from_thread.run, doubled, 4)

        return anyio.run(main) + anyio.from_thread.run(doubled, 1)

    assert (await graph.run()).output == 10


async def test_the_function_sees_the_context_variables_of_the_node() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    graph = Graph("threads")

    async def read() -> str:
        seen = variable.get()
        variable.set("by the function")
        return seen

    @graph.function
    def sets() -> tuple[str, str]:
        variable.set("by the node")
        return anyio.from_thread.run(read), variable.get()

    assert (await graph.run()).output == ("by the node", "by the node")
    assert variable.get() == "unset"


async def test_an_error_on_the_loop_is_the_nodes_error_with_its_lines() -> None:
    graph = Graph("threads")

    async def fails() -> None:
        raise KeyError("lost")

    @graph.function
    def asks() -> None:
        anyio.from_thread.run(fails)

    with pytest.raises(RunError, match="KeyError") as caught:
        await graph.run()
    trace = caught.value.__cause__.__traceback__
    lines = []
    while trace is not None:
        lines.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert (lines[0], lines[-1]) == ("asks", "fails")


async def test_every_step_of_a_pattern_may_use_it() -> None:
    events: list[int] = []

    def step(name: str, context: dict[str, Any]) -> int:
        return anyio.from_thread.run(doubled, 3)

    def callback(event: StreamEvent) -> None:
        events.append(anyio.from_thread.run(doubled, 1))

    o = SequentialOrchestrator(
        OrchestratorConfig(steps=["only"]), ScriptedProvider([]), step_handlers={"only": step}
    )
    o.stream_callback = callback
    assert (await o.execute_workflow("Count")).result == 6
    assert set(events) == {2}


class Waiting:
    """A sync node that calls something in its thread once it was cancelled."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.go_on, self.ended = threading.Event(), threading.Event()
        self.outcome: Any = None

    def __call__(self) -> None:
        self.go_on.wait(PATIENCE_SECONDS)
        try:
            self.outcome = self.call()
        except BaseException as error:
            self.outcome = error
            raise
        finally:
            self.ended.set()

    async def outcome_after_timeout(self) -> Any:
        graph = Graph("threads")
        policy = Policy(timeout_seconds=0.01, on_error="continue")
        hangs = graph.function(self, id="hangs", policy=policy)
        after = graph.function(self.finish, id="after", after_end=[hangs])
        with pytest.warns(DagorchWarning, match="a thread cannot be killed"):
            result = await graph.run()
        assert_ends(result, {"hangs": "failed", "after": "completed"})
        assert result[after] == "ended"
        return self.outcome

    async def finish(self) -> str:
        self.go_on.set()
        await anyio.to_thread.run_sync(self.ended.wait, PATIENCE_SECONDS)
        return "ended"


async def test_run_in_a_thread_that_timed_out_raises_a_cancellation() -> None:
    began: list[str] = []

    async def begin() -> None:
        began.append("begun")

    outcome = await Waiting(functools.partial(anyio.from_thread.run, begin)).outcome_after_timeout()
    assert isinstance(outcome, CANCELLATIONS)
    assert began == []


async def test_check_cancelled_in_a_thread_that_timed_out_raises_that_of_the_loop() -> None:
    outcome = await Waiting(anyio.from_thread.check_cancelled).outcome_after_timeout()
    assert isinstance(outcome, anyio.get_cancelled_exc_class())


async def test_run_sync_in_a_thread_that_timed_out_still_cleans_up() -> None:
    call = functools.partial(anyio.from_thread.run_sync, threading.get_ident)
    assert await Waiting(call).outcome_after_timeout() == threading.get_ident()


async def test_the_loop_is_gone_when_an_abandoned_thread_calls_it(anyio_backend_name: str) -> None:
    waiting = Waiting(functools.partial(anyio.from_thread.run, doubled, 1))

    async def main() -> None:
        graph = Graph("threads")
        graph.function(waiting, id="hangs", policy=Policy(timeout_seconds=0.01))
        with pytest.warns(DagorchWarning), pytest.raises(RunError):
            await graph.run()

    def in_another_loop() -> None:
        anyio.run(main, backend=anyio_backend_name)

    await anyio.to_thread.run_sync(in_another_loop)
    await waiting.finish()
    assert isinstance(waiting.outcome, anyio.RunFinishedError)


@pytest.mark.parametrize("ends", ["timeout", "run"])
async def test_a_cancelled_attempt_cancels_what_the_loop_runs_for_its_thread(ends: str) -> None:
    graph = Graph("threads")
    outcomes: list[Any] = []
    waits = anyio.Event()

    async def wait() -> None:
        waits.set()
        try:
            await anyio.sleep_forever()
        finally:
            outcomes.append("cleaned up")

    policy = Policy(timeout_seconds=0.05 if ends == "timeout" else None, on_error="continue")

    @graph.function(policy=policy)
    def asks() -> None:
        try:
            anyio.from_thread.run(wait)
        except BaseException as error:
            outcomes.append(error)
            raise

    if ends == "timeout":
        with pytest.raises(RunError, match="timeout"):
            await graph.run()
    else:
        async with anyio.create_task_group() as group:
            group.start_soon(graph.run)
            await waits.wait()
            group.cancel_scope.cancel()
    assert outcomes[0] == "cleaned up"
    assert isinstance(outcomes[1], CANCELLATIONS)


def test_what_the_loop_does_for_a_thread_takes_virtual_time(virtual: Any) -> None:
    graph = Graph("threads")

    def naps(hours: int) -> int:
        anyio.from_thread.run(anyio.sleep, 3600 * hours)
        return hours

    graph.merge("all", [graph.function(naps, id=f"nap{n}", hours=n) for n in range(4)])
    result = virtual(graph.run)
    assert result.output == [0, 1, 2, 3]
    assert result.duration_seconds == 3 * 3600


def test_a_call_that_is_cancelled_takes_no_virtual_time(virtual: Any) -> None:
    graph = Graph("threads")
    policy = Policy(timeout_seconds=60, fallback="late")
    graph.function(lambda: anyio.from_thread.run(anyio.sleep_forever), id="nap", policy=policy)
    result = virtual(graph.run)
    assert result.output == "late"
    assert result.duration_seconds == 60
