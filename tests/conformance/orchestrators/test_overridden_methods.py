"""The three methods on built-in patterns: overriding takes effect, and calling them works."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import (
    AgentResult,
    ConditionalOrchestrator,
    DefinitionError,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    DreamSwarmConfig,
    DreamSwarmOrchestrator,
    IterativeOrchestrator,
    RunError,
    SequentialOrchestrator,
    SubTask,
)
from dagorch.patterns.token_limits import SMALL
from tests.conformance.doubles import by_tier, once, talking
from tests.conformance.swarms import citing, shelves

CONFIG = DreamCascadeConfig(belter_count=2, drummer_count=1, max_retries=0)


async def test_decompose_of_a_cascade() -> None:
    class Own(DreamCascadeOrchestrator):
        async def decompose_task(self, task, context=None):
            assert context["task"] == task == "Why?"
            return [SubTask("a", "Is A so?"), SubTask("b", "Is B so?"), SubTask("c", "Is C so?")]

    provider = talking(by_tier)
    result = await Own(CONFIG, provider).execute_workflow("Why?")
    first, second, *_ = (request.messages[-1].content for request in provider.requests)
    assert "Is A so?\n\nIs C so?" in first
    assert "Is B so?" in second
    assert len(provider.requests) == len(result.agent_results) == 4


async def test_execute_of_a_cascade_is_every_agent() -> None:
    seen: dict[str, tuple[str, str, Any]] = {}

    class Own(DreamCascadeOrchestrator):
        async def execute_subtask(self, subtask, context=None):
            seen[subtask.id] = subtask.agent_type, subtask.description, context["results"]
            reply = await self.provider.acomplete([{"role": "user", "content": "Hi"}])
            return AgentResult(subtask.id, f"{subtask.id} {reply.content}", metadata={"mine": 1})

    provider = talking(by_tier, price_per_token=0.001)
    result = await Own(CONFIG, provider).execute_workflow("Why?", {"audience": "nurses"})
    assert list(seen) == ["belter_1", "belter_2", "drummer_1", "camina_1"]
    assert seen["belter_1"][:2] == ("belter", "What is one?")
    assert "belter_1 said by" in seen["drummer_1"][2]["findings"]
    assert result.result.startswith("camina_1 said by")
    assert all(a.metadata["mine"] == 1 and a.cost > 0 for a in result.agent_results)


async def test_synthesize_of_a_cascade() -> None:
    class Own(DreamCascadeOrchestrator):
        async def synthesize_results(self, agent_results, context=None):
            assert all(result.tokens_used and result.cost for result in agent_results)
            return {"ids": [result.subtask_id for result in agent_results], "t": context["task"]}

    result = await Own(CONFIG, talking(by_tier, price_per_token=0.001)).execute_workflow("Why?")
    assert result.result == {
        "ids": ["belter_1", "belter_2", "drummer_1", "camina_1"], "t": "Why?",
    }  # fmt: skip


async def test_execute_and_synthesize_of_a_swarm() -> None:
    class Own(DreamSwarmOrchestrator):
        async def execute_subtask(self, subtask, context=None):
            return AgentResult(subtask.id, f"{len(context['results']['found'])} read [1].")

        async def synthesize_results(self, agent_results, context=None):
            return [result.content for result in agent_results]

    config = DreamSwarmConfig(num_agents=2, max_retries=0)
    provider = talking(citing)
    result = await Own(config, provider, sources=shelves()).execute_workflow("Why?")
    assert [text.endswith("read [1].") for text in result.result] == [True, True]
    assert not provider.requests


async def test_an_overridden_synthesis_does_not_hide_that_nothing_was_found() -> None:
    class Empty:
        async def search(self, query: str, limit: int) -> list[Any]:
            return []

    class Own(DreamSwarmOrchestrator):
        async def synthesize_results(self, agent_results, context=None):
            return "an answer"

    config = DreamSwarmConfig(num_agents=2, domains=["shelf"], max_retries=0)
    o = Own(config, talking(citing), sources={"shelf": Empty()})
    with pytest.raises(RunError, match="nothing was found"):
        await o.execute_workflow("Why?")


class Shouting:
    async def execute_subtask(self, subtask: SubTask, context: Any = None) -> AgentResult:
        base = await super().execute_subtask(subtask, context)  # type: ignore[misc]
        return base.model_copy(update={"content": f"{subtask.description}: {base.content.upper()}"})


class OwnSequential(Shouting, SequentialOrchestrator):
    pass


class OwnConditional(Shouting, ConditionalOrchestrator):
    pass


class OwnIterative(Shouting, IterativeOrchestrator):
    pass


STEPS: dict[str, Any] = {
    "sequential": lambda p: OwnSequential(once(steps=["a", "b"]), p),
    "conditional": lambda p: OwnConditional(
        once(), p, condition=lambda c: True, true_branch=["a", "b"], false_branch="c"
    ),
    "iterative": lambda p: OwnIterative(
        once(steps=["a", "b"]), p, max_iterations=2, convergence_fn=lambda r: "BEES" in r["content"]
    ),
}


@pytest.mark.parametrize("kind", STEPS)
async def test_execute_of_steps(kind: str) -> None:
    provider = talking("bees", price_per_token=0.001)
    result = await STEPS[kind](provider).execute_workflow("Why?", {"audience": "nurses"})
    assert [agent.content for agent in result.agent_results] == ["a: BEES", "b: BEES"]
    assert all(agent.cost > 0 for agent in result.agent_results)
    assert "audience: nurses" in provider.requests[0].messages[-1].content
    assert "a: BEES" in provider.requests[1].messages[-1].content


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (DreamSwarmOrchestrator, "decompose_task"),
        *(
            (pattern, name)
            for pattern in (SequentialOrchestrator, ConditionalOrchestrator, IterativeOrchestrator)
            for name in ("decompose_task", "synthesize_results")
        ),
    ],
)
def test_a_step_that_the_pattern_lacks_is_refused_at_construction(pattern: Any, name: str) -> None:
    own = type("Own", (pattern,), {name: lambda self, *arguments: None})
    with pytest.raises(DefinitionError, match=f"{pattern.__name__} has no step {name}: its"):
        own()
    assert type("Same", (pattern,), {})._pattern is pattern


BUILTIN: dict[str, Any] = {
    "cascade": lambda p: DreamCascadeOrchestrator(CONFIG, p),
    "swarm": lambda p: DreamSwarmOrchestrator(DreamSwarmConfig(num_agents=2), p, sources=shelves()),
    "sequential": lambda p: SequentialOrchestrator(once(steps=["a", "b"]), p),
    "conditional": lambda p: ConditionalOrchestrator(
        once(), p, condition=lambda c: True, true_branch=["a", "b"], false_branch="c"
    ),
    "iterative": lambda p: IterativeOrchestrator(once(), p, max_iterations=2),
}


@pytest.mark.parametrize("kind", BUILTIN)
async def test_calling_them(kind: str) -> None:
    provider = talking(by_tier)
    o = BUILTIN[kind](provider)
    plan = await o.decompose_task("Why?")
    assert len(plan) >= 2
    assert all(isinstance(subtask, SubTask) for subtask in plan)
    done = await o.execute_subtask(plan[0])
    assert done.subtask_id == plan[0].id
    assert "said by" in done.content
    text = await o.synthesize_results([done, AgentResult("x", "more")], {"task": "Why?"})
    assert "said by" in text
    prompt = provider.requests[-1].messages[-1].content
    assert "more" in prompt
    assert prompt.endswith("question, using the notes: Why?")
    assert "{" not in prompt


async def test_a_synthesis_of_dicts() -> None:
    provider = talking("both")
    o = DreamCascadeOrchestrator(CONFIG, provider)
    assert await o.synthesize_results([{"subtask_id": "a", "content": "Bees dance."}]) == "both"
    assert "Bees dance." in provider.requests[-1].messages[-1].content
    with pytest.raises(DefinitionError, match="AgentResult needs 'subtask_id'"):
        await o.synthesize_results([{"content": "Bees dance."}])
    with pytest.raises(DefinitionError, match="is not an AgentResult; pass"):
        await o.synthesize_results(["Bees dance."])


async def test_called_methods_ask_a_small_model_as_its_nodes_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = talking("bees")
    o = SequentialOrchestrator(once(steps=["a"]), provider)
    await o.execute_workflow("Why?")
    monkeypatch.setattr("dagorch.orchestrators.model_lookup.LARGE", SMALL)
    await o.execute_workflow("Why?")
    await o.execute_subtask(SubTask("a", "a"), {"task": "Why?"})
    large, node, called = provider.requests
    assert (called.temperature, called.extra) == (node.temperature, node.extra)
    assert called.temperature != large.temperature


async def test_an_agent_that_fails_is_left_out_of_the_synthesis() -> None:
    class Own(DreamCascadeOrchestrator):
        async def execute_subtask(self, subtask, context=None):
            if subtask.id == "belter_1":
                return AgentResult("other", "x")
            return AgentResult(subtask.id, subtask.id)

        async def synthesize_results(self, agent_results, context=None):
            return [result.subtask_id for result in agent_results]

    result = await Own(CONFIG, talking(by_tier)).execute_workflow("Why?")
    assert result.result == ["belter_2", "drummer_1", "camina_1"]
    assert (result.status, result.metadata["failed"]) == ("partial", ["belter_1"])


async def test_an_own_plan_must_be_one() -> None:
    class Own(DreamCascadeOrchestrator):
        async def decompose_task(self, task, context=None):
            return "a question"

    with pytest.raises(RunError, match="it is a str, not a list of SubTask"):
        await Own(CONFIG, talking(by_tier)).execute_workflow("Why?")
