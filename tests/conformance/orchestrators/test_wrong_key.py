"""A wrong key, permission or model is the run's error in every pattern, and is sent once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dagorch import (
    AgentResult,
    BaseOrchestrator,
    ConditionalOrchestrator,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    IterativeOrchestrator,
    OrchestratorConfig,
    RunError,
    SequentialOrchestrator,
    SubTask,
)
from dagorch.errors import AuthenticationError, NotFoundError, PermissionDeniedError
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import HI, once
from tests.conformance.patterns import of_models
from tests.conformance.swarms import shelves, swarm


class Service(ScriptedProvider):
    """A provider with an account, as that of a service has; it refuses every call."""

    def __init__(self, kind: type[Exception]) -> None:
        super().__init__(lambda request: kind("refused"), name="house", latency_seconds=0.001)
        self.account = f"of {kind.__name__}"


class Parallel(BaseOrchestrator):
    async def decompose_task(self, task, context=None):
        return [SubTask(str(n), "x") for n in range(5)]

    async def execute_subtask(self, subtask, context=None):
        reply = await self.provider.acomplete(HI)
        return AgentResult(subtask.id, reply.content)

    async def synthesize_results(self, agent_results, context=None):
        return "never"


PATTERNS: dict[str, Callable[[Any], BaseOrchestrator]] = {
    "cascade": lambda p: DreamCascadeOrchestrator(DreamCascadeConfig(), p),
    "swarm": lambda p: swarm(p, shelves(), num_agents=5, max_retries=3),
    "sequential": lambda p: of_models("sequential", OrchestratorConfig(), p),
    "conditional": lambda p: ConditionalOrchestrator(
        provider=p, condition="Is it?", true_branch="a", false_branch="b"
    ),
    "iterative": lambda p: IterativeOrchestrator(provider=p),
    "custom": lambda p: Parallel(OrchestratorConfig(), p),
}


@pytest.mark.parametrize("kind", [AuthenticationError, PermissionDeniedError, NotFoundError])
@pytest.mark.parametrize("pattern", PATTERNS)
async def test_it_is_the_runs_error_and_sent_once(pattern: str, kind: type[Exception]) -> None:
    provider = Service(kind)
    with pytest.raises(RunError, match=f"{kind.__name__}: refused") as caught:
        await PATTERNS[pattern](provider).execute_workflow("Why?")
    assert isinstance(caught.value.__cause__, kind)
    assert len(provider.requests) == 1


async def test_a_fallback_model_of_another_service_answers() -> None:
    config = once(fallback_model="other:large", steps=["a", "b"])
    other = ScriptedProvider("fine", name="other")
    one = Service(AuthenticationError)
    o = SequentialOrchestrator(config, one, providers={"other": other})
    result = await o.execute_workflow("Why?")
    assert result.result == "fine"
    assert len(one.requests) == 1
