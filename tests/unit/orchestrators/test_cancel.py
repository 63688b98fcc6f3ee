"""Cancelling the workflows of an orchestrator keeps finished results."""

from __future__ import annotations

import anyio
import pytest

from dagorch import RunError
from dagorch.models.events import Event, EventType
from dagorch.models.llm import LLMRequest
from dagorch.orchestrators import DreamCascadeConfig, DreamCascadeOrchestrator
from dagorch.providers import ScriptedProvider


async def test_cancel_ends_a_running_workflow_with_partial_results() -> None:
    async def reply(request: LLMRequest) -> object:
        if request.json_schema:
            return {"questions": ["How?", "When?", "Where?"]}
        if len(provider.requests) > 2:
            await anyio.sleep_forever()
        return "found"

    provider = ScriptedProvider(reply)
    cascade = DreamCascadeOrchestrator(DreamCascadeConfig(belter_count=3), provider)

    def stop_after_the_first_agent(event: Event) -> None:
        if event.type is EventType.NODE_COMPLETED and event.path.startswith("belter"):
            cascade.cancel("enough")

    with anyio.fail_after(5), pytest.raises(RunError, match="enough") as caught:
        await cascade.execute_workflow("Why?", on_event=stop_after_the_first_agent)
    partial = caught.value.partial_results
    assert partial.status == "cancelled"
    assert [agent.content for agent in partial.agent_results if agent.status == "completed"] == [
        "found"
    ]


async def test_cancel_without_a_running_workflow_does_nothing() -> None:
    cascade = DreamCascadeOrchestrator(None, ScriptedProvider("yes"))
    cascade.cancel()
    assert (await cascade.execute_workflow("Why?")).result == "yes"
    cascade.cancel()
