"""Shared by the conformance tests: a small orchestrator, and a cascade with a model per tier."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from dagorch import (
    AgentResult,
    BaseOrchestrator,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    OrchestratorConfig,
    SubTask,
)
from dagorch.models.llm import LLMRequest
from dagorch.testing import ScriptedProvider

HI = [{"role": "user", "content": "Hi"}]
TIERS = {"belter_model": "b", "drummer_model": "d", "camina_model": "c", "primary_model": "p"}
PLAN = json.dumps({"questions": ["What is one?", "What is two?", "What is three?"]})


class Plain(BaseOrchestrator):
    """The three methods that a subclass needs; a test may override them."""

    def __init__(self, *args: Any, plan: list[SubTask], **options: Any) -> None:
        super().__init__(*args, **options)
        self.plan = plan
        self.seen: list[dict[str, Any]] = []

    async def decompose_task(self, task, context=None):
        return self.plan

    async def execute_subtask(self, subtask, context=None):
        self.seen.append({"id": subtask.id, **context})
        return AgentResult(subtask_id=subtask.id, content=subtask.description.upper())

    async def synthesize_results(self, agent_results, context=None):
        return {"said": [result.content for result in agent_results]}


def once(**fields: Any) -> OrchestratorConfig:
    """Return a config without retries, so that failures are immediate."""
    return OrchestratorConfig(max_retries=0, **fields)


def talking(replies: Callable[[LLMRequest], Any] | str, **options: Any) -> ScriptedProvider:
    """Return a provider that accepts any model, so that the name of the model tells the tier."""
    return ScriptedProvider(replies, name="mine", **options)


def by_tier(request: LLMRequest) -> Any:
    """Reply with a plan, or with a text that names the tier."""
    return PLAN if request.json_schema is not None else f"said by {request.model}"


def cascade(provider: Any, *, max_retries: int = 0, **fields: Any) -> DreamCascadeOrchestrator:
    config = DreamCascadeConfig(**{**TIERS, "max_retries": max_retries, **fields})
    return DreamCascadeOrchestrator(config, provider)


def calls(provider: ScriptedProvider) -> Counter[str]:
    """Count the requests by model; those for a plan are separate."""
    return Counter(
        "plan" if request.json_schema is not None else request.model
        for request in provider.requests
    )
