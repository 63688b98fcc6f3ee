"""Steps strictly in order; a step without a handler is an LLM step."""

from __future__ import annotations

import re
from typing import Any

import anyio
import pytest

from dagorch import DefinitionError, OrchestratorConfig, SequentialOrchestrator
from dagorch.models.llm import LLMRequest
from dagorch.testing import ScriptedProvider, run_virtual
from tests.conformance.doubles import once, talking

STEPS = ["research", "analyze", "synthesize"]


def step_of(request: LLMRequest) -> str:
    found = re.search(r"step of the task: (.+?)\. Write", request.messages[-1].content)
    assert found
    return found[1]


async def test_as_documented() -> None:
    async def handler(step: str, context: dict[str, Any]) -> str:
        return f"{step} of {context['task']}"

    provider = talking(lambda request: f"said for {step_of(request)}")
    o = SequentialOrchestrator(
        OrchestratorConfig(num_agents=3, steps=STEPS, max_retries=0),
        provider,
        step_handlers={"research": handler},
    )
    result = await o.execute_workflow("Tea or coffee?")
    assert result.status == "completed"
    assert result.result == "said for synthesize"
    assert [(agent.subtask_id, agent.content) for agent in result.agent_results] == [
        ("research", "research of Tea or coffee?"),
        ("analyze", "said for analyze"),
        ("synthesize", "said for synthesize"),
    ]
    assert [step_of(request) for request in provider.requests] == ["analyze", "synthesize"]
    assert result.metadata["steps"] == STEPS


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_strictly_in_order(backend: Any) -> None:
    log: list[str] = []

    async def handler(step: str, context: dict[str, Any]) -> None:
        log.append(f"{step} begins")
        await anyio.sleep(5 - len(log))
        log.append(f"{step} ends")

    o = SequentialOrchestrator(once(steps=STEPS), step_handlers=dict.fromkeys(STEPS, handler))
    run_virtual(o.execute_workflow, "Why?", backend=backend)
    assert log == [f"{step} {word}" for step in STEPS for word in ("begins", "ends")]


async def test_a_prompt_has_earlier_results_and_ends_with_its_step() -> None:
    provider = talking(lambda request: f"outcome of {step_of(request)}")
    o = SequentialOrchestrator(
        once(steps=STEPS), provider, step_handlers={"research": lambda context: {"facts": ["tea"]}}
    )
    await o.execute_workflow("Tea {or} coffee?")
    analyze, synthesize = (request.messages[-1].content for request in provider.requests)
    assert "research: {" in analyze
    assert '"tea"' in analyze
    assert "outcome of analyze" in synthesize
    assert "Task: Tea {or} coffee?" in synthesize
    assert analyze.splitlines()[-1].startswith("Do this one step of the task: analyze.")
    assert synthesize.splitlines()[-1].startswith("Do the last step of the task: synthesize.")
    assert "complete answer" in synthesize


async def test_the_length_of_a_prompt_is_bounded() -> None:
    provider = talking("word " * 1_400)
    steps = [f"step {n}" for n in range(20)]
    await SequentialOrchestrator(once(steps=steps), provider).execute_workflow("Why?")
    longest = max(len(request.messages[-1].content) for request in provider.requests)
    assert 40_000 < longest < 62_000
    small = ScriptedProvider("word " * 1_400, name="local")
    await SequentialOrchestrator(once(steps=steps), small).execute_workflow("Why?")
    assert max(len(request.messages[-1].content) for request in small.requests) < 4_700
    assert {request.max_tokens for request in small.requests} == {250, 450}


async def test_step_names_may_be_invalid_or_used_as_ids() -> None:
    steps = ["task", "find/read [all]", "step", "run", "names", "told_1"]
    seen: list[tuple[str, list[str]]] = []

    def handler(step: str, context: dict[str, Any]) -> str:
        seen.append((step, list(context["results"])))
        return step.upper()

    for handled in (steps, []):
        o = SequentialOrchestrator(
            once(steps=steps), talking("x"), step_handlers=dict.fromkeys(handled, handler)
        )
        result = await o.execute_workflow("Why?")
        assert [agent.subtask_id for agent in result.agent_results] == steps
    assert seen == [(step, steps[:n]) for n, step in enumerate(steps)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "a sequence needs at least one"),
        ({"steps": []}, "steps=.. must be None, or a list of names"),
        ({"steps": ["a", "a"]}, "all different"),
        ({"steps": ["a", "b"], "num_agents": 3}, "num_agents=3 must equal the number of steps"),
    ],
)
def test_wrong_steps_are_refused_at_construction(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        SequentialOrchestrator(OrchestratorConfig(**fields), talking("x"))


async def test_steps_changed_later_are_validated_again() -> None:
    o = SequentialOrchestrator(OrchestratorConfig(steps=["a"], num_agents=1), talking("x"))
    o.config.steps = ["a", "b"]
    with pytest.raises(DefinitionError, match="num_agents=1 must equal"):
        await o.execute_workflow("Why?")


def test_an_unset_num_agents_is_not_compared_with_the_steps() -> None:
    SequentialOrchestrator(OrchestratorConfig(steps=["a"]), talking("x"))


@pytest.mark.parametrize(
    ("handlers", "message"),
    [
        ({"reserch": print}, "'reserch'.*: there is no such step; did you mean 'research'"),
        ({"research": "text"}, "is 'text', which is not callable"),
        ({"research": lambda: 1}, r"takes \(\); it must take \(step, context\)"),
        ({"research": lambda a, b, c: 1}, r"takes \(a, b, c\); it must take"),
        ({"research": lambda a, *, b: 1}, "it must take"),
        ([print], "a list; pass a dict"),
    ],
    ids=["unknown", "no function", "nothing", "three", "a keyword", "a list"],
)
def test_wrong_handlers_are_refused_at_construction(handlers: Any, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        SequentialOrchestrator(once(steps=STEPS), talking("x"), step_handlers=handlers)


def test_the_graph_is_drawn_without_a_provider() -> None:
    graph = SequentialOrchestrator(once(steps=STEPS)).graph("Why?")
    assert [node.id for node in graph] == STEPS
    graph.compile()
