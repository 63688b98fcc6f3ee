"""Every orchestrator also takes `(config, provider)` by position."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import (
    ConditionalOrchestrator,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    IterativeOrchestrator,
    OrchestratorConfig,
    SequentialOrchestrator,
    SubTask,
)
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import Plain, once


async def test_a_cascade() -> None:
    o = DreamCascadeOrchestrator(DreamCascadeConfig(max_retries=0), ScriptedProvider("yes"))
    assert (await o.execute_workflow("Why?")).result == "yes"


async def test_a_custom_orchestrator() -> None:
    o = Plain(once(), ScriptedProvider("yes"), plan=[SubTask("a", "first")])
    assert (await o.execute_workflow("Why?")).result == {"said": ["FIRST"]}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (SequentialOrchestrator, {}),
        (IterativeOrchestrator, {"max_iterations": 1}),
        (
            ConditionalOrchestrator,
            {"condition": lambda context: 1, "true_branch": "Do.", "false_branch": "Do not."},
        ),
    ],
)
async def test_the_other_patterns(kind: Any, options: dict[str, Any]) -> None:
    fields = {} if kind is ConditionalOrchestrator else {"steps": ["one"]}
    for by_name in (False, True):
        config, provider = OrchestratorConfig(max_retries=0, **fields), ScriptedProvider("yes")
        arguments = {"config": config, "provider": provider} if by_name else {}
        o = kind(**arguments, **options) if by_name else kind(config, provider, **options)
        result = await o.execute_workflow("Why?")
        assert result.agent_results[-1].content == "yes"
