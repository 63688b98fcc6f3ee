"""The contract of the event stream: order, numbers, progress; listeners that are slow or fail."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from dagorch import LLM, Context, Event, EventType, Graph, Policy, Retry, RunError
from dagorch.errors import OverloadedError
from dagorch.models.events import RUN_ENDS
from dagorch.models.llm import LLMResponse
from dagorch.models.result import Result
from dagorch.models.usage import Usage
from dagorch.nodes.function import Function
from dagorch.runner.event_delivery import QUEUE_LENGTH
from dagorch.testing import ScriptedProvider

LETTERS = {
    EventType.NODE_READY: "r",
    EventType.NODE_STARTED: "s",
    EventType.NODE_TOKENS: "t",
    EventType.EXCHANGE_ENDED: "x",
    EventType.ATTEMPT_FAILED: "f",
    EventType.NODE_RETRYING: "y",
    EventType.NODE_PARKED: "p",
    EventType.MAP_OPENED: "i",
    EventType.NODE_COMPLETED: "C",
    EventType.NODE_FAILED: "F",
    EventType.NODE_SKIPPED: "S",
    EventType.NODE_BLOCKED: "B",
    EventType.NODE_CANCELLED: "X",
}
# Ready, started, tokens and exchanges, (failed, retrying, started)*, one end: what may follow
# each. A last failure also has an event before the end; a cancelled or timed-out node
# run may end in any state.
FOLLOW = {
    "": "rSBX",
    "r": "spCFX",
    "i": "CFX",
    "s": "itxfCFSX",
    "t": "txfCFX",
    "x": "txfCFX",
    "f": "yCFX",
    "y": "sFX",
    "p": "CFX",
}


def check(events: list[Event], paths: set[str]) -> None:
    """Check what holds for every run, however it ended."""
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert events[0].type is EventType.RUN_STARTED
    assert events[-1].type in RUN_ENDS
    assert sum(event.type in RUN_ENDS for event in events) == 1
    assert len({event.run_id for event in events}) == 1
    times = [event.seconds for event in events]
    assert times == sorted(times)
    progress = [event.progress for event in events]
    assert progress == sorted(progress)
    assert all(value < 100 for value in progress[:-1])
    assert (progress[-1] == 100) == (events[-1].type is EventType.RUN_COMPLETED)
    letters_of: dict[str, str] = defaultdict(str)
    place: dict[str, list[int]] = defaultdict(list)
    for event in events[1:-1]:
        letters_of[event.path] += LETTERS[event.type]
        place[event.path].append(event.number)
    assert set(letters_of) == paths
    for path, letters in letters_of.items():
        assert sum(letter in "CFSBX" for letter in letters) == 1, (path, letters)
        assert letters[-1] in "CFSBX", (path, letters)
        steps = zip(["", *letters], letters, strict=False)
        assert all(after in FOLLOW.get(before, "") for before, after in steps), (path, letters)
        container = re.sub(r"(\[\d+\])?/[^/]*$", "", path) if "/" in path else None
        if container is not None:
            started = letters_of[container].index("s")
            assert place[container][started] < place[path][0], path
            assert place[path][-1] < place[container][-1], path


async def test_progress_counts_the_items_that_have_not_started() -> None:
    graph = Graph("items")

    async def step(item: int) -> int:
        return item

    graph.map(Function("step", step), over=list(range(100)), id="each", max_parallel=2)
    events: list[Event] = []
    await graph.run(on_event=events.append)
    opened = [event for event in events if event.type is EventType.MAP_OPENED]
    assert [(event.path, dict(event.data)) for event in opened] == [("each", {"items": 100})]
    ended = [event for event in events if event.type is EventType.NODE_COMPLETED]
    assert [round(event.progress) for event in ended[::25]] == [1, 26, 50, 75, 99]


def everything() -> Graph:
    """Build a graph with every kind of node and of end."""
    body = Graph("body")
    body.input("item", int)

    @body.function(policy=Policy(retry=Retry(attempts=3)))
    async def sometimes(item: int) -> int:
        await anyio.sleep(item)
        if random.random() < 0.4:
            raise OSError("luck")
        return item

    body.add(LLM("say", prompt="{sometimes}"))
    turn = Graph("turn")
    turn.input("state", int)
    turn.function(plus_one, state=turn_ref(turn))

    graph = Graph("everything")
    graph.map(body, over=[1, 2, 3], id="items", max_parallel=2, on_item_error="skip")
    graph.loop("turns", turn, max_iterations=3, state=0)
    pick = graph.branch("pick", lambda: "true")
    graph.function(plus_one, id="yes", state=1, after=pick["true"])
    graph.function(plus_one, id="no", state=1, after=pick["false"])
    bad = graph.function(broken, policy=Policy(on_error="continue"))
    graph.function(plus_one, id="behind", state=bad)
    graph.function(broken, id="saved", policy=Policy(fallback=7))
    graph.function(expands, expand=True)
    return graph


def turn_ref(graph: Graph) -> Any:
    from dagorch.models.ref import Ref

    return Ref(graph, "state")


async def plus_one(state: int) -> int:
    await anyio.sleep(0.5)
    return state + 1


async def broken() -> int:
    raise ValueError("always")


async def expands() -> Graph:
    graph = Graph("made")
    graph.function(plus_one, id="inside", state=1)
    return graph


@pytest.mark.parametrize("seed", range(10))
def test_the_event_order_holds_for_every_end(virtual: Any, seed: int) -> None:
    random.seed(seed)
    events: list[Event] = []
    provider = ScriptedProvider(
        lambda request: f"answer to {request.messages[0].content}", latency_seconds=0.3
    )

    async def run(**options: Any) -> set[str]:
        try:
            result = await everything().run(
                provider=provider, on_event=events.append, max_parallel=seed % 4 + 1, **options
            )
        except RunError as error:
            result = error.partial_results
        return set(result.node_runs)

    paths = virtual(run)
    # Streamed text of one attempt is joined until it is read, so numbers may skip.
    numbers = [event.number for event in events]
    assert numbers == sorted(set(numbers))
    renumbered = [_numbered(event, n) for n, event in enumerate(events, start=1)]
    check(renumbered, paths)
    events.clear()

    async def stopped() -> set[str]:
        return await run(timeout_seconds=1.2)

    paths = virtual(stopped)
    assert events[-1].type is EventType.RUN_FAILED
    check([_numbered(event, n) for n, event in enumerate(events, start=1)], paths)


def _numbered(event: Event, number: int) -> Event:
    return event._replace(number=number)


def test_numbers_are_consecutive_and_events_have_their_data(virtual: Any) -> None:
    graph = Graph("plain")
    left = [1]

    async def work() -> int:
        if left:
            left.pop()
            raise OSError("once")
        return 1

    graph.function(work, policy=Policy(retry=Retry(attempts=2, base_delay_seconds=4)))
    events: list[Event] = []

    async def run() -> None:
        await graph.run(on_event=events.append)

    virtual(run)
    check(events, {"work"})
    assert [event.type.value for event in events] == [
        "run_started",
        "node_ready",
        "node_started",
        "attempt_failed",
        "node_retrying",
        "node_started",
        "node_completed",
        "run_completed",
    ]
    assert [event.attempt for event in events] == [0, 0, 1, 1, 1, 2, 0, 0]
    assert events[3].data["error"] == "OSError: once"
    assert events[5].seconds == pytest.approx(events[4].data["delay_seconds"])


def test_streamed_text_arrives_with_its_attempt(virtual: Any) -> None:
    graph = Graph("talk")
    graph.add(LLM("say", prompt="Hi"))
    events: list[Event] = []

    async def run() -> None:
        await graph.run(provider=ScriptedProvider("one two three"), on_event=events.append)

    virtual(run)
    tokens = [event for event in events if event.type is EventType.NODE_TOKENS]
    assert "".join(event.data["text"] for event in tokens) == "one two three"
    assert {(event.path, event.attempt) for event in tokens} == {("say", 1)}
    end = events[-2]
    assert (end.data["input_tokens"], end.data["output_tokens"]) == (1, 3)


def test_a_failed_run_ends_with_run_failed_and_below_100(virtual: Any) -> None:
    graph = Graph("bad")
    graph.function(broken)
    events: list[Event] = []

    async def run() -> None:
        with pytest.raises(RunError):
            await graph.run(on_event=events.append)

    virtual(run)
    check(events, {"broken"})
    assert events[-1].type is EventType.RUN_FAILED
    assert "always" in events[-1].data["error"]


def test_a_run_without_an_output_does_not_claim_to_have_completed(virtual: Any) -> None:
    graph = Graph("bad")
    graph.function(broken, policy=Policy(on_error="continue"))
    events: list[Event] = []

    async def run() -> None:
        with pytest.raises(RunError, match="always"):
            await graph.run(on_event=events.append)

    virtual(run)
    check(events, {"broken"})
    assert events[-1].type is EventType.RUN_FAILED


def counting(graph: Graph, nodes: int) -> Graph:
    async def nothing() -> None:
        return None

    for number in range(nodes):
        graph.function(nothing, id=f"n{number}")
    return graph


def test_a_slow_listener_loses_the_oldest_and_never_the_runs_end(virtual: Any) -> None:
    seen: list[Event] = []

    async def slow(event: Event) -> None:
        seen.append(event)
        if len(seen) == 1:
            await anyio.sleep(3600)

    nodes = QUEUE_LENGTH // 3 + 1000

    async def run() -> Any:
        return await counting(Graph("wide"), nodes).run(on_event=slow, drain_seconds=7200)

    result = virtual(run)
    made = 3 * nodes + 2
    assert result.dropped_events == made - len(seen) > 0
    assert seen[-1].type is EventType.RUN_COMPLETED
    assert seen[-1].number == made
    kept = [event.number for event in seen[-QUEUE_LENGTH + 1 :]]
    assert kept == list(range(made - QUEUE_LENGTH + 2, made + 1))


def test_a_slow_listener_does_not_slow_the_run(virtual: Any) -> None:
    async def slow(event: Event) -> None:
        await anyio.sleep(1000)

    async def run() -> tuple[Any, float]:
        before = anyio.current_time()
        result = await counting(Graph("few"), 3).run(on_event=slow, drain_seconds=5)
        return result, anyio.current_time() - before

    result, took = virtual(run)
    assert result.duration_seconds == 0
    assert took == pytest.approx(5.0)
    assert result.dropped_events == 11 - 1


def test_a_listener_gets_drain_seconds_to_finish(virtual: Any) -> None:
    seen: list[Event] = []

    async def slow(event: Event) -> None:
        await anyio.sleep(0.25)
        seen.append(event)

    async def run() -> Any:
        return await counting(Graph("few"), 3).run(on_event=slow)

    assert virtual(run).dropped_events == 0
    assert len(seen) == 11


def test_a_failing_listener_does_not_fail_the_run_and_is_logged_once(
    virtual: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Event] = []

    def bad(event: Event) -> None:
        raise RuntimeError("listener's own fault")

    async def run() -> Any:
        return await counting(Graph("few"), 3).run(on_event=[bad, seen.append])

    assert virtual(run).status == "completed"
    assert len(seen) == 11
    assert caplog.text.count("listener failed") == 1
    assert "own fault" in caplog.text
    assert not capsys.readouterr().out  # stdout may be a user's JSON


def test_any_callable_can_be_a_listener(virtual: Any) -> None:
    class Listener:
        def __init__(self) -> None:
            self.seen: list[Event] = []

        async def __call__(self, event: Event) -> None:
            self.seen.append(event)

    listener = Listener()

    async def run() -> Any:
        return await counting(Graph("few"), 1).run(on_event=listener)

    virtual(run)
    check(listener.seen, {"n0"})


@pytest.mark.parametrize("is_async", [False, True])
def test_listeners_receive_the_end_of_a_run_cancelled_from_outside(
    virtual: Any, is_async: bool
) -> None:
    events: list[Event] = []

    async def slowly(event: Event) -> None:
        await anyio.sleep(0.1)
        events.append(event)

    listener: Callable[[Event], Any] = slowly if is_async else events.append

    async def run() -> float:
        graph = Graph("long")
        graph.function(plus_one, state=1)
        graph.function(anyio.sleep_forever, id="forever")
        before = anyio.current_time()
        with anyio.move_on_after(2):
            await graph.run(on_event=listener)
        return anyio.current_time() - before

    took = virtual(run)
    check(events, {"plus_one", "forever"})
    assert events[-1].type is EventType.RUN_CANCELLED
    assert took < 3


def exchanges(events: list[Event]) -> list[Event]:
    return [event for event in events if event.type is EventType.EXCHANGE_ENDED]


def test_every_exchange_is_reported_before_its_attempt_ends(virtual: Any) -> None:
    graph = Graph("asking")
    graph.add(LLM("say", prompt="Hi", policy=Policy(retry=Retry(attempts=2))))
    refusal = OverloadedError("busy", status=503)
    answer = LLMResponse("one two", "scripted-2", Usage(3, 2), "length", request_id="r-7")
    provider = ScriptedProvider([refusal, answer], latency_seconds=0.25)
    events: list[Event] = []

    async def run() -> Result:
        return await graph.run(provider=provider, on_event=events.append)

    result = virtual(run)
    check(events, {"say"})
    failed, answered = exchanges(events)
    assert (failed.path, failed.attempt, answered.attempt) == ("say", 1, 2)
    assert failed.data["error"] == "OverloadedError: busy"
    assert "reply" not in failed.data
    assert failed.data["messages"] == answered.data["messages"]
    assert (failed.data["began_seconds"], failed.seconds) == (0.0, 0.25)
    assert answered.seconds - answered.data["began_seconds"] == pytest.approx(0.25)
    assert dict(answered.data) | {"began_seconds": 0} == {
        "service": "scripted",
        "model": "scripted",
        "began_seconds": 0,
        "input_tokens": 3,
        "output_tokens": 2,
        "cost_usd": 0.0,
        "estimated": False,
        "messages": [{"role": "user", "content": "Hi"}],
        "reply": "one two",
        "finish_reason": "length",
        "answered_by": "scripted-2",
        "request_id": "r-7",
    }
    assert len(result.get("say").bills) == 2


def test_the_exchanges_of_a_function_are_reported_too(virtual: Any) -> None:
    graph = Graph("calling")

    @graph.function
    async def twice(context: Context[None]) -> str:
        for _ in range(2):
            await anyio.sleep(1)
            answer = await context.acomplete([{"role": "user", "content": "Hi"}])
        return answer.content

    events: list[Event] = []

    async def run() -> None:
        provider = ScriptedProvider("yes", latency_seconds=0.5)
        await graph.run(provider=provider, on_event=events.append)

    virtual(run)
    check(events, {"twice"})
    spans = [(event.data["began_seconds"], event.seconds) for event in exchanges(events)]
    assert spans == [(1.0, 1.5), (2.5, 3.0)]


def test_a_cancelled_exchange_has_neither_an_answer_nor_an_error(virtual: Any) -> None:
    graph = Graph("slow")
    graph.add(LLM("say", prompt="Hi", policy=Policy(timeout_seconds=2)))
    events: list[Event] = []

    async def run() -> None:
        provider = ScriptedProvider("late", latency_seconds=5)
        with pytest.raises(RunError):
            await graph.run(provider=provider, on_event=events.append)

    virtual(run)
    check(events, {"say"})
    (cancelled,) = exchanges(events)
    assert cancelled.seconds == 2.0
    assert cancelled.data["estimated"] is True
    assert not {"error", "finish_reason", "answered_by"} & cancelled.data.keys()


def test_a_container_starts_without_an_attempt(virtual: Any) -> None:
    body = Graph("body")
    body.input("item", int)

    @body.function
    async def same(item: int) -> int:
        return item

    graph = Graph("over")
    graph.map(body, over=[1], id="items")
    events: list[Event] = []

    async def run() -> None:
        await graph.run(on_event=events.append)

    virtual(run)
    started = {e.path: e.attempt for e in events if e.type is EventType.NODE_STARTED}
    assert started == {"items": 0, "items[0]/same": 1}


@pytest.mark.parametrize(("apart", "batches"), [(0.001, True), (0.02, False)])
def test_frequent_events_are_delivered_in_batches_and_others_at_once(
    virtual: Any, apart: float, batches: bool
) -> None:
    delivered: list[tuple[float, Event]] = []

    async def run() -> Result:
        graph = Graph("often")
        for n in range(200):
            graph.function(anyio.sleep, id=f"n{n}", delay=apart * (n + 1))
        begin = anyio.current_time()
        return await graph.run(
            max_parallel=200,
            on_event=lambda event: delivered.append((anyio.current_time() - begin, event)),
        )

    result = virtual(run)
    late = [at - event.seconds for at, event in delivered]
    assert len(delivered) == 1 + 3 * 200 + 1
    assert max(late) <= 0.0101
    if batches:
        assert len({at for at, _ in delivered}) < 30, "one in 10 ms"
    else:
        assert sum(late[-200:]) < 1e-6, "the ends; what begins together is a batch here, too"
    assert delivered[-1][0] == pytest.approx(result.duration_seconds), "the end waits for no batch"


async def test_a_batch_is_delivered_before_its_events_would_be_dropped() -> None:
    """The run makes more events during one batch than the queue may hold."""
    seen: list[Event] = []
    graph = Graph("many")
    graph.map(Function("one", identity), over=list(range(QUEUE_LENGTH)), max_parallel=16)
    result = await graph.run(on_event=seen.append)
    assert result.dropped_events == 0
    assert len(seen) > 3 * QUEUE_LENGTH


async def identity(item: int) -> int:
    return item
