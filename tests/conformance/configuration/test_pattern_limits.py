"""Retries, the fallback model and the duration of the smaller patterns."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from dagorch import ConditionalOrchestrator, IterativeOrchestrator, OrchestratorConfig, RunError
from dagorch.models.llm import LLMRequest
from dagorch.testing import ScriptedProvider, run_virtual
from tests.conformance.doubles import HI, once, talking
from tests.conformance.patterns import KINDS, of_handlers, of_models

LATENCY_SECONDS = 3.0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_duration_is_the_span_of_the_graph(kind: str, backend: Any) -> None:
    provider = talking("x", latency_seconds=LATENCY_SECONDS)

    async def main() -> float:
        result = await of_models(kind, once(), provider).execute_workflow("Why?")
        assert len(provider.requests) == 3
        return float(result.execution_time)

    # The span of a chain equals its work.
    assert run_virtual(main, backend=backend) == 3 * LATENCY_SECONDS


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_two_hundred_workflows_take_as_long_as_one(backend: Any) -> None:
    provider = talking("x", latency_seconds=LATENCY_SECONDS)

    async def main() -> float:
        began = anyio.current_time()
        o = IterativeOrchestrator(once(), provider, max_iterations=2)
        async with anyio.create_task_group() as group:
            for n in range(200):
                group.start_soon(o.execute_workflow, f"task {n}")
        return anyio.current_time() - began

    assert run_virtual(main, backend=backend) == 2 * LATENCY_SECONDS


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_each_step_is_retried(kind: str, retries: int) -> None:
    attempts: list[int] = []

    async def work(number: int, context: dict[str, Any]) -> str:
        attempts.append(number)
        if attempts.count(number) <= retries:
            raise OSError("not now")
        return "fine"

    o = of_handlers(kind, OrchestratorConfig(max_retries=retries), work)
    result = run_virtual(o.execute_workflow, "Why?")
    assert result.status == "completed"
    assert attempts == [n for n in (1, 2, 3) for _ in range(retries + 1)]
    assert [a.metadata["attempts"] for a in result.agent_results] == [retries + 1] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_fallback_model_answers_if_the_primary_model_fails(kind: str) -> None:
    def reply(request: LLMRequest) -> str:
        if request.model == "main":
            raise OSError("gone")
        return f"said by {request.model}"

    config = OrchestratorConfig(max_retries=1, primary_model="main", fallback_model="spare")
    provider = talking(reply)
    result = run_virtual(of_models(kind, config, provider).execute_workflow, "Why?")
    assert [a.content for a in result.agent_results] == ["said by spare"] * 3
    assert [request.model for request in provider.requests] == ["main", "main", "spare"] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_fallback_model_answers_calls_of_handlers(kind: str) -> None:
    async def work(number: int, context: dict[str, Any]) -> str:
        return (await o.provider.acomplete(HI)).content

    def reply(request: LLMRequest) -> str:
        if request.model == "main":
            raise OSError("gone")
        return f"said by {request.model}"

    config = OrchestratorConfig(max_retries=0, primary_model="main", fallback_model="spare")
    o = of_handlers(kind, config, work, talking(reply))
    result = run_virtual(o.execute_workflow, "Why?")
    assert [a.content for a in result.agent_results] == ["said by spare"] * 3


def test_a_condition_is_retried_only_if_a_service_failed() -> None:
    from dagorch.errors import OverloadedError

    calls: list[str] = []

    async def asking(_: Any) -> bool:
        calls.append("asked")
        return bool((await o.provider.acomplete(HI)).content)

    async def broken(_: Any) -> bool:
        calls.append("broken")
        raise ValueError("a mistake")

    def make(fn: Any, *replies: Any) -> Any:
        provider = ScriptedProvider([*replies, "yes", "yes"], name="mine")
        config = OrchestratorConfig(max_retries=2)
        return [
            ConditionalOrchestrator(
                config, provider, condition=fn, true_branch=len, false_branch=len
            ),
            IterativeOrchestrator(config, provider, handler=len, convergence_fn=fn),
        ]

    for index in (0, 1):
        o = make(asking, OverloadedError("busy"))[index]
        assert run_virtual(o.execute_workflow, "Why?").status == "completed"
        assert calls == ["asked", "asked"]
        calls.clear()
        o = make(broken)[index]
        with pytest.raises(RunError, match="a mistake"):
            run_virtual(o.execute_workflow, "Why?")
        assert calls == ["broken"]
        calls.clear()
