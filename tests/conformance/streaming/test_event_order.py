"""The order of an orchestrator's events; every one is JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from dagorch import BaseOrchestrator, EventType, RunError, StreamEvent, SubTask
from dagorch.models.llm import LLMRequest
from tests.conformance.doubles import PLAN, Plain, by_tier, cascade, once, talking
from tests.conformance.patterns import of_handlers
from tests.conformance.swarms import Shelf, citing, shelves, swarm

E = EventType


class Failing(Plain):
    """Fails the subtasks in `bad`, or the synthesis."""

    bad: frozenset[str] = frozenset()

    async def execute_subtask(self, subtask, context=None):
        if subtask.id in self.bad:
            raise OSError("no")
        return await super().execute_subtask(subtask, context)

    async def synthesize_results(self, agent_results, context=None):
        if "synthesis" in self.bad:
            raise OSError("no")
        return "done"


def custom(*bad: str) -> BaseOrchestrator:
    plan = [SubTask("a", "x"), SubTask("b", "y", dependencies=["a"]), SubTask("c", "z")]
    o = Failing(once(), plan=plan)
    o.bad = frozenset(bad)
    return o


def failing_cascade(*tiers: str, **fields: Any) -> BaseOrchestrator:
    def reply(request: LLMRequest) -> str:
        if request.model in tiers:
            raise OSError("no")
        return by_tier(request)

    return cascade(talking(reply), **fields)


def pattern(kind: str, bad: int = 0) -> BaseOrchestrator:
    async def work(number: int, context: dict[str, Any]) -> str:
        if number == bad:
            raise OSError("no")
        return "fine"

    return of_handlers(kind, once(), work)


CASES: dict[str, tuple[Callable[[], BaseOrchestrator], int, bool]] = {
    "custom": (custom, 3, True),
    "custom, one fails": (lambda: custom("c"), 3, True),
    "custom, one blocks another": (lambda: custom("a"), 3, True),
    "custom, all fail": (lambda: custom("a", "c"), 3, False),
    "custom, the synthesis fails": (lambda: custom("synthesis"), 3, False),
    "cascade": (failing_cascade, 6, True),
    "cascade of several caminas": (lambda: failing_cascade(camina_count=3), 8, True),
    "cascade, no plan": (lambda: cascade(talking("no plan")), 6, True),
    "cascade, belters fail": (lambda: failing_cascade("b"), 6, False),
    "cascade, caminas fail": (lambda: failing_cascade("c"), 6, False),
    "swarm": (lambda: swarm(talking(citing), num_agents=5), 5, True),
    "swarm, a source fails": (
        lambda: swarm(talking(citing), shelves(news=Shelf("news", error=OSError())), num_agents=4),
        4, True,
    ),
    "swarm, all sources fail": (
        lambda: swarm(talking(citing), {"a": Shelf("a", error=OSError("no"))}, num_agents=2),
        2, False,
    ),
    "swarm, nothing is found": (
        lambda: swarm(talking(citing), {"a": Shelf("a", [])}, num_agents=2), 2, False
    ),
    "cascade, the merge fails": (lambda: failing_cascade("p", camina_count=2), 7, False),
    "sequential": (lambda: pattern("sequential"), 3, True),
    "sequential, a step fails": (lambda: pattern("sequential", 2), 3, False),
    "conditional": (lambda: pattern("conditional"), 3, True),
    "conditional, a step fails": (lambda: pattern("conditional", 2), 2, False),
    "iterative": (lambda: pattern("iterative"), 3, True),
    "iterative, a pass fails": (lambda: pattern("iterative", 2), 2, False),
}  # fmt: skip


@pytest.mark.parametrize(("make", "agents", "succeeds"), CASES.values(), ids=CASES)
async def test_events_are_in_order(
    make: Callable[[], BaseOrchestrator], agents: int, succeeds: bool
) -> None:
    events: list[StreamEvent] = []
    o = make()
    o.stream_callback = events.append
    status = await outcome(o.execute_workflow("Why?"))
    assert status is succeeds
    kinds = [event.event_type for event in events]
    assert kinds[0] is E.TASK_STARTED
    assert kinds.count(E.TASK_STARTED) == 1
    assert kinds[-1] is (E.TASK_COMPLETED if succeeds else E.ERROR)
    assert kinds.count(E.TASK_COMPLETED) + kinds.count(E.ERROR) == 1
    positions = {
        (event.event_type, event.data["subtask_id"]): index
        for index, event in enumerate(events)
        if event.event_type in (E.SUBTASK_CREATED, E.SUBTASK_COMPLETED)
    }
    created = [id for kind, id in positions if kind is E.SUBTASK_CREATED]
    assert len(created) == agents
    for id in created:
        assert positions[E.SUBTASK_CREATED, id] < positions[E.SUBTASK_COMPLETED, id]
    ends = [index for (kind, _), index in positions.items() if kind is E.SUBTASK_COMPLETED]
    assert len(ends) == agents
    if succeeds:
        assert kinds.count(E.SYNTHESIS_STARTED) == kinds.count(E.SYNTHESIS_COMPLETED) == 1
        started, completed = kinds.index(E.SYNTHESIS_STARTED), kinds.index(E.SYNTHESIS_COMPLETED)
        assert max(ends) < started < completed < len(kinds) - 1
    else:
        assert E.SYNTHESIS_COMPLETED not in kinds
        assert events[-1].data["error"]
    for event in events:
        assert StreamEvent.model_validate_json(event.model_dump_json()) == event
        json.loads(event.model_dump_json())


async def outcome(work: Awaitable[Any]) -> bool:
    try:
        await work
    except RunError:
        return False
    return True


@pytest.mark.parametrize(("make", "agents", "succeeds"), CASES.values(), ids=CASES)
async def test_by_default_only_the_documented_kinds_arrive(
    make: Callable[[], BaseOrchestrator], agents: int, succeeds: bool
) -> None:
    events: list[StreamEvent] = []
    of_engine: list[Any] = []
    o = make()
    o.stream_callback, o.on_event = events.append, of_engine.append
    await outcome(o.execute_workflow("Why?"))
    documented = {
        E.TASK_STARTED, E.SUBTASK_CREATED, E.SUBTASK_COMPLETED, E.SYNTHESIS_STARTED,
        E.SYNTHESIS_COMPLETED, E.TASK_COMPLETED, E.ERROR,
    }  # fmt: skip
    assert {event.event_type for event in events} <= documented
    assert len(events) <= 2 * agents + 4
    assert len(of_engine) >= len(events)


async def test_the_end_of_a_subtask_says_which_end() -> None:
    events: list[StreamEvent] = []
    o = custom("a")
    o.stream_callback = events.append
    await o.execute_workflow("Why?")
    ends = {
        event.data["subtask_id"]: (event.data["status"], event.message)
        for event in events
        if event.event_type is E.SUBTASK_COMPLETED
    }
    assert ends["c"] == ("completed", "z completed")
    assert ends["a"] == ("failed", "x failed: OSError: no")
    assert ends["b"][0] == "blocked"


async def test_events_of_the_engine_are_included_if_asked_for() -> None:
    events: list[StreamEvent] = []
    o = custom("a")
    o.config.stream_engine_events = True
    o.stream_callback = events.append
    await o.execute_workflow("Why?")
    seen = {(event.event_type, event.data.get("node")) for event in events}
    assert {
        (E.NODE_STARTED, "decompose"), (E.ATTEMPT_FAILED, "subtasks/a"),
        (E.NODE_FAILED, "subtasks/a"), (E.NODE_BLOCKED, "subtasks/b"),
        (E.NODE_COMPLETED, "subtasks/c"), (E.NODE_COMPLETED, "synthesize"),
    } <= seen  # fmt: skip
    assert not {kind for kind, _ in seen if kind.value.startswith("run_")}


async def test_a_cancelled_workflow_ends_with_an_error_event() -> None:
    events: list[StreamEvent] = []

    async def reply(request: LLMRequest) -> str:
        if request.json_schema is None:
            await anyio.sleep_forever()
        return PLAN

    o = cascade(talking(reply), stream_engine_events=True)

    async def callback(event: StreamEvent) -> None:
        events.append(event)
        if event.event_type is E.NODE_STARTED and event.data["node"] == "belter_3":
            scope.cancel()

    o.stream_callback = callback
    with anyio.CancelScope() as scope:
        await o.execute_workflow("Why?")
    assert scope.cancelled_caught
    assert events[-1].event_type is E.ERROR
    assert sum(event.event_type is E.SUBTASK_COMPLETED for event in events) == 6
