"""Runs of random graphs cancelled at random points, from inside and outside; nothing is left."""

from __future__ import annotations

import asyncio
import random
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import anyio
import anyio.lowlevel
import pytest

from dagorch import LLM, Context, Event, Graph, Policy, Retry, RunError
from dagorch.models.events import RUN_ENDS
from dagorch.runner.loop_state import shared
from dagorch.testing import ScriptedProvider, run_virtual
from dagorch.worker_threads import threads_of_loop
from tests.integration.random_worlds import Boom, World

QUICK: Final = 100
FULL: Final = 1_000
WAYS: Final = ("scope", "timeout", "handle", "inside", "stream", "deadline", "failure")


# -- leaks ------------------------------------------------------------------------------------


def tasks() -> set[Any]:
    """Every task of the event loop."""
    try:
        return set(asyncio.all_tasks())
    except RuntimeError:
        return set(_trio_tasks())


def _trio_tasks() -> Iterator[Any]:
    import trio

    root = trio.lowlevel.current_root_task()
    stack = [root] if root is not None else []
    while stack:
        task = stack.pop()
        yield task
        for nursery in task.child_nurseries:
            stack.extend(nursery.child_tasks)


async def settle(world: World, before: set[Any], patience: float = 0) -> None:
    """Check that nothing is left; a stream that was not closed ends by itself."""
    for _turn in range(100):
        if tasks() <= before:
            break
        await anyio.sleep(patience)
    assert not tasks() - before, f"tasks left: {tasks() - before}"
    assert world.active == 0, "a node's own clean-up has not run"
    assert world.provider.active == 0, "an exchange goes on"
    common = shared()
    assert common.admission.at_rest, f"resources held: {common.admission._queues}"
    assert common.count == 0, "a run is still known"
    assert threads_of_loop().at_work == 0


def check_core(world: World, core: Any) -> None:
    """Check that the core holds nothing either."""
    assert core.finished
    assert core.dispatcher.slots_used == core.dispatcher.slots_lost  # threads that go on
    assert not core.dispatcher.budget.reserved
    assert not core.frames
    assert not core.outbox
    assert not core.dispatcher.waiting_calls


# -- the trials -------------------------------------------------------------------------------

OPTIONS: Final = {"limits": {"gpu": 1}, "max_parallel": 4, "max_cost": 100}


async def trial(seed: int) -> None:  # noqa: C901  one branch for each way to cancel
    chance = random.Random(seed)
    world = World(random.Random(seed))
    how = WAYS[seed % len(WAYS)]
    when = 4 * chance.random() ** 2
    events = chance.randrange(1, 40)
    heard: list[Event] = []
    before = tasks()
    options = {**OPTIONS, "provider": world.provider, "seed": seed}
    if chance.random() < 0.5:
        options["on_event"] = heard.append
    handle = world.handle = world.graph.start(**options)
    try:
        if how == "scope":  # from outside, after so many events
            with anyio.CancelScope() as scope:
                async with world.graph.stream(**options) as stream:
                    async for event in stream:
                        if event.number >= events:
                            scope.cancel()
        elif how == "timeout":  # from outside, at a time, natively on asyncio
            with anyio.move_on_after(when):
                await world.graph.run(**options)
        elif how == "deadline":  # the run's own
            await world.graph.run(timeout_seconds=max(when, 0.01), **options)
        elif how == "stream":  # left early
            async for event in world.graph.stream(**options):
                if event.number >= events:
                    break
        else:
            world.stop_at = chance.randrange(1, 12) if how != "handle" else -1
            world.stop_how = how
            async with handle:
                if how == "handle":
                    await anyio.sleep(when)
                    handle.cancel("by its handle")
                await handle.result()
    except RunError as error:
        check_error(world, how, error)
    core = handle._session.core
    if core is not None:
        check_core(world, core)
    await settle(world, before, patience=0.05 if how == "stream" else 0)
    if heard:
        assert heard[-1].type in RUN_ENDS


