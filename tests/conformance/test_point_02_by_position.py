"""Point 2: every orchestrator also takes `(config, provider)` by position."""

from __future__ import annotations

from dagorch import DreamCascadeConfig, DreamCascadeOrchestrator, SubTask
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import Plain, once


async def test_the_cascade() -> None:
    o = DreamCascadeOrchestrator(DreamCascadeConfig(max_retries=0), ScriptedProvider("yes"))
    assert (await o.execute_workflow("Why?")).result == "yes"


async def test_an_orchestrator_of_ones_own() -> None:
    o = Plain(once(), ScriptedProvider("yes"), plan=[SubTask("a", "first")])
    assert (await o.execute_workflow("Why?")).result == {"said": ["FIRST"]}
