"""What each config field does, and the warning about a field that a pattern cannot use."""

from __future__ import annotations

import warnings
from functools import partial

import pytest

from dagorch import (
    ConditionalOrchestrator,
    DefinitionError,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    IterativeOrchestrator,
    OrchestratorConfig,
    OrchestratorResult,
    RunError,
    SequentialOrchestrator,
    SubTask,
)
from dagorch.errors import DagorchWarning
from dagorch.models.llm import LLMRequest
from tests.conformance.doubles import Plain, by_tier, cascade, once, talking


def test_as_documented() -> None:
    config = OrchestratorConfig(
        num_agents=2,
        primary_model="grok-3",
        fallback_model="gpt-4",
        max_retries=3,
        timeout_seconds=300,
        enable_streaming=True,
        enable_cost_tracking=True,
        enable_document_generation=False,
        parallel_execution=True,
        max_parallel=3,
        max_cost=None,
        output_formats=["pdf", "markdown"],
        steps=["research", "report"],
    )
    assert config.validate() == []
    Plain(config, plan=[])


async def test_num_agents_is_in_the_planners_context_if_it_was_set() -> None:
    class Planning(Plain):
        async def decompose_task(self, task, context=None):
            count = context.get("num_agents", 1)
            return [SubTask(str(n), "x") for n in range(count)]

    assert (
        len((await Planning(once(num_agents=4), plan=[]).execute_workflow("W")).agent_results) == 4
    )
    assert len((await Planning(once(), plan=[]).execute_workflow("W")).agent_results) == 1


def test_a_field_that_the_pattern_cannot_use_warns_once() -> None:
    with pytest.warns(DagorchWarning, match="does not use num_agents of its config") as caught:
        DreamCascadeOrchestrator(DreamCascadeConfig(num_agents=5), talking("x"))
    assert len(caught) == 1
    with pytest.warns(DagorchWarning, match="Plain does not use belter_count"):
        Plain(DreamCascadeConfig(belter_count=5), plan=[])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DreamCascadeOrchestrator(DreamCascadeConfig(belter_count=5), talking("x"))


def test_the_cascade_requires_its_own_config() -> None:
    with pytest.raises(DefinitionError, match="takes a DreamCascadeConfig"):
        DreamCascadeOrchestrator(OrchestratorConfig(), talking("x"))


async def test_steps_are_in_the_context_of_a_custom_orchestrator_if_set() -> None:
    o = Plain(once(steps=["x", "y"]), plan=[SubTask("a", "x")])
    await o.execute_workflow("Why?")
    assert o.seen[0]["steps"] == ["x", "y"]
    assert "steps" not in (await _context(Plain(once(), plan=[SubTask("a", "x")])))


async def _context(o: Plain) -> dict[str, object]:
    await o.execute_workflow("Why?")
    return o.seen[0]


BRANCHES = {"condition": "Is it?", "true_branch": "Do.", "false_branch": "Do not."}


def test_code_without_a_module_name_is_warned() -> None:
    with pytest.warns(DagorchWarning, match="does not use steps of its config") as caught:
        exec("make()", {"make": partial(ConditionalOrchestrator, once(steps=["a"]), **BRANCHES)})
    assert [warning.filename for warning in caught] == ["<string>"]


@pytest.mark.parametrize(
    ("make", "unused"),
    [
        (SequentialOrchestrator, "max_parallel, parallel_execution"),
        (IterativeOrchestrator, "max_parallel, num_agents, parallel_execution"),
        (
            lambda config: ConditionalOrchestrator(config, **BRANCHES),
            "max_parallel, num_agents, parallel_execution, steps",
        ),
    ],
    ids=["sequential", "iterative", "conditional"],
)
def test_a_pattern_warns_about_every_field_that_it_does_not_use(make: object, unused: str) -> None:
    defaults = {name: field.default for name, field in OrchestratorConfig.model_fields.items()}
    config = OrchestratorConfig(**{**defaults, "steps": ["a"], "num_agents": 1})
    with pytest.warns(DagorchWarning, match=f"does not use {unused} of its config") as caught:
        make(config)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fields = {} if unused.endswith("steps") else {"steps": ["a"]}
        make(OrchestratorConfig(max_retries=1, fallback_model="x", max_cost=1, **fields))


@pytest.mark.parametrize("failing", [False, True])
async def test_costs_are_zero_without_cost_tracking(failing: bool) -> None:
    def reply(request: LLMRequest) -> str:
        if failing and request.model == "c":
            raise OSError("no")
        return by_tier(request)

    async def outcome(tracking: bool) -> OrchestratorResult:
        o = cascade(talking(reply, price_per_token=0.01), enable_cost_tracking=tracking)
        try:
            return await o.execute_workflow("Why?")
        except RunError as error:
            return error.partial_results

    tracked, untracked = await outcome(True), await outcome(False)
    assert tracked.status == untracked.status == ("failed" if failing else "completed")
    assert tracked.total_cost > 0
    assert any(usage["cost"] > 0 for usage in tracked.metadata["usage_by_model"].values())
    assert untracked.total_cost == sum(agent.cost for agent in untracked.agent_results) == 0
    assert "cost" not in str(untracked.metadata)
    tokens = [agent.tokens_used for agent in tracked.agent_results]
    assert [agent.tokens_used for agent in untracked.agent_results] == tokens
    assert untracked.run.cost_usd == tracked.run.cost_usd
    assert tracked.total_cost == pytest.approx(float(tracked.run.cost_usd))
