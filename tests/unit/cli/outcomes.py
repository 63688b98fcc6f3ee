"""Results of a small cascade, complete and failed."""

from __future__ import annotations

import pytest

from dagorch import RunError
from dagorch.models.llm import LLMRequest
from dagorch.models.orchestration import OrchestratorResult
from dagorch.orchestrators import DreamCascadeConfig, DreamCascadeOrchestrator
from dagorch.providers import ScriptedProvider

TASK = "Why is the\nsky blue?"
QUESTIONS = ["How does air scatter light?", "Why do we see no violet?", "When does it turn red?"]


def reply(request: LLMRequest) -> object:
    if request.json_schema:
        return {"questions": QUESTIONS}
    if QUESTIONS[1] in request.messages[-1].content:
        raise ValueError("not this one")
    return "\x1b[31mBecause | it is.\x07"


async def outcome() -> OrchestratorResult:
    provider = ScriptedProvider(reply, price_per_token=0.001)
    cascade = DreamCascadeOrchestrator(DreamCascadeConfig(max_retries=0), provider)
    return await cascade.execute_workflow(TASK)


async def failure() -> OrchestratorResult:
    def only_belters(request: LLMRequest) -> object:
        if request.json_schema:
            return {"questions": QUESTIONS}
        if not any(question in request.messages[-1].content for question in QUESTIONS):
            raise ValueError("too hard")
        return "found it"

    cascade = DreamCascadeOrchestrator(
        DreamCascadeConfig(max_retries=0), ScriptedProvider(only_belters)
    )
    with pytest.raises(RunError) as caught:
        await cascade.execute_workflow(TASK)
    partial = caught.value.partial_results
    assert isinstance(partial, OrchestratorResult)
    return partial
