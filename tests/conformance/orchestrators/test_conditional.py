"""A condition picks one branch; only that branch runs, and the result names it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from dagorch import ConditionalOrchestrator, DefinitionError, OrchestratorConfig, RunError
from dagorch.models.llm import LLMRequest
from tests.conformance.doubles import HI, once, talking


def long(context: dict[str, Any]) -> bool:
    return len(context["text"]) > 5


@pytest.mark.parametrize(("text", "label"), [("a long text", "true"), ("short", "false")])
async def test_as_documented(text: str, label: str) -> None:
    ran: list[str] = []

    def h1(step: str, context: dict[str, Any]) -> str:
        ran.append("h1")
        return f"{step}: {context['text']}"

    async def h2(step: str, context: dict[str, Any]) -> str:
        ran.append("h2")
        return f"{step}: {context['text']}"

    o = ConditionalOrchestrator(
        OrchestratorConfig(), talking("x"), condition=long, true_branch=h1, false_branch=h2
    )
    result = await o.execute_workflow("Why?", context={"text": text})
    assert result.metadata["selected_branch"] == label
    assert result.result == f"{label}: {text}"
    assert ran == ["h1" if label == "true" else "h2"]
    assert [(a.subtask_id, a.status, a.metadata["branch"]) for a in result.agent_results] == [
        (label, "completed", label)
    ]
    assert result.status == "completed"


async def value(it: Any) -> Any:
    await anyio.lowlevel.checkpoint()
    return it


@pytest.mark.parametrize(
    "condition",
    [lambda context: context["on"], lambda context: value(context["on"]), lambda s, c: c["on"]],
    ids=["lambda", "lambda around a coroutine", "two parameters"],
)
async def test_any_callable_may_be_the_condition(condition: Any) -> None:
    async def of_async(context: dict[str, Any]) -> Any:
        return context["on"]

    for fn in (condition, of_async):
        for on in (True, False):
            o = ConditionalOrchestrator(
                once(), condition=fn, true_branch=lambda c: 1, false_branch=lambda c: 2
            )
            result = await o.execute_workflow("Why?", {"on": on})
            assert result.result == (1 if on else 2)


async def test_later_steps_of_a_branch_see_the_earlier_results() -> None:
    def third(step: str, context: dict[str, Any]) -> Any:
        return step, context

    o = ConditionalOrchestrator(
        once(),
        talking("found"),
        condition=long,
        true_branch=[lambda context: "one", "Say it better.", third],
        false_branch=lambda context: 0,
    )
    result = await o.execute_workflow("Why?", {"text": "a long text"})
    assert result.result == (
        "true_3",
        {"text": "a long text", "task": "Why?", "results": {"true_1": "one", "true_2": "found"}},
    )
    assert [a.subtask_id for a in result.agent_results] == ["true_1", "true_2", "true_3"]
    ends = {path: run.end for path, run in result.run.node_runs.items()}
    assert ends["false"] == "skipped"


BRANCHES: dict[str, Any] = {
    "refund": lambda context: "refunded",
    "answer": "Answer the customer.",
    "escalate": [lambda context: "noted", lambda step, context: context["results"]],
}


@pytest.mark.parametrize(
    ("label", "expected"),
    [("refund", "refunded"), ("answer", "Dear!"), ("escalate", {"escalate_1": "noted"})],
)
async def test_a_selector_picks_one_of_many_branches(label: str, expected: Any) -> None:
    o = ConditionalOrchestrator(
        once(), talking("Dear!"), selector=lambda context: context["kind"], branches=BRANCHES
    )
    result = await o.execute_workflow("Help", {"kind": label})
    assert result.metadata["selected_branch"] == label
    assert result.result == expected


@pytest.mark.parametrize("selected", ["refnd", "", None, 3, ["refund"]], ids=repr)
async def test_an_unknown_label_is_an_error_that_names_the_labels(selected: Any) -> None:
    def kind(context: dict[str, Any]) -> Any:
        return selected

    o = ConditionalOrchestrator(
        OrchestratorConfig(), talking("x"), selector=kind, branches=BRANCHES
    )
    with pytest.raises(RunError, match="'refund', 'answer', 'escalate'") as caught:
        await o.execute_workflow("Help")
    assert "selector kind" in str(caught.value)
    assert caught.value.partial_results.result is None
    assert caught.value.partial_results.metadata["selected_branch"] is None


REPLIES = {
    "yes": "true",
    "No, it is short.": "false",
    "**Yes**": "true",
    '{"value": "no"}': "false",
}


@pytest.mark.parametrize(("content", "label"), REPLIES.items(), ids=REPLIES)
async def test_a_model_answers_a_question_as_the_condition(content: str, label: str) -> None:
    def reply(request: LLMRequest) -> str:
        return content if request.json_schema is not None else "done"

    provider = talking(reply)
    o = ConditionalOrchestrator(
        once(), provider, condition="Is it long?", true_branch="Cut it.", false_branch="Extend it."
    )
    result = await o.execute_workflow("A text")
    assert result.metadata["selected_branch"] == label
    asked, done = (request.messages[-1].content for request in provider.requests)
    assert "Is it long? Reply with one of these words: yes, no." in asked
    assert ("Cut it." if label == "true" else "Extend it.") in done


async def test_a_reply_without_a_label_is_retried_and_then_fails() -> None:
    replies = iter(["Hm.", "I would say: escalate"])
    provider = talking(lambda request: next(replies) if request.json_schema else "x")
    o = ConditionalOrchestrator(
        OrchestratorConfig(max_retries=1), provider, selector="What is it?", branches=BRANCHES
    )
    assert (await o.execute_workflow("Help")).metadata["selected_branch"] == "escalate"
    never = ConditionalOrchestrator(
        once(), talking("Hm."), selector="What is it?", branches=BRANCHES
    )
    with pytest.raises(RunError, match="not one of these words: refund, answer, escalate"):
        await never.execute_workflow("Help")


async def test_calls_in_a_condition_are_metered() -> None:
    async def costly(context: dict[str, Any]) -> bool:
        return bool((await o.provider.acomplete(HI)).content)

    o = ConditionalOrchestrator(
        once(),
        talking("yes", price_per_token=0.5),
        condition=costly,
        true_branch=lambda c: 1,
        false_branch=lambda c: 2,
    )
    assert (await o.execute_workflow("Why?")).total_cost == pytest.approx(1.0)


def nothing(context: dict[str, Any]) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "takes either condition=, true_branch= and false_branch=, or selector="),
        ({"condition": long, "branches": {"a": nothing}}, "or selector="),
        ({"true_branch": nothing, "false_branch": nothing}, "condition= is missing"),
        ({"condition": long, "true_branch": nothing}, "false_branch= is missing"),
        ({"condition": long, "true_branch": [], "false_branch": nothing}, "true_branch= is miss"),
        ({"condition": 3, "true_branch": nothing, "false_branch": nothing}, "is not callable"),
        ({"condition": long, "true_branch": 3, "false_branch": nothing}, "true_branch= is 3"),
        ({"condition": long, "true_branch": " ", "false_branch": nothing}, "an empty instruction"),
        ({"selector": long}, "branches= is missing"),
        ({"branches": {"a": nothing}}, "selector= is missing"),
        (
            {"selector": long, "branches": {1: nothing}},
            "the label 1; a label is a non-empty string",
        ),
    ],
)
def test_wrong_arguments_are_refused_at_construction(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        ConditionalOrchestrator(once(), talking("x"), **options)


async def test_labels_may_equal_ids_that_the_graph_uses() -> None:
    branches = {
        name: (lambda step, context: step) for name in ("branch", "answer", "task", "selector")
    }
    for label in branches:
        o = ConditionalOrchestrator(
            once(), selector=lambda context, to=label: to, branches=branches
        )
        result = await o.execute_workflow("Why?")
        assert (result.result, result.metadata["selected_branch"]) == (label, label)
