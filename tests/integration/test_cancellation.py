"""Runs of random graphs cancelled at random points, from inside and outside: nothing is left of them."""

from __future__ import annotations

import asyncio
import random
import threading
import warnings
from collections.abc import Iterator
from typing import Any, Final

import anyio
import pytest

from dagorch import LLM, Context, Event, Graph, Policy, Retry, RunError
from dagorch.errors import DagorchError, OverloadedError
from dagorch.models.events import END_EVENTS
from dagorch.runner.limits import shared
from dagorch.testing import ScriptedProvider, run_virtual

QUICK: Final = 100
FULL: Final = 1_000
WAYS: Final = ("scope", "timeout", "handle", "inside", "stream", "deadline", "failure")


class Boom(Exception):  # noqa: N818  a name that says nothing of ours
    """What a node raises of its own accord."""


class World:
    """A random graph and everything that its nodes hold on to, so that what is left over shows."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.active = 0
        self.handle: Any = None
        self.stop_at = -1
        """The number of the node's step at which the run is cancelled from inside, or fails."""
        self.stop_how = ""
        self.steps = 0
        self.provider = ScriptedProvider(
            self._reply,
            latency_seconds=lambda request: self.chance.random(),
            max_concurrency=2,
            price_per_token=0.001,
            output_limit=20,
        )
        self.graph = self._graph(depth=2)

    def _reply(self, request: Any) -> str | Exception:
        return OverloadedError("503", status=503) if self.chance.random() < 0.2 else "a few words"

    # -- what nodes do ------------------------------------------------------------------------

    async def nap(self) -> int:
        self.active += 1
        try:
            for _step in range(self.chance.randrange(1, 4)):
                await anyio.sleep(self.chance.random())
                self._step()
            if self.chance.random() < 0.1:
                raise OSError("flaky")
            return self.chance.randrange(5)
        finally:
            self.active -= 1

    async def cleans_up(self) -> int:
        self.active += 1
        try:
            await anyio.sleep(self.chance.random())
            self._step()
            return 1
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.2)
            self.active -= 1

    async def asks(self, context: Context[Any]) -> str:
        self._step()
        said = await context.acomplete([{"role": "user", "content": "x"}], max_tokens=3)
        return said.content

    def asks_in_a_thread(self, context: Context[Any]) -> str:
        return context.complete([{"role": "user", "content": "x"}], max_tokens=3).content

    def works_in_a_thread(self) -> int:
        return sum(range(100))

    async def expands(self) -> Graph:
        self._step()
        return self._graph(depth=0)

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.stop_at:
            if self.stop_how == "failure":
                raise Boom(f"at step {self.steps}")
            self.handle.cancel("from inside")

    # -- graphs -------------------------------------------------------------------------------

    def _policy(self) -> Policy:
        chance = self.chance
        kind = chance.randrange(6)
        if kind == 0:
            return Policy(retry=Retry(attempts=2, base_delay_seconds=1, on=(OSError, DagorchError)))
        if kind == 1:
            return Policy(attempt_timeout_seconds=0.1 + chance.random(), fallback=0)
        if kind == 2:
            return Policy(timeout_seconds=0.5 + chance.random(), on_error="continue")
        if kind == 3:
            return Policy(resources=("gpu",), fallback=0)
        if kind == 4:
            return Policy(on_error="continue", keep=True)
        return Policy(fallback=0)

    def _graph(self, depth: int) -> Graph:
        chance = self.chance
        graph = Graph(f"g{depth}")
        refs: list[Any] = []
        for number in range(chance.randrange(2, 7)):
            after = chance.sample(refs, k=min(len(refs), chance.randrange(3)))
            refs.append(self._node(graph, f"n{number}", after, depth))
        if len(refs) > 2:
            wait: Any = chance.choice(["all", "any", 2])
            policy = Policy(fallback=0)
            sources = chance.sample(refs, k=2)
            tolerate = wait == "all"
            graph.merge("join", sources, wait=wait, tolerate_failures=tolerate, policy=policy)
        return graph

    def _node(self, graph: Graph, id: str, after: list[Any], depth: int) -> Any:
        chance = self.chance
        options: dict[str, Any] = {"id": id, "after": after, "policy": self._policy()}
        plain = chance.choice([self.nap, self.nap, self.cleans_up, self.asks])
        threaded = chance.choice([self.works_in_a_thread, self.asks_in_a_thread])
        kind = chance.randrange(9 if depth else 4)
        if kind == 2:
            return graph.add(LLM(id, prompt="Hi", policy=options["policy"], max_tokens=9), after=after)
        if kind == 3:
            return graph.function(threaded, **options)
        if kind < 4:
            return graph.function(plain, **options)
        if kind == 4:
            return graph.function(self.expands, expand=True, **options)
        options["policy"] = chance.choice(
            [Policy(fallback=0), Policy(timeout_seconds=1 + chance.random(), fallback=0), Policy()]
        )
        body = self._graph(depth - 1)
        if kind == 5:
            return graph.subgraph(body, **options)
        if kind == 6:
            wrapper = Graph("item")
            wrapper.input("item")
            wrapper.subgraph(body, id="body")
            return graph.map(wrapper, over=range(3), on_item_error="collect", **options)
        if kind == 7:
            wrapper = Graph("state")
            wrapper.input("state")
            wrapper.subgraph(body, id="body")
            return graph.loop(id, wrapper, max_iterations=2, state=0, **_without_id(options))
        pick = graph.branch(f"{id}pick", lambda: chance.random() < 0.5, after=after)
        options["after"] = [*after, pick["true"]]
        return graph.function(plain, **options)


