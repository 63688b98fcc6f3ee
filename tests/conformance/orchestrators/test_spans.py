"""The duration of a workflow is the span of its graph, independent of the number of calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from dagorch import (
    BaseOrchestrator,
    ConditionalOrchestrator,
    IterativeOrchestrator,
    OrchestratorConfig,
    OrchestratorResult,
    SequentialOrchestrator,
    SubTask,
)
from dagorch.providers import ProviderFactory
from dagorch.testing import run_virtual
from tests.conformance.doubles import PLAN, Plain, by_tier, cascade, once, talking
from tests.conformance.swarms import citing, swarm
from tests.servers import Connection, ModelServer, Request, answer

LATENCY_SECONDS = 3.0
STEPS = ["one", "two", "three"]


def custom(provider: Any) -> BaseOrchestrator:
    """Return a diamond of calls: one, two concurrent ones, one."""

    class Asking(Plain):
        async def execute_subtask(self, subtask, context=None):
            await self.provider.acomplete([{"role": "user", "content": subtask.description}])
            return await super().execute_subtask(subtask, context)

    plan = [
        SubTask("top", "top"), SubTask("left", "left", dependencies=["top"]),
        SubTask("right", "right", dependencies=["top"]),
        SubTask("end", "end", dependencies=["left", "right"]),
    ]  # fmt: skip
    return Asking(once(), provider, plan=plan)


# By pattern: a constructor, the calls on the longest path, and the total number of calls.
PATTERNS: dict[str, tuple[Callable[[Any], BaseOrchestrator], int, int]] = {
    "cascade": (lambda p: cascade(p, belter_count=6, drummer_count=3), 4, 1 + 6 + 3 + 1),
    "swarm": (lambda p: swarm(p, num_agents=5, max_parallel=5), 2, 5 + 1),
    "sequential": (lambda p: SequentialOrchestrator(once(steps=STEPS), p), 3, 3),
    "conditional": (
        lambda p: ConditionalOrchestrator(
            once(), p, condition="Is it?", true_branch=STEPS[:2], false_branch=STEPS[:2]
        ),
        3,
        3,
    ),
    "iterative": (
        lambda p: IterativeOrchestrator(OrchestratorConfig(max_retries=0), p, max_iterations=2),
        2,
        2,
    ),
    "own": (custom, 3, 4),
}


def reply(request: Any) -> Any:
    """A reply that works for every pattern."""
    if "Both" in (text := citing(request)) or "[1]" in request.messages[-1].content:
        return text
    return "yes" if "Is it?" in request.messages[-1].content else by_tier(request)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_duration_is_the_span_of_the_graph(pattern: str, backend: Any) -> None:
    make, depth, calls = PATTERNS[pattern]
    provider = talking(reply, latency_seconds=LATENCY_SECONDS)

    async def main() -> tuple[OrchestratorResult, float]:
        start = anyio.current_time()
        result = await make(provider).execute_workflow("Why?")
        return result, anyio.current_time() - start

    result, seconds = run_virtual(main, backend=backend)
    assert result.status == "completed"
    assert len(provider.requests) == calls
    assert seconds == depth * LATENCY_SECONDS
    assert result.execution_time == depth * LATENCY_SECONDS


@pytest.mark.full
def test_the_duration_is_the_span_of_the_graph_in_real_time() -> None:
    """Within 3 % with a model that takes three seconds, all patterns at the same time."""

    async def slow(seen: Request, wire: Connection) -> None:
        await asyncio.sleep(LATENCY_SECONDS)
        prompt = str(seen.json["messages"][-1]["content"])
        text = PLAN if "response_format" in seen.json else "Yes. Bees dance [1]."
        await answer("yes" if "Is it?" in prompt else text)(seen, wire)

    spans: dict[str, float] = {}

    async def main() -> None:
        async def timed(pattern: str) -> None:
            make, depth, _ = PATTERNS[pattern]
            async with ProviderFactory.get_provider(
                "openai", model="m", api_key="k", base_url=server.url
            ) as provider:
                start = anyio.current_time()
                result = await make(provider).execute_workflow("Why?")
                spans[pattern] = (anyio.current_time() - start) / (depth * LATENCY_SECONDS)
            assert result.status == "completed"

        async with anyio.create_task_group() as group:
            for pattern in PATTERNS:
                group.start_soon(timed, pattern)

    with ModelServer(slow) as server:
        anyio.run(main)
    assert spans.keys() == PATTERNS.keys()
    assert all(0.99 < span < 1.03 for span in spans.values()), spans
