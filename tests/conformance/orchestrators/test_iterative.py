"""Passes until one converges, up to the limit; each sees the previous result."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from dagorch import DefinitionError, IterativeOrchestrator, OrchestratorConfig, RunError
from dagorch.models.llm import LLMRequest
from tests.conformance.doubles import HI, once, talking


def scoring(step: str, context: dict[str, Any]) -> dict[str, Any]:
    return {"score": context["iteration"] * 0.25, "seen": context["previous"]}


async def test_as_documented() -> None:
    o = IterativeOrchestrator(
        OrchestratorConfig(),
        talking("x"),
        max_iterations=5,
        convergence_fn=lambda results: results["score"] > 0.9,
        handler=scoring,
    )
    result = await o.execute_workflow("Better!")
    assert result.metadata["iterations"] == 4
    assert result.metadata["converged"] is True
    assert result.result["score"] == 1.0
    assert result.result["seen"]["seen"]["seen"] == {"score": 0.25, "seen": None}
    assert [agent.subtask_id for agent in result.agent_results] == [
        "improve_1", "improve_2", "improve_3", "improve_4",
    ]  # fmt: skip
    assert [agent.content["score"] for agent in result.agent_results] == [0.25, 0.5, 0.75, 1.0]


async def test_the_context_of_each_pass() -> None:
    seen: list[dict[str, Any]] = []

    async def keeping(context: dict[str, Any]) -> str:
        seen.append(context)
        return f"text {context['iteration']}"

    await IterativeOrchestrator(once(), max_iterations=2, handler=keeping).execute_workflow(
        "Better!", {"mine": 1}
    )
    common = {"mine": 1, "task": "Better!", "results": {}}
    assert seen == [
        {**common, "previous": None, "iteration": 1},
        {**common, "previous": "text 1", "iteration": 2},
    ]


@pytest.mark.parametrize("wanted", [1, 2, 5, 9])
@pytest.mark.parametrize("limit", [1, 5])
async def test_the_loop_stops_at_the_first_pass_that_converges(wanted: int, limit: int) -> None:
    passes: list[int] = []

    def handler(context: dict[str, Any]) -> dict[str, Any]:
        passes.append(context["iteration"])
        return {"n": context["iteration"]}

    o = IterativeOrchestrator(
        once(), max_iterations=limit, convergence_fn=lambda r: r["n"] >= wanted, handler=handler
    )
    result = await o.execute_workflow("Better!")
    assert passes == list(range(1, min(wanted, limit) + 1))
    assert result.metadata["converged"] is (wanted <= limit)


REPLIES = {
    "text": ("Bees dance.", {}),
    "object": ('{"score": 0.5, "why": ["x"]}', {"score": 0.5, "why": ["x"]}),
    "fenced": ('Here:\n```json\n{"score": 0.5}\n```', {"score": 0.5}),
    "broken before": ('{oops {"score": 1}', {"score": 1}),
    "its own names": ('{"content": "mine", "iteration": 99, "a": 1}', {"a": 1}),
    "a list": ("[1, 2]", {}),
}


@pytest.mark.parametrize(("content", "fields"), REPLIES.values(), ids=REPLIES)
async def test_the_result_of_an_llm_pass(content: str, fields: dict[str, Any]) -> None:
    seen: list[Any] = []
    provider = talking(content)
    o = IterativeOrchestrator(once(), provider, max_iterations=2, convergence_fn=seen.append)
    result = await o.execute_workflow("Better!")
    assert seen == [{"content": content, "iteration": n, **fields} for n in (1, 2)]
    assert result.result == seen[-1]
    assert [agent.content for agent in result.agent_results] == [content, content]


async def test_a_model_reads_its_previous_answer() -> None:
    provider = talking(lambda request: f"answer {len(provider.requests)}")
    await IterativeOrchestrator(once(), provider, max_iterations=3).execute_workflow("Better!")
    first, second, third = (request.messages[-1].content for request in provider.requests)
    assert "previous answer" not in first
    assert second.startswith("previous answer: answer 1\n\nTask: Better!")
    assert "answer 2" in third
    assert "answer 1" not in third


async def test_the_default_is_five_passes_without_a_condition() -> None:
    provider = talking("x")
    result = await IterativeOrchestrator(once(), provider).execute_workflow("Better!")
    assert len(provider.requests) == 5
    assert (result.metadata["iterations"], result.metadata["converged"]) == (5, False)


async def test_a_pass_of_several_steps() -> None:
    def reply(request: LLMRequest) -> str:
        return json.dumps({"score": len(provider.requests)})

    def critic(step: str, context: dict[str, Any]) -> str:
        assert step == "critique"
        assert list(context["results"]) == ["draft"]
        return f"critique of {context['results']['draft']}, pass {context['iteration']}"

    provider = talking(reply)
    o = IterativeOrchestrator(
        once(steps=["draft", "critique", "revise"]),
        provider,
        convergence_fn=lambda results: results["score"] >= 4,
        step_handlers={"critique": critic},
    )
    result = await o.execute_workflow("Better!")
    assert result.metadata["iterations"] == 2
    assert [agent.subtask_id for agent in result.agent_results] == [
        "draft_1", "critique_1", "revise_1", "draft_2", "critique_2", "revise_2",
    ]  # fmt: skip
    assert result.agent_results[4].content == 'critique of {"score": 3}, pass 2'
    assert result.result == {"score": 4, "content": '{"score": 4}', "iteration": 2}


async def test_calls_in_a_convergence_fn_are_metered() -> None:
    async def judge(results: dict[str, Any]) -> bool:
        await o.provider.acomplete(HI)
        return bool(results["iteration"] == 2)

    for fn in (judge, lambda results: judge(results)):
        o = IterativeOrchestrator(once(), talking("one", price_per_token=1), convergence_fn=fn)
        result = await o.execute_workflow("Better!")
        assert result.metadata["iterations"] == 2
        assert result.total_cost == sum(a.cost for a in result.agent_results) + 4


async def test_a_convergence_fn_that_raises_is_named_and_results_are_kept() -> None:
    def good_enough(results: dict[str, Any]) -> bool:
        return bool(results["content"] > 0.9)

    o = IterativeOrchestrator(OrchestratorConfig(), talking("no score"), convergence_fn=good_enough)
    with pytest.raises(RunError, match="TypeError: '>' not supported") as caught:
        await o.execute_workflow("Better!")
    assert "convergence_fn good_enough" in str(caught.value)
    partial = caught.value.partial_results
    assert [(a.subtask_id, a.content, a.status) for a in partial.agent_results] == [
        ("improve_1", "no score", "completed")
    ]


async def test_a_lambda_around_an_async_condition_is_awaited() -> None:
    async def value(it: bool) -> bool:
        return it

    o = IterativeOrchestrator(once(), talking("x"), convergence_fn=lambda results: value(True))
    assert (await o.execute_workflow("Better!")).metadata["iterations"] == 1


async def test_a_sync_condition_does_not_run_on_the_loop() -> None:
    def calling(results: Any) -> bool:
        return anyio.from_thread.run(value, True)

    async def value(it: bool) -> bool:
        return it

    o = IterativeOrchestrator(once(), talking("x"), convergence_fn=calling)
    assert (await o.execute_workflow("Better!")).metadata["iterations"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_iterations": 0}, "max_iterations=0 must be a whole number from 1 to 10,000"),
        ({"max_iterations": 10**9}, "from 1 to 10,000"),
        ({"max_iterations": True}, "must be a whole number"),
        ({"max_iterations": 2.0}, "must be a whole number"),
        ({"convergence_fn": 0.9}, "convergence_fn=0.9 is not callable"),
        ({"handler": "x"}, "handler= is 'x', which is not callable"),
        ({"handler": print, "step_handlers": {"a": print, "b": print}}, "a pass of one step"),
    ],
)
def test_wrong_arguments_are_refused_at_construction(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        IterativeOrchestrator(once(), talking("x"), **options)


async def test_a_model_answers_a_question_as_the_convergence_fn() -> None:
    verdicts = iter(["no", "No.", "Yes, it is."])

    def reply(request: LLMRequest) -> str:
        return next(verdicts) if request.json_schema else f"answer {len(provider.requests)}"

    provider = talking(reply)
    o = IterativeOrchestrator(once(steps=["judge"]), provider, convergence_fn="Is it short?")
    result = await o.execute_workflow("Better!")
    assert (result.metadata["iterations"], result.metadata["converged"]) == (3, True)
    asked = provider.requests[1].messages[-1].content
    assert asked.startswith("Task: Better!\n\nAnswer to it: answer 1\n\nIs it short? Reply with")
    assert len(result.agent_results) == 3
