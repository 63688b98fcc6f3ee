"""`validate()` reports problems of every field; wrong names fail at construction."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import (
    DefinitionError,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    DreamSwarmConfig,
    OrchestratorConfig,
)
from tests.conformance.doubles import talking

CONFIGS = [OrchestratorConfig, DreamCascadeConfig, DreamSwarmConfig]
BAD: dict[str, list[Any]] = {
    "num_agents": [0, -1, 2.5, "3", None, True, 10**9],
    "primary_model": ["", "  ", 3],
    "fallback_model": ["", "  ", 3],
    "max_retries": [-1, 1.5, "3", None, False],
    "timeout_seconds": [0, -5, "60", float("nan"), float("inf"), True],
    "enable_streaming": ["yes", 1, None],
    "stream_engine_events": ["yes", 1, None],
    "enable_cost_tracking": ["yes", 1, None],
    "enable_document_generation": ["yes", 1, None],
    "output_formats": [[], ["pfd"], ["md", "markdown"], [None], {"pdf": 1}, None],
    "output_dir": ["", "  ", 3, None, b"x", "a\0b"],
    "parallel_execution": ["no", 0, None],
    "max_parallel": [0, -2, 1.5, "4", None],
    "max_tokens": [-1, 1.5, "900", float("nan"), True],
    "downgrade": ["", "  ", 3, {}, {"a": ""}, {"a": 1}, ["small"]],
    "max_cost": [-0.01, "1.00", float("nan"), True],
    "on_budget": ["", "end", None, True, 1, ["stop"]],
    "steps": [[], [""], ["a", "a"], [1], {"a": 1}],
    "belter_count": [0, "x", None, 10**9],
    "drummer_count": [0, "x", None],
    "camina_count": [0, "x", None],
    "belter_model": ["", 1],
    "drummer_model": ["", 1],
    "camina_model": ["", 1],
    "domains": [[], None, ["arxiv", ""], ["arxiv", "arxiv"], [1]],
    "findings_per_agent": [0, 101, "x", None],
}


@pytest.mark.parametrize("config", CONFIGS)
def test_a_default_config_is_valid(config: type[OrchestratorConfig]) -> None:
    assert config().validate() == []


@pytest.mark.parametrize("config", CONFIGS)
def test_every_field_is_checked(config: type[OrchestratorConfig]) -> None:
    for name in config.model_fields:
        for value in BAD[name]:
            problems = config(**{name: value}).validate()
            assert len(problems) == 1, (name, value)
            assert problems[0].startswith(f"{name}={value!r} must be ")


def test_a_single_text_is_a_list_of_one() -> None:
    config = DreamSwarmConfig(output_formats="pdf", steps="research", domains="arxiv")
    assert config.validate() == []
    assert (config.output_formats, config.steps, config.domains) == (
        ["pdf"],
        ["research"],
        ["arxiv"],
    )
    assert (
        OrchestratorConfig(output_formats="pfd")
        .validate()[0]
        .startswith("output_formats=['pfd'] must be ")
    )


def test_a_downgrade_without_a_ceiling_is_reported() -> None:
    for downgrade in ("small", {"large": "small"}):
        config = OrchestratorConfig(downgrade=downgrade)
        assert config.validate() == [
            "downgrade does nothing without a ceiling; set max_cost or max_tokens"
        ]
        for ceiling in ({"max_cost": 1}, {"max_tokens": 900}):
            assert OrchestratorConfig(downgrade=downgrade, **ceiling).validate() == []


def test_finishing_without_a_ceiling_is_reported() -> None:
    assert OrchestratorConfig(on_budget="finish").validate() == [
        "on_budget does nothing without a ceiling; set max_cost or max_tokens"
    ]
    for ceiling in ({"max_cost": 1}, {"max_tokens": 900}):
        assert OrchestratorConfig(on_budget="finish", **ceiling).validate() == []


def test_every_problem_is_listed() -> None:
    config = DreamCascadeConfig(max_parallel=0, belter_count=-1, belter_model="")
    assert [text.split("=")[0] for text in config.validate()] == [
        "max_parallel", "belter_count", "belter_model",
    ]  # fmt: skip


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(
    ("wrong", "right"), [("max_paralel", "max_parallel"), ("timeout", "timeout_seconds")]
)
def test_a_wrong_name_fails_with_a_suggestion(
    config: type[OrchestratorConfig], wrong: str, right: str
) -> None:
    with pytest.raises(DefinitionError, match=f"no field '{wrong}'; did you mean '{right}'"):
        config(**{wrong: 3})


def test_an_orchestrator_refuses_an_invalid_config() -> None:
    with pytest.raises(DefinitionError, match=r"2 problems[\s\S]*belter_count=0[\s\S]*") as caught:
        DreamCascadeOrchestrator(DreamCascadeConfig(belter_count=0, max_cost=-1), talking("x"))
    assert len(caught.value.problems) == 2


async def test_a_config_changed_later_is_validated_again() -> None:
    o = DreamCascadeOrchestrator(DreamCascadeConfig(), talking("x"))
    o.config.belter_count = 0
    with pytest.raises(DefinitionError, match="belter_count=0"):
        await o.execute_workflow("Why?")
    with pytest.raises(DefinitionError, match="belter_count=0"):
        o.graph("Why?")


@pytest.mark.parametrize("task", ["", "  \n", None, 3])
async def test_an_empty_task_is_refused_with_advice(task: Any) -> None:
    o = DreamCascadeOrchestrator(DreamCascadeConfig(), talking("x"))
    with pytest.raises(DefinitionError, match="pass a text such as"):
        await o.execute_workflow(task)
