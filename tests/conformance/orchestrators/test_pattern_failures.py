"""Failures in each step: the partial result has the finished steps and nothing else."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from dagorch import (
    BudgetExceededError,
    ConditionalOrchestrator,
    IterativeOrchestrator,
    OrchestratorConfig,
    OrchestratorResult,
    RunError,
)
from dagorch.errors import BadRequestError, NodeTimeoutError
from dagorch.models.llm import LLMRequest
from dagorch.testing import ScriptedProvider, run_virtual
from tests.conformance.doubles import once, talking
from tests.conformance.patterns import KINDS, of_handlers, of_models

POSITIONS = [1, 2, 3]


def check(partial: Any, finished: list[str], end: str) -> None:
    """Check that the finished steps are kept, the next one has `end`, and no other completed."""
    assert isinstance(partial, OrchestratorResult)
    assert partial.result is None
    ends = [agent.status.value for agent in partial.agent_results]
    done = len(finished)
    assert [agent.content for agent in partial.agent_results[:done]] == finished
    assert ends[:done] == ["completed"] * done
    assert ends[done : done + 1] == [end]
    for agent in partial.agent_results[done:]:
        assert agent.status != "completed"
        assert agent.content == ""
    assert OrchestratorResult.model_validate_json(partial.model_dump_json()) == partial


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_handler_that_fails(kind: str, position: int) -> None:
    async def work(number: int, context: dict[str, Any]) -> str:
        if number == position:
            raise OSError(f"no {number}")
        return f"text {number}"

    with pytest.raises(RunError, match=f"OSError: no {position}") as caught:
        await of_handlers(kind, once(), work).execute_workflow("Why?")
    partial = caught.value.partial_results
    assert partial.status == "failed"
    check(partial, [f"text {n}" for n in range(1, position)], "failed")
    assert partial.agent_results[position - 1].metadata["error"] == f"OSError: no {position}"
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_that_fails(kind: str, position: int) -> None:
    def reply(request: LLMRequest) -> str:
        if len(provider.requests) == position:
            raise OSError("no network")
        return f"text {len(provider.requests)}"

    provider = talking(reply, price_per_token=0.01)
    with pytest.raises(RunError, match="no network") as caught:
        await of_models(kind, once(), provider).execute_workflow("Why?")
    partial = caught.value.partial_results
    check(partial, [f"text {n}" for n in range(1, position)], "failed")
    assert partial.total_cost == pytest.approx(sum(a.cost for a in partial.agent_results))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_times_out(kind: str, position: int, backend: Any) -> None:
    async def work(number: int, context: dict[str, Any]) -> str:
        await anyio.sleep(100 if number == position else 5)
        return f"text {number}"

    async def main() -> float:
        o = of_handlers(kind, once(timeout_seconds=10), work)
        with pytest.raises(RunError) as caught:
            await o.execute_workflow("Why?")
        assert isinstance(caught.value.__cause__, NodeTimeoutError)
        partial = caught.value.partial_results
        check(partial, [f"text {n}" for n in range(1, position)], "failed")
        return float(partial.execution_time)

    assert run_virtual(main, backend=backend) == pytest.approx(10 + 5 * (position - 1), abs=0.5)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_step_that_is_cancelled(kind: str, position: int) -> None:
    async def work(number: int, context: dict[str, Any]) -> str:
        if number == position:
            o.cancel("enough")
            await anyio.sleep_forever()
        return f"text {number}"

    o = of_handlers(kind, once(), work)
    with anyio.fail_after(20), pytest.raises(RunError, match="cancelled: enough") as caught:
        await o.execute_workflow("Why?")
    partial = caught.value.partial_results
    assert partial.status == "cancelled"
    check(partial, [f"text {n}" for n in range(1, position)], "cancelled")


@pytest.mark.parametrize("position", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_step_beyond_the_budget(kind: str, position: int) -> None:
    seen: list[float] = []

    def reply(request: LLMRequest) -> str:
        seen.append(float(provider.worst_case_usd(request) or 0))
        return f"text {len(seen)}"

    provider = talking(reply, price_per_token=0.0001, output_limit=10)
    whole = await of_models(kind, once(), provider).execute_workflow("Why?")
    spent = [agent.cost for agent in whole.agent_results]
    # Just enough for the reservation of the previous step.
    ceiling = sum(spent[: position - 2]) + seen[position - 2] + 1e-9
    seen.clear()
    with pytest.raises(BudgetExceededError) as caught:
        await of_models(kind, once(max_cost=ceiling), provider).execute_workflow("Why?")
    partial = caught.value.partial_results
    ends = [(agent.content, agent.status.value) for agent in partial.agent_results]
    assert ends == [(f"text {n}", "completed") for n in range(1, position)]
    assert partial.total_cost <= ceiling
    assert partial.result is None


@pytest.mark.parametrize("how", ["fails", "hangs", "is cancelled", "costs too much"])
def test_a_condition_that_does_not_complete_runs_no_branch(how: str) -> None:
    async def condition(context: dict[str, Any]) -> bool:
        if how == "fails":
            raise OSError("no")
        if how == "is cancelled":
            o.cancel()
        if how == "costs too much":
            await o.provider.acomplete([{"role": "user", "content": "Well?"}])
        await anyio.sleep_forever()
        return True

    ran: list[Any] = []
    o = ConditionalOrchestrator(
        OrchestratorConfig(max_retries=0, timeout_seconds=9, max_cost=0.0001),
        ScriptedProvider("x", price_per_token=1),
        condition=condition,
        true_branch=ran.append,
        false_branch=ran.append,
    )
    with pytest.raises(RunError) as caught:
        run_virtual(o.execute_workflow, "Why?")
    assert isinstance(caught.value, BudgetExceededError) is (how == "costs too much")
    partial = caught.value.partial_results
    assert (partial.result, partial.agent_results, ran) == (None, [], [])
    assert partial.metadata["selected_branch"] is None


async def test_finished_steps_of_a_failed_pass_are_kept() -> None:
    texts = iter(["draft", "check", "better draft"])

    def reply(request: LLMRequest) -> str:
        text = next(texts, None)
        if text is None:
            raise BadRequestError("no")
        return text

    o = IterativeOrchestrator(once(steps=["write", "check"]), talking(reply), max_iterations=3)
    with pytest.raises(RunError) as caught:
        await o.execute_workflow("Why?")
    agents = caught.value.partial_results.agent_results
    assert [(agent.subtask_id, agent.status.value, agent.content) for agent in agents] == [
        ("write_1", "completed", "draft"), ("check_1", "completed", "check"),
        ("write_2", "completed", "better draft"), ("check_2", "failed", ""),
    ]  # fmt: skip