def check_error(world: World, how: str, error: RunError) -> None:
    """Check that the error is the original one, with every finished value."""
    result = error.partial_results
    assert result is not None
    ends = {run.end for run in result.node_runs.values()}
    assert ends <= {"completed", "failed", "skipped", "blocked", "cancelled"}
    assert not isinstance(error, BaseExceptionGroup)
    if result.status == "cancelled":
        assert how in ("handle", "inside")
        assert ("by its handle" if how == "handle" else "from inside") in str(error)
    else:
        assert result.status == "failed"
        assert error.__cause__ is not None or how == "deadline"
        if world.plain:
            assert how in ("failure", "deadline")
            assert how == "deadline" or isinstance(error.__cause__, Boom)


def trials(backend: Any, seeds: range) -> None:
    async def all_of_them() -> None:
        for seed in seeds:
            try:
                await trial(seed)
            except BaseException as error:
                error.add_note(f"seed {seed}, {WAYS[seed % len(WAYS)]}")
                raise

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Only a thread may be left, since it cannot be killed.
        warnings.filterwarnings("ignore", message=".*a thread cannot be killed")
        run_virtual(all_of_them, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_run_leaves_nothing_behind(backend: str) -> None:
    trials(backend, range(QUICK))


@pytest.mark.full
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_thousand_cancelled_runs_leave_nothing_behind(backend: str) -> None:
    trials(backend, range(QUICK, QUICK + FULL))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_other_runs_continue_when_one_is_cancelled(backend: Any) -> None:
    """Runs share a provider with one slot; when one is cancelled, the others still get it."""

    async def one(
        graph: Graph, provider: ScriptedProvider, seconds: float, done: list[str]
    ) -> None:
        with anyio.move_on_after(seconds):
            done.append((await graph.run(provider=provider)).status)

    async def main(seed: int) -> None:
        chance = random.Random(seed)
        provider = ScriptedProvider("ok", latency_seconds=0.1, max_concurrency=1)
        graph = Graph("talk")

        async def ask(context: Context[Any]) -> str:
            return (await context.acomplete([{"role": "user", "content": "x"}])).content

        def ask_sync(context: Context[Any]) -> str:
            return context.complete([{"role": "user", "content": "x"}]).content

        graph.add(LLM("node", prompt="x"))
        graph.function(ask)
        graph.function(ask_sync)
        done: list[str] = []
        before = tasks()
        async with anyio.create_task_group() as group:
            for _run in range(4):
                group.start_soon(one, graph, provider, chance.random(), done)
            group.start_soon(one, graph, provider, 1000.0, done)
        assert "completed" in done
        assert provider.peak == 1
        assert provider.active == 0
        assert not shared().admission._queues
        assert not tasks() - before

    for seed in range(10):
        run_virtual(main, seed, backend=backend)


async def _waits_for_a_cancelled_task() -> str:
    task = asyncio.ensure_future(asyncio.sleep(1))
    task.cancel()
    await task
    return "never"


def _with_stray(stray: Callable[[], Awaitable[str]], **policy: Any) -> Graph:
    async def other() -> int:
        await anyio.lowlevel.checkpoint()
        return 1

    graph = Graph("stray")
    graph.function(other, id="other")
    graph.function(stray, id="stray", policy=Policy(**policy))
    return graph


def test_a_cancelled_task_that_a_node_waits_for_fails_that_node_alone() -> None:
    graph = _with_stray(_waits_for_a_cancelled_task, on_error="continue")
    result = asyncio.run(graph.run())
    assert (result.status, result["other"]) == ("partial", 1)
    error = result.node_runs["stray"].error
    assert "'stray' waited for something that was cancelled" in str(error)
    assert isinstance(error.__cause__, asyncio.CancelledError)


def test_a_cancelled_task_that_a_listener_waits_for_does_not_disturb_the_run() -> None:
    heard: list[Event] = []

    async def listen(event: Event) -> None:
        heard.append(event)
        await _waits_for_a_cancelled_task()

    graph = Graph("heard")
    graph.function(anyio.lowlevel.checkpoint, id="node")
    result = asyncio.run(graph.run(on_event=listen))
    assert result.status == "completed"
    assert heard[-1].type in RUN_ENDS


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_provider_that_cannot_say_what_a_cancelled_call_costs(backend: Any) -> None:
    class Forgetful(ScriptedProvider):
        def worst_case_usd(self, request: Any) -> Any:
            raise KeyError("price")

    graph = Graph("cancelled")
    graph.add(LLM("slow", prompt="x"))

    async def main() -> None:
        provider = Forgetful("ok", latency_seconds=60)
        async with graph.start(provider=provider) as run:
            await anyio.sleep(1)
            run.cancel("enough")
            with pytest.raises(RunError, match="enough") as caught:
                await run.result()
        assert caught.value.partial_results.get("slow").usage.estimated

    run_virtual(main, backend=backend)


def test_a_stray_cancellation_is_retried() -> None:
    tries: list[int] = []

    async def second_time_lucky() -> str:
        tries.append(1)
        return "done" if len(tries) == 2 else await _waits_for_a_cancelled_task()

    retry = Retry(attempts=2, base_delay_seconds=0)
    result = asyncio.run(_with_stray(second_time_lucky, retry=retry).run())
    assert (result["stray"], len(tries)) == ("done", 2)


def test_a_stray_cancellation_while_the_run_is_cancelled_is_part_of_it() -> None:
    ended: list[str] = []

    async def stray() -> str:
        try:
            await anyio.sleep(10)
        finally:
            ended.append("stray")
        return "never"

    async def main() -> bool:
        with anyio.move_on_after(0.01) as scope:
            await _with_stray(stray).run()
        return scope.cancelled_caught

    assert asyncio.run(main())
    assert ended == ["stray"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_error_during_the_cancellation_of_a_nodes_tasks_does_not_escape(
    backend: Any,
) -> None:
    async def clumsy() -> None:
        try:
            await anyio.sleep(10)
        finally:
            raise OSError("while cleaning up")

    async def two_at_once() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(clumsy)
            await anyio.sleep(10)

    async def main() -> None:
        graph = Graph("clumsy")
        graph.function(two_at_once, id="clumsy")
        async with graph.start() as run:
            await anyio.sleep(1)
            run.cancel("enough")
            with pytest.raises(RunError, match="enough") as caught:
                await run.result()
        result = caught.value.partial_results
        assert result.get("clumsy").end == "cancelled"

    run_virtual(main, backend=backend)


def test_a_native_asyncio_cancellation_is_passed_on() -> None:
    world = World(random.Random(7))

    async def main() -> None:
        before = tasks()
        task = asyncio.create_task(world.graph.run(provider=world.provider, **OPTIONS))
        await asyncio.sleep(0.6)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settle(world, before)

    run_virtual(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_error_of_the_caller_beside_the_run_is_not_hidden(backend: Any) -> None:
    world = World(random.Random(3))

    async def main() -> None:
        before = tasks()

        async def fails() -> None:
            await anyio.sleep(0.5)
            raise Boom

        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012  the group raises on leaving
            async with anyio.create_task_group() as group:
                group.start_soon(fails)
                await world.graph.run(provider=world.provider, **OPTIONS)
        assert [type(error) for error in caught.value.exceptions] == [Boom]
        await settle(world, before)

    run_virtual(main, backend=backend)


def test_only_a_thread_may_outlive_a_cancelled_run() -> None:
    go_on = threading.Event()
    graph = Graph("hangs")
    graph.function(go_on.wait, id="hangs", timeout=20)

    async def main() -> None:
        before = tasks()
        with anyio.move_on_after(0.05):
            await graph.run()
        assert not tasks() - before
        assert threads_of_loop().at_work == 0

    with pytest.warns(UserWarning, match="a thread cannot be killed"):
        run_virtual(main, stall_seconds=0.05)
    go_on.set()
