"""Concurrent workflows of one orchestrator share only the provider."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from typing import Any

import anyio
import pytest

from dagorch import OrchestratorResult, RunError, StreamEvent, SubTask
from dagorch.models.llm import LLMRequest
from tests.conformance.doubles import HI, PLAN, Plain, cascade, once, talking
from tests.conformance.patterns import KINDS, of_handlers, of_models
from tests.conformance.swarms import swarm


async def run_together(o: Any, *tasks: str) -> dict[str, OrchestratorResult | RunError]:
    results: dict[str, OrchestratorResult | RunError] = {}

    async def run(task: str) -> None:
        try:
            results[task] = await o.execute_workflow(task, {"mine": task})
        except RunError as error:
            results[task] = error

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for task in tasks:
                group.start_soon(run, task)
    return results


async def test_two_runs_of_a_cascade() -> None:
    all_running = anyio.Event()

    async def reply(request: LLMRequest) -> str:
        if request.json_schema is not None:
            return PLAN
        if provider.active >= 6:  # the belters of both workflows
            all_running.set()
        await all_running.wait()
        text = request.messages[-1].content
        assert ("apples" in text) != ("pears" in text)
        return "about apples" if "apples" in text else "about pears"

    provider = talking(reply, price_per_token=0.001)
    o = cascade(provider, belter_count=3, max_parallel=3)
    events_by_task: dict[str, list[StreamEvent]] = defaultdict(list)
    o.stream_callback = lambda event: events_by_task[event.task_id].append(event)
    results = await run_together(o, "apples", "pears")
    for task in ("apples", "pears"):
        result = results[task]
        assert isinstance(result, OrchestratorResult)
        assert result.result == f"about {task}"
        events = events_by_task[result.task_id]
        assert events[0].message == f"Started: {task}"
        assert [e.event_type.value for e in (events[0], events[-1])] == [
            "task_started", "task_completed",
        ]  # fmt: skip
        assert result.total_cost == pytest.approx(
            sum(a.cost for a in result.agent_results) + _plan(result)
        )
    assert len(events_by_task) == 2
    assert len({result.task_id for result in results.values()}) == 2


def _plan(result: OrchestratorResult) -> float:
    return float(result.run.get("decompose").usage.cost_usd)


async def test_two_runs_of_a_custom_orchestrator() -> None:
    all_running = anyio.Event()
    waiting = 0

    class Meeting(Plain):
        async def decompose_task(self, task, context=None):
            return [SubTask("same", task), SubTask("other", task, dependencies=["same"])]

        async def execute_subtask(self, subtask, context=None):
            nonlocal waiting
            waiting += 1
            if waiting == 2:
                all_running.set()
            await all_running.wait()
            assert context["mine"] == context["task"] == subtask.description
            assert all(
                r.content == subtask.description.upper() for r in context["results"].values()
            )
            await self.provider.acomplete([{"role": "user", "content": subtask.description}])
            if subtask.description == "bad" and subtask.id == "other":
                raise OSError("no")
            return await super().execute_subtask(subtask, context)

    o = Meeting(once(), talking(lambda r: r.messages[-1].content, price_per_token=1), plan=[])
    results = await run_together(o, "good", "bad")
    good, bad = results["good"], results["bad"]
    assert isinstance(good, OrchestratorResult)
    assert isinstance(bad, OrchestratorResult)
    assert (good.status, bad.status) == ("completed", "partial")
    assert good.total_cost == bad.total_cost == pytest.approx(4)
    assert good.result == {"said": ["GOOD", "GOOD"]}


async def test_a_failed_workflow_does_not_affect_another() -> None:
    class Failing(Plain):
        async def decompose_task(self, task, context=None):
            await self.provider.acomplete(HI)
            if task == "bad":
                raise OSError("no")
            return [SubTask("a", task)]

    results = await run_together(Failing(once(), talking("x"), plan=[]), "bad", "good")
    assert isinstance(results["bad"], RunError)
    good = results["good"]
    assert isinstance(good, OrchestratorResult)
    assert good.status == "completed"


@pytest.mark.parametrize("count", [50, pytest.param(200, marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", ["cascade", "swarm", *KINDS])
async def test_many_workflows_at_once(kind: str, count: int) -> None:
    """No text of one workflow reaches another, and each pays for its own calls only."""
    asked: Counter[str] = Counter()

    def reply(request: LLMRequest) -> str:
        (task,) = set(re.findall(r"task-\d+!", str(request.messages)))
        asked[task] += 1
        if request.json_schema is None:
            return f"{task} dances [1]."
        return json.dumps({"questions": [f"{task} {n}?" for n in range(3)]})

    provider = talking(reply, price_per_token=0.001)
    if kind == "cascade":
        o: Any = cascade(provider, belter_count=3)
    elif kind == "swarm":
        o = swarm(provider, num_agents=3)
    else:
        o = of_models(kind, once(), provider)
    tasks = [f"task-{n}!" for n in range(count)]
    results = await run_together(o, *tasks)
    for task in tasks:
        result = results[task]
        assert isinstance(result, OrchestratorResult)
        assert result.status == "completed"
        assert task in str(result.result)
        bills = [run.usage for run in result.run.node_runs.values()]
        assert sum(bill.calls for bill in bills) == asked[task] >= 3
        tokens = sum(bill.total_tokens for bill in bills)
        assert result.total_cost == pytest.approx(tokens * 0.001)
    assert provider.active == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_twenty_runs_of_each_pattern(kind: str) -> None:
    """The steps of a workflow see its own task and outputs; it pays for its own calls only."""
    all_running = anyio.Event()
    waiting = 0

    async def work(number: int, context: dict[str, Any]) -> str:
        nonlocal waiting
        waiting += 1
        if waiting == 2:
            all_running.set()
        await all_running.wait()
        assert context["mine"] == context["task"]
        assert all(context["task"] in text for text in context["results"].values())
        assert context["task"] in (context.get("previous") or context["task"])
        reply = await o.provider.acomplete([{"role": "user", "content": context["task"]}])
        return f"{number}: {reply.content}"

    provider = talking(lambda r: r.messages[-1].content, price_per_token=1)
    o = of_handlers(kind, once(), work, provider)
    events_by_task: dict[str, list[StreamEvent]] = defaultdict(list)
    o.stream_callback = lambda event: events_by_task[event.task_id].append(event)
    tasks = [f"task-{n}" for n in range(20)]
    results = await run_together(o, *tasks)
    for task in tasks:
        result = results[task]
        assert isinstance(result, OrchestratorResult)
        assert [a.content for a in result.agent_results] == [f"{n}: {task}" for n in (1, 2, 3)]
        assert result.total_cost == pytest.approx(6)
        assert events_by_task[result.task_id][0].message == f"Started: {task}"
