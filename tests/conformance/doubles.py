"""What the conformance tests share: a small orchestrator, a cascade with tiers told apart."""

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
    """Three methods, each of which a test may replace by a plain function."""

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
    """A config without retries, so that a failure costs no waiting."""
    return OrchestratorConfig(max_retries=0, **fields)


def talking(replies: Callable[[LLMRequest], Any] | str, **options: Any) -> ScriptedProvider:
    """A provider that takes any model, so that a tier can be told by its model's name."""
    return ScriptedProvider(replies, name="mine", **options)


def by_tier(request: LLMRequest) -> Any:
    """A plan, and for each tier a text that says which it is of."""
    return PLAN if request.json_schema is not None else f"said by {request.model}"


def cascade(provider: Any, *, max_retries: int = 0, **fields: Any) -> DreamCascadeOrchestrator:
    config = DreamCascadeConfig(**{**TIERS, "max_retries": max_retries, **fields})
    return DreamCascadeOrchestrator(config, provider)


def calls(provider: ScriptedProvider) -> Counter[str]:
    """Requests by model, those for the plan apart."""
    return Counter(
        "plan" if request.json_schema is not None else request.model
        for request in provider.requests
    )
