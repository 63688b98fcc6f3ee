"""Sync functions in daemon threads: parallel, in the caller's context, abandoned if they hang."""

from __future__ import annotations

import contextvars
import functools
import os
import subprocess
import sys
import threading
import time
import warnings
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from dagorch import Context, Event, EventType, Graph, Policy, Retry, RunError
from dagorch.errors import DagorchWarning
from dagorch.testing import ScriptedProvider, assert_ends
from dagorch.worker_threads import threads_of_loop


async def test_sync_functions_run_in_parallel_and_not_on_the_loop() -> None:
    graph = Graph("threads")
    together = threading.Barrier(4, timeout=20)

    def meet() -> str:
        together.wait()  # raises unless all four arrive at the same time
        return threading.current_thread().name

    names = [graph.function(meet, id=f"n{number}") for number in range(4)]
    result = await graph.run()
    assert all(result[name] == "dagorch-worker" for name in names)


async def test_max_parallel_bounds_threads_too() -> None:
    graph = Graph("threads")
    lock = threading.Lock()
    at_once = peak = 0

    def work() -> None:
        nonlocal at_once, peak
        with lock:
            at_once += 1
            peak = max(peak, at_once)
        time.sleep(0.01)
        with lock:
            at_once -= 1

    for number in range(8):
        graph.function(work, id=f"n{number}")
    await graph.run(max_parallel=2)
    assert peak == 2


async def test_context_variables_reach_the_thread_and_do_not_leak_back() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    graph = Graph("threads")

    @graph.function
    def read() -> str:
        seen = variable.get()
        variable.set("changed in the thread")
        return seen

    variable.set("set by the caller")
    result = await graph.run()
    assert result.output == "set by the caller"
    assert variable.get() == "set by the caller"


async def test_an_exception_in_a_thread_is_the_nodes_error_with_its_traceback() -> None:
    graph = Graph("threads")

    @graph.function
    def broken() -> None:
        raise KeyError("lost")

    with pytest.raises(RunError) as caught:
        await graph.run()
    cause = caught.value.__cause__
    assert isinstance(cause, KeyError)
    lines = []
    trace = cause.__traceback__
    while trace is not None:
        lines.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert lines[-1] == "broken"


async def test_a_lambda_around_a_coroutine_function_is_awaited_on_the_loop() -> None:
    async def work(number: int) -> int:
        await anyio.lowlevel.checkpoint()
        return number + 1

    graph = Graph("threads")
    graph.function(lambda number: work(number), id="call", number=1)
    assert (await graph.run()).output == 2


def test_time_does_not_jump_while_a_thread_works(virtual: Any) -> None:
    graph = Graph("threads")
    go_on = threading.Event()

    @graph.function(policy=Policy(attempt_timeout_seconds=3600))
    def work() -> str:
        go_on.wait(20)
        return "worked"

    @graph.function
    async def opens() -> None:
        await anyio.sleep(0.5)
        go_on.set()

    result = virtual(graph.run, stall_seconds=0.05)
    assert result["work"] == "worked"
    assert result.duration_seconds == 0.5


def test_virtual_time_jumps_again_when_the_threads_are_done(virtual: Any) -> None:
    graph = Graph("threads")

    @graph.function
    def quick() -> None:
        return None

    @graph.function
    async def long(quick: None) -> None:
        await anyio.sleep(86_400)

    result = virtual(graph.run)
    assert result.duration_seconds == 86_400


def test_threads_end_in_the_same_order_every_time(virtual: Any) -> None:
    graph = Graph("threads")
    ended: list[int] = []

    def work(number: int) -> int:
        time.sleep(0.002 * (5 - number % 5))  # on a real clock the later ones would overtake
        ended.append(number)
        return number

    works = [graph.function(work, id=f"work{n}", number=n) for n in range(10)]
    graph.merge("all", works)
    result = virtual(graph.run)
    assert ended == result.output == list(range(10))
    assert result.duration_seconds == 0


def test_calls_of_threads_overlap_and_take_their_latency_exactly(virtual: Any) -> None:
    provider = ScriptedProvider(["reply"] * 8, latency_seconds=3.0)
    graph = Graph("threads")

    def ask(context: Context) -> str:
        for _ in range(2):
            reply = context.complete([{"role": "user", "content": "hello"}]).content
        return reply

    graph.merge("all", [graph.function(ask, id=f"ask{n}") for n in range(4)])
    result = virtual(functools.partial(graph.run, provider=provider))
    assert result.output == ["reply"] * 4
    assert result.duration_seconds == 6.0


