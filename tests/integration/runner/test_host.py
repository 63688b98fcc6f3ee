"""Runs of a service: started by one task, watched and answered by others, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from dagorch import Event, EventType, Graph, RunError, RunHost
from dagorch.errors import DefinitionError
from dagorch.exporters import to_sse
from dagorch.runner.event_delivery import QUEUE_LENGTH
from tests.integration.runner.naps import Watched, boom


def _asking() -> Graph:
    graph = Graph("asking")
    graph.ask("sure", "Really?", output=bool)

    @graph.function
    async def done(sure: bool) -> str:
        return "done" if sure else "left"

    return graph


async def _in_thread(function: Callable[[], Any]) -> Any:
    return await anyio.to_thread.run_sync(function)


async def test_a_run_is_started_watched_and_answered_by_different_tasks(
    anyio_backend: str,
) -> None:
    started, answered = anyio.Event(), anyio.Event()
    run_ids: list[str] = []
    seen: list[Event] = []

    async def start(host: RunHost) -> None:
        run_ids.append(host.add(_asking().start()).run_id)
        started.set()

    async def watch(host: RunHost) -> None:
        await started.wait()
        async for event in host[run_ids[0]].events():
            seen.append(event)

    async def answer(host: RunHost) -> None:
        await started.wait()
        run = host[run_ids[0]]
        async for event in run.events():
            if event.type is EventType.NODE_PARKED:
                break
        (question,) = run.questions
        assert (question.text, question.answer_type) == ("Really?", bool)
        run.answer(question, True)
        answered.set()

    async with RunHost() as host, anyio.create_task_group() as group:
        for task in (watch, answer, start):
            group.start_soon(task, host)
        await answered.wait()
        result = await host[run_ids[0]].result()
    assert result["done"] == "done"
    assert [event.number for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].type is EventType.RUN_COMPLETED
    assert host[run_ids[0]].ended


async def test_every_method_works_from_any_thread(anyio_backend: str) -> None:
    async with RunHost() as host:
        run = await _in_thread(lambda: host.add(_asking().start()))
        other = await _in_thread(lambda: host.add(_asking().start()))
        async for event in run.events():
            if event.type is EventType.NODE_PARKED:
                break
        (question,) = await _in_thread(lambda: run.questions)
        assert (await _in_thread(lambda: run.status))["sure"] == "parked"
        with pytest.raises(DefinitionError, match="wants bool, not str"):
            await _in_thread(lambda: run.answer(question, "yes"))
        await _in_thread(lambda: run.answer(question, False))
        await _in_thread(lambda: other.cancel("from a thread"))
        assert (await run.result())["done"] == "left"
        with pytest.raises(RunError, match="from a thread"):
            await other.result()
    with pytest.raises(DefinitionError, match="is waiting"):
        run.answer(question, True)


async def test_a_thread_that_comes_after_the_loop_is_told_so() -> None:
    def main() -> Any:
        async def start() -> Any:
            async with RunHost() as host:
                return host.add(_done().start())

        return anyio.run(start)

    run = await _in_thread(main)
    with pytest.raises(DefinitionError, match="event loop"):
        run.cancel()


def _done() -> Graph:
    graph = Graph("done")

    @graph.function
    async def one() -> int:
        return 1

    return graph


async def test_a_reader_that_was_cut_off_goes_on_after_its_last_event(anyio_backend: str) -> None:
    graph = Graph("chain")

    async def step() -> None:
        await anyio.lowlevel.checkpoint()

    earlier: Any = ()
    for number in range(20):
        earlier = graph.function(step, id=f"n{number}", after=earlier)
    pages: list[str] = []
    async with RunHost() as host:
        run = host.add(graph.start())
        last = 0
        while not pages or "run_completed" not in pages[-1]:
            events = run.events(after=last)
            for _ in range(7):
                event = await anext(events, None)
                if event is None:
                    break
                pages.append(to_sse(event))
                last = int(pages[-1].partition("\n")[0].removeprefix("id: "))
            await events.aclose()
        assert [event async for event in run.events(after=last)] == []
    ids = [int(page.partition("\n")[0].removeprefix("id: ")) for page in pages]
    assert ids == list(range(1, last + 1))


@pytest.mark.parametrize("end", [EventType.RUN_COMPLETED, EventType.RUN_CANCELLED])
async def test_a_reader_that_comes_back_while_the_run_ends_sees_the_end(
    anyio_backend: str, end: EventType
) -> None:
    graph = Graph("asking")
    graph.ask("sure", "Really?", output=bool)
    async with RunHost() as host:
        run = host.add(graph.start())
        async for event in run.events():
            if event.type is EventType.NODE_PARKED:
                break
        if end is EventType.RUN_COMPLETED:
            run.answer("sure", True)
        else:
            run.cancel()
        rest = [later async for later in run.events(after=event.number)]
    assert rest[0].number == event.number + 1
    assert rest[-1].type is end
    assert [later async for later in run.events(after=rest[-1].number)] == []


def test_only_the_last_events_are_kept_and_the_gap_shows(virtual: Any) -> None:
    graph = Graph("wide")

    async def nothing() -> None:
        return None

    for number in range(QUEUE_LENGTH // 2):
        graph.function(nothing, id=f"n{number}")

    async def main() -> list[int]:
        async with graph.start() as run:
            await run.result()
            return [event.number async for event in run.events()]

    numbers = virtual(main)
    assert len(numbers) == QUEUE_LENGTH
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[0] > 1


def test_a_run_that_fails_disturbs_no_other(virtual: Any, caplog: Any) -> None:
    bad = Graph("bad")
    bad.function(boom)
    watched = Watched()

    async def main() -> None:
        async with RunHost() as host:
            asked, unasked = host.add(bad.start()), host.add(bad.start())
            host.add(watched.graph.start())
            with pytest.raises(RunError, match="boom"):
                await asked.result()
            assert not unasked.ended or unasked.unread_error is not None

    virtual(main)
    assert watched.done == 3
    assert caplog.text.count("run failed") == 1


def test_leaving_waits_and_cancel_stops(virtual: Any) -> None:
    watched = Watched()

    async def leave() -> None:
        async with RunHost() as host:
            host.add(watched.graph.start())

    async def stop() -> None:
        async with RunHost() as host:
            host.add(watched.graph.start())
            await anyio.sleep(1.5)
            host.cancel()

    async def stop_at_once() -> Any:
        async with RunHost() as host:
            run = host.add(watched.graph.start())
            run.cancel("changed my mind")
            with pytest.raises(RunError, match="changed my mind"):
                await run.result()

    async def fail() -> None:
        async with RunHost() as host:
            host.add(watched.graph.start())
            await anyio.sleep(1.5)
            raise LookupError("mine")

    virtual(leave)
    assert (watched.done, watched.active) == (3, 0)
    virtual(stop)
    assert (watched.done, watched.cancelled, watched.active) == (4, 1, 0)
    virtual(stop_at_once)
    assert watched.done == 4
    with pytest.raises(LookupError, match="mine"):
        virtual(fail)
    assert (watched.done, watched.active) == (5, 0)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_of_user_code_leaves_the_host(
    virtual: Any, interrupt: type[BaseException]
) -> None:
    watched, bad = Watched(), Graph("bad")

    async def stop() -> None:
        await anyio.sleep(1.5)
        raise interrupt("mine")

    bad.function(stop)

    async def main() -> None:
        async with RunHost() as host:
            host.add(watched.graph.start())
            host.add(bad.start())
            await anyio.sleep_forever()

    with pytest.raises(interrupt, match="mine"):
        virtual(main)
    assert (watched.done, watched.cancelled, watched.active) == (1, 1, 0)


def test_the_oldest_ended_runs_are_forgotten(virtual: Any) -> None:
    async def main() -> None:
        async with RunHost(keep=2) as host:
            waiting = host.add(_asking().start())
            ended = []
            for _ in range(4):
                run = host.add(_done().start())
                await run.result()
                ended.append(run.run_id)
            assert list(host) == [waiting.run_id, *ended[1:]]
            assert ended[0] not in host
            host.cancel()

    virtual(main)


async def test_misuse_is_refused(anyio_backend: str) -> None:
    with pytest.raises(DefinitionError, match="keep=-1"):
        RunHost(keep=-1)
    host = RunHost()
    with pytest.raises(DefinitionError, match="async with RunHost"):
        host.add(_done().start())
    async with host:
        run = host.add(_done().start())
        with pytest.raises(DefinitionError, match="runs once"):
            host.add(run)
        with pytest.raises(DefinitionError, match="runs once"):
            async with run:
                pass
    with pytest.raises(DefinitionError, match="takes no more runs"):
        host.add(_done().start())
    with pytest.raises(DefinitionError, match="entered once"):
        await host.__aenter__()


def test_the_sync_node_of_a_run_may_answer_its_question(virtual: Any) -> None:
    graph = _asking()
    handles: list[Any] = []

    def answer() -> str:
        (run,) = handles
        while not run.questions:
            threading.Event().wait(0.001)
        run.answer(run.questions[0], True)
        return "answered"

    graph.function(answer)

    async def main() -> Any:
        handles.append(graph.start())
        async with handles[0] as run:
            return await run.result()

    assert virtual(main)["answer"] == "answered"


def test_what_is_not_a_run_is_refused(virtual: Any) -> None:
    async def main() -> None:
        async with RunHost() as host:
            with pytest.raises(DefinitionError, match=r"3 is not a run; pass what graph.start"):
                host.add(3)  # type: ignore[arg-type]  # that is the mistake

    virtual(main)
