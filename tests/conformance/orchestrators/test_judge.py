"""A field that the convergence function reads and a model's pass lacks is asked of a judge."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from dagorch import (
    BudgetExceededError,
    IterativeOrchestrator,
    OrchestratorConfig,
    RunError,
)
from dagorch.models.llm import LLMRequest
from dagorch.providers import ProviderFactory
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import once, talking


def is_judge(request: LLMRequest) -> bool:
    return "Judge this answer" in request.messages[0].content


def judging(*verdicts: Any, **options: Any) -> ScriptedProvider:
    """Return a provider that answers with text, and judges with these replies in order."""
    remaining = iter(verdicts)

    def reply(request: LLMRequest) -> Any:
        return next(remaining) if is_judge(request) else f"answer {len(provider.requests)}"

    provider = talking(reply, **options)
    return provider


def judges(provider: ScriptedProvider) -> list[LLMRequest]:
    return [request for request in provider.requests if is_judge(request)]


async def test_the_documented_snippet_runs_without_a_handler() -> None:
    provider = judging({"score": 0.4, "reason": "Too short."}, {"score": 0.95, "reason": "ok"})
    o = IterativeOrchestrator(
        OrchestratorConfig(),
        provider,
        max_iterations=5,
        convergence_fn=lambda results: results["score"] > 0.9,
    )
    result = await o.execute_workflow("How do bees talk?")
    assert (result.metadata["iterations"], result.metadata["converged"]) == (2, True)
    assert result.result == {
        "content": "answer 3", "iteration": 2, "score": 0.95, "reason": "ok",
    }  # fmt: skip
    assert [agent.content for agent in result.agent_results] == ["answer 1", "answer 3"]
    first = judges(provider)[0].messages[0].content
    assert first.startswith("Task: How do bees talk?\n\nAnswer to it: answer 1\n\n")
    assert '"score": a number from 0 (useless) to 1' in first
    assert judges(provider)[0].json_schema["required"] == ["reason", "score"]
    second_pass = provider.requests[2].messages[0].content
    assert "previous answer: answer 1\n\nA judge of it: Too short." in second_pass


READERS: dict[str, Callable[[Any], Any]] = {
    "item": lambda results: results["score"] > 0.9,
    "get": lambda results: results.get("score", 0) > 0.9,
    "in": lambda results: "score" in results and results["score"] > 0.9,
    "attribute": lambda results: results.score > 0.9,
    "hasattr": lambda results: hasattr(results, "score") and results.score > 0.9,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
async def test_every_way_to_read_a_field(reader: Callable[[Any], Any]) -> None:
    provider = judging({"score": 0.1}, {"score": 1})
    result = await IterativeOrchestrator(once(), provider, convergence_fn=reader).execute_workflow(
        "Better!"
    )
    assert result.metadata["iterations"] == 2
    assert len(judges(provider)) == 2


async def test_an_async_function_and_several_fields() -> None:
    async def good(results: Any) -> bool:
        return results["clear"] and results["score"] > 0.5 and results["score"] < 0.9

    provider = judging({"clear": True}, {"score": 0.7})
    result = await IterativeOrchestrator(once(), provider, convergence_fn=good).execute_workflow(
        "Better!"
    )
    assert result.metadata["converged"] is True
    assert (result.result["clear"], result.result["score"]) == (True, 0.7)


async def test_a_reply_that_has_the_field_needs_no_judge() -> None:
    provider = talking('{"score": 0.95}')
    o = IterativeOrchestrator(once(), provider, convergence_fn=READERS["item"])
    assert (await o.execute_workflow("Better!")).metadata["iterations"] == 1
    assert not judges(provider)


@pytest.mark.parametrize(
    ("reply", "score"),
    [("0.95", 0.95), ("Score: 8/10. Fine.", 0.8), ("**90 %**", 0.9), ('{"score": "9/10"}', 0.9)],
)
async def test_a_score_in_words(reply: str, score: float) -> None:
    provider = judging(reply)
    o = IterativeOrchestrator(once(), provider, convergence_fn=lambda r: r["score"] >= 0.8)
    assert (await o.execute_workflow("Better!")).result["score"] == score


async def test_a_judge_that_gives_no_score_is_asked_again_and_then_named() -> None:
    provider = judging("very good", "excellent")
    config = OrchestratorConfig(max_retries=1)
    o = IterativeOrchestrator(config, provider, convergence_fn=READERS["item"])
    with pytest.raises(RunError, match="has no score from 0 to 1: 'excellent'") as caught:
        await o.execute_workflow("Better!")
    assert caught.value.path == "passes[0]/judging[0]/judge"
    partial = caught.value.partial_results
    assert [agent.content for agent in partial.agent_results] == ["answer 1"]
    assert judges(provider)[1].messages[1].content == "very good"


async def test_a_judge_that_does_not_provide_the_field_is_named() -> None:
    provider = judging({"score": 1})
    o = IterativeOrchestrator(once(), provider, convergence_fn=lambda r: r["depth"] > 1)
    with pytest.raises(RunError, match="reads 'depth' of the results, which neither"):
        await o.execute_workflow("Better!")
    assert len(judges(provider)) == 1


async def test_a_function_that_fails_otherwise_ends_the_loop_with_what_there_is() -> None:
    def good_enough(results: dict[str, Any]) -> bool:
        return results["content"] > 3  # type: ignore[operator]

    o = IterativeOrchestrator(once(), talking("text"), convergence_fn=good_enough)
    with pytest.raises(RunError, match="convergence_fn good_enough") as caught:
        await o.execute_workflow("Better!")
    assert isinstance(caught.value.__cause__, TypeError)
    assert [a.content for a in caught.value.partial_results.agent_results] == ["text"]


async def test_the_judge_is_metered_and_under_the_ceiling() -> None:
    provider = judging("0.1", "1", price_per_token=0.001, output_limit=100)
    o = IterativeOrchestrator(once(), provider, convergence_fn=READERS["item"])
    result = await o.execute_workflow("Better!")
    assert result.total_cost > sum(agent.cost for agent in result.agent_results)
    assert result.metadata["usage_by_tier"]["orchestrator"]["calls"] == 2
    provider = talking("word " * 2_500, price_per_token=0.001)
    o = IterativeOrchestrator(once(max_cost=4.0), provider, convergence_fn=READERS["item"])
    with pytest.raises(BudgetExceededError):
        await o.execute_workflow("Better!")
    assert not judges(provider)


def test_it_is_in_the_graph() -> None:
    o = IterativeOrchestrator(once(), convergence_fn=READERS["item"])
    body = o.graph("Better!").node("passes").body
    assert body.node("judging").body.node("judge").kind == "llm"
    without = IterativeOrchestrator(once(), handler=lambda c: {}, convergence_fn=READERS["item"])
    assert "judging" not in without.graph("Better!").node("passes").body


async def test_a_handlers_result_is_used_as_it_is() -> None:
    o = IterativeOrchestrator(
        once(), talking("1"), handler=lambda c: {"a": 1}, convergence_fn=READERS["item"]
    )
    with pytest.raises(RunError, match="KeyError: 'score'"):
        await o.execute_workflow("Better!")


@pytest.mark.parametrize("kind", ["scripted", "Mock", "AsyncMock", "JSON"])
async def test_on_providers_for_tests(kind: str) -> None:
    provider: Any = ProviderFactory.get_provider("scripted")
    if kind == "Mock":
        provider = Mock(spec=["complete"])
        provider.complete.return_value = "A text of 0.97 quality."
    elif kind == "AsyncMock":
        provider = AsyncMock(spec=["acomplete"])
        provider.acomplete.return_value = "0.97"
    elif kind == "JSON":
        provider = Mock(spec=["complete"])
        provider.complete.return_value = json.dumps({"score": 0.97, "text": "x"})
    o = IterativeOrchestrator(
        OrchestratorConfig(), provider, max_iterations=5, convergence_fn=READERS["item"]
    )
    result = await o.execute_workflow("Why are bees bees?")
    assert result.metadata["converged"] is (kind != "scripted")