async def test_a_thread_that_is_cancelled_is_abandoned_with_a_warning() -> None:
    graph = Graph("threads")
    go_on, done = threading.Event(), threading.Event()

    @graph.function(policy=Policy(attempt_timeout_seconds=0.05, fallback="gave up"))
    def hangs() -> str:
        go_on.wait(20)
        done.set()
        return "too late"

    with pytest.warns(DagorchWarning, match="node 'hangs' was cancelled, but a thread cannot be"):
        result = await graph.run()
    assert result["hangs"] == "gave up"
    assert not done.is_set()
    assert threads_of_loop().at_work == 0
    go_on.set()
    assert await anyio.to_thread.run_sync(done.wait, 20)


async def test_cancellation_works_even_if_warnings_are_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    graph = Graph("threads")
    go_on = threading.Event()

    @graph.function
    def hangs() -> None:
        go_on.wait(20)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with anyio.move_on_after(0.05) as scope:
            await graph.run()
    go_on.set()
    assert scope.cancelled_caught
    assert "a thread cannot be killed" in capsys.readouterr().err


async def test_threads_that_timed_out_count_towards_max_parallel() -> None:
    graph = Graph("slots")
    go_on, lock = threading.Event(), threading.Lock()
    at_once: list[int] = []
    active = 0

    def work() -> None:
        nonlocal active
        with lock:
            active += 1
            at_once.append(active)
        go_on.wait(20)
        with lock:
            active -= 1

    policy = Policy(timeout_seconds=0.01, on_error="continue")
    for name in ("a", "b"):
        graph.function(work, id=name, policy=policy)
    for name in ("c", "d"):
        graph.function(work, id=name, policy=Policy(priority=-1))
    failed: list[str] = []

    async def listen(event: Event) -> None:
        if event.type is EventType.NODE_FAILED:
            failed.append(event.path)
        if len(failed) == 2 and not go_on.is_set():
            for _turn in range(100):  # time enough for another node to start
                await anyio.lowlevel.checkpoint()
            go_on.set()

    with pytest.warns(DagorchWarning, match="keeps its slot until it ends"):
        result = await graph.run(max_parallel=2, on_event=listen)
    assert_ends(result, {"a": "failed", "b": "failed", "c": "completed", "d": "completed"})
    assert len(at_once) == 4
    assert max(at_once) == 2


async def test_no_retry_starts_while_the_old_thread_runs() -> None:
    graph = Graph("threads")
    go_on = threading.Event()
    at_once: list[int] = []
    running = 0

    @graph.function(
        policy=Policy(attempt_timeout_seconds=0.5, retry=Retry(attempts=2, base_delay_seconds=0))
    )
    def work() -> str:
        nonlocal running
        running += 1
        at_once.append(running)
        if len(at_once) == 1:
            go_on.wait(20)
        running -= 1
        return "done"

    @graph.function
    async def opens() -> None:
        while threads_of_loop().at_work:  # noqa: ASYNC110  there is no event to wait for
            await anyio.sleep(0.005)
        await anyio.sleep(0.02)
        assert at_once == [1]
        go_on.set()

    with pytest.warns(DagorchWarning):
        result = await graph.run()
    assert result["work"] == "done"
    assert at_once == [1, 1]
    assert result.get("work").attempts == 2


async def test_a_failed_run_does_not_wait_for_a_thread() -> None:
    graph = Graph("threads")
    go_on, begun, ended = threading.Event(), threading.Event(), threading.Event()

    @graph.function
    def hangs() -> None:
        begun.set()
        go_on.wait(20)
        ended.set()

    @graph.function
    async def broken() -> None:
        await anyio.to_thread.run_sync(begun.wait, 20)
        raise ValueError("boom")

    with pytest.warns(DagorchWarning), pytest.raises(RunError, match="boom") as caught:
        await graph.run()
    assert not ended.is_set()
    go_on.set()
    assert_ends(caught.value.partial_results, {"hangs": "cancelled", "broken": "failed"})


HANGING = """
import threading
from dagorch import Graph, Policy

graph = Graph("hangs")
graph.function(threading.Event().wait, id="forever",
               policy=Policy(attempt_timeout_seconds=0.1, fallback=True))
print(graph.run_sync().output)
"""


def test_a_thread_that_hangs_does_not_keep_the_process_alive() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HANGING],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "True\n"


FORKED = """
import os
from dagorch import Graph

graph = Graph("forked")
graph.function(os.getpid, id="pid")
assert graph.run_sync().output == os.getpid()
child = os.fork()
assert graph.run_sync().output == os.getpid()
if child:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_process_forked_after_a_sync_node_has_threads_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "0\n"


async def test_a_sync_node_may_run_a_graph_of_its_own() -> None:
    inner, outer = Graph("inner"), Graph("outer")
    inner.function(lambda: 1, id="one")
    outer.function(lambda: inner.run_sync().output + 1, id="node")
    assert (await outer.run()).output == 2