def _without_id(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "id"}


# -- what must not be left --------------------------------------------------------------------


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
    """See that nothing is left; what a reader merely forgot ends by itself, if nodes clean up."""
    for _turn in range(100):
        if tasks() <= before:
            break
        await anyio.sleep(patience)
    assert not tasks() - before, f"tasks left: {tasks() - before}"
    assert world.active == 0, "a node's own clean-up has not run"
    assert world.provider.active == 0, "an exchange goes on"
    common = shared()
    assert not common.admission._lanes, f"resources held: {common.admission._lanes}"
    assert common.count == 0, "a run is still known"
    assert common.threads_at_work == 0


def check_core(world: World, core: Any) -> None:
    """The core's own books are closed too."""
    assert core.finished
    assert core.slots_used == 0
    assert core.budget.reserved == 0
    assert not core.frames
    assert not core.outbox
    assert not core.calls.waiting


# -- the trials -------------------------------------------------------------------------------

OPTIONS: Final = {"limits": {"gpu": 1}, "max_parallel": 4, "max_cost": 100}


async def trial(seed: int) -> None:
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
            left = 0
            async for event in world.graph.stream(**options):
                left += 1
                if left == events:
                    break
        else:
            world.stop_at = chance.randrange(1, 12)
            world.stop_how = how
            async with handle:
                if how == "handle":
                    world.stop_at = -1
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
        assert heard[-1].type in END_EVENTS


def check_error(world: World, how: str, error: RunError) -> None:
    """The error is the original one, with all that had finished."""
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
        # The one thing that may be left: a thread, which cannot be killed.
        warnings.filterwarnings("ignore", message=".*a thread cannot be killed")
        run_virtual(all_of_them, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_nothing_is_left_of_a_cancelled_run(backend: str) -> None:
    trials(backend, range(QUICK))


@pytest.mark.full
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_nothing_is_left_of_a_thousand_cancelled_runs(backend: str) -> None:
    trials(backend, range(QUICK, QUICK + FULL))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_runs_beside_a_cancelled_one_go_on(backend: Any) -> None:
    """Runs share a provider of one place; whichever is cancelled, the others get their turn."""

    async def one(graph: Graph, provider: ScriptedProvider, seconds: float, done: list[str]) -> None:
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
        assert not shared().admission._lanes
        assert not tasks() - before

    for seed in range(10):
        run_virtual(main, seed, backend=backend)


def test_a_native_cancellation_of_asyncio_goes_through() -> None:
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

        with pytest.raises(ExceptionGroup) as caught:
            async with anyio.create_task_group() as group:
                group.start_soon(fails)
                await world.graph.run(provider=world.provider, **OPTIONS)
        assert [type(error) for error in caught.value.exceptions] == [Boom]
        await settle(world, before)

    run_virtual(main, backend=backend)


def test_a_thread_of_a_cancelled_run_is_the_only_thing_that_may_stay() -> None:
    go_on = threading.Event()
    graph = Graph("hangs")
    graph.function(go_on.wait, id="hangs", timeout=20)

    async def main() -> None:
        before = tasks()
        with anyio.move_on_after(0.05):
            await graph.run()
        assert not tasks() - before
        assert shared().threads_at_work == 0

    with pytest.warns(UserWarning, match="a thread cannot be killed"):
        run_virtual(main)
    go_on.set()
