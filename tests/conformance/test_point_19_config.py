"""Point 19, of the fields there are: what each of them does; one of no use is told."""

from __future__ import annotations

import warnings

import pytest

from dagorch import (
    DefinitionError,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    OrchestratorConfig,
    SubTask,
)
from dagorch.errors import DagorchWarning
from tests.conformance.doubles import Plain, once, talking


async def test_num_agents_is_in_the_planners_context_where_it_was_set() -> None:
    class Planning(Plain):
        async def decompose_task(self, task, context=None):
            count = context.get("num_agents", 1)
            return [SubTask(str(n), "x") for n in range(count)]

    assert (
        len((await Planning(once(num_agents=4), plan=[]).execute_workflow("W")).agent_results) == 4
    )
    assert len((await Planning(once(), plan=[]).execute_workflow("W")).agent_results) == 1


def test_a_field_that_the_pattern_cannot_use_is_told_once() -> None:
    with pytest.warns(DagorchWarning, match="no use for num_agents of its config") as caught:
        DreamCascadeOrchestrator(DreamCascadeConfig(num_agents=5), talking("x"))
    assert len(caught) == 1
    with pytest.warns(DagorchWarning, match="Plain has no use for belter_count"):
        Plain(DreamCascadeConfig(belter_count=5), plan=[])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DreamCascadeOrchestrator(DreamCascadeConfig(belter_count=5), talking("x"))


def test_the_cascade_wants_its_own_config() -> None:
    with pytest.raises(DefinitionError, match="takes a DreamCascadeConfig"):
        DreamCascadeOrchestrator(OrchestratorConfig(), talking("x"))
