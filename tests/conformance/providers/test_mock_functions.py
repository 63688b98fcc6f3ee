"""`unittest.mock` objects as conditions, selectors and handlers, and lists of replies that end."""

from __future__ import annotations

from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest

from dagorch import (
    ConditionalOrchestrator,
    IterativeOrchestrator,
    OrchestratorConfig,
    RunError,
    SequentialOrchestrator,
)
from tests.conformance.doubles import once

KINDS = [Mock, MagicMock, AsyncMock]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_condition_is_called_with_the_context_alone(kind: Any) -> None:
    condition, yes, no = kind(return_value=1), kind(return_value="yes"), kind(return_value="no")
    o = ConditionalOrchestrator(once(), condition=condition, true_branch=yes, false_branch=no)
    result = await o.execute_workflow("Why?", {"hour": 9})
    assert (result.result, result.metadata["selected_branch"]) == ("yes", "true")
    condition.assert_called_once_with({"hour": 9, "task": "Why?", "results": {}})
    no.assert_not_called()
    step, context = yes.call_args.args
    assert (step, context["hour"]) == ("true", 9)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_condition_with_a_side_effect(kind: Any) -> None:
    o = ConditionalOrchestrator(
        once(),
        condition=kind(side_effect=lambda context: context["amount"] > 100),
        true_branch=lambda context: "board",
        false_branch=kind(side_effect=lambda context: f"pay {context['amount']}"),
    )
    assert (await o.execute_workflow("Pay", {"amount": 500})).result == "board"
    assert (await o.execute_workflow("Pay", {"amount": 5})).result == "pay 5"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_selector(kind: Any) -> None:
    o = ConditionalOrchestrator(
        once(),
        selector=kind(side_effect=lambda context: context["kind"]),
        branches={"bug": lambda context: "fix", "wish": lambda context: "wait"},
    )
    assert (await o.execute_workflow("Well?", {"kind": "wish"})).result == "wait"


async def test_a_condition_of_any_arguments_gets_the_context() -> None:
    o = ConditionalOrchestrator(
        once(),
        condition=lambda *arguments: arguments[0]["big"],
        true_branch=lambda context: "big",
        false_branch=lambda context: "small",
    )
    assert (await o.execute_workflow("Well?", {"big": 0})).result == "small"


@pytest.mark.parametrize("kind", KINDS)
async def test_handlers(kind: Any) -> None:
    both, alone = kind(return_value="a"), kind(side_effect=lambda context: context["results"])
    steps = OrchestratorConfig(steps=["one", "two"])
    o = SequentialOrchestrator(steps, step_handlers={"one": both, "two": alone})
    assert (await o.execute_workflow("Why?")).result == {"one": "a"}
    both.assert_called_once_with("one", {"task": "Why?", "results": {}})


@pytest.mark.parametrize("kind", KINDS)
async def test_a_convergence_function(kind: Any) -> None:
    good = kind(side_effect=[False, False, True])
    handler = kind(side_effect=[{"score": n} for n in range(9)])
    o = IterativeOrchestrator(once(), handler=handler, convergence_fn=good, max_iterations=5)
    result = await o.execute_workflow("Better!")
    assert (result.metadata["iterations"], result.result) == (3, {"score": 2})
    good.assert_called_with({"score": 2})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["complete", "acomplete"])
async def test_a_list_of_replies_that_ends_is_named_and_not_retried(kind: Any, method: str) -> None:
    provider = kind()
    if method == "acomplete":
        provider.acomplete = AsyncMock()
    replies = getattr(provider, method)
    replies.side_effect = ["first"]
    o = SequentialOrchestrator(OrchestratorConfig(steps=["a", "b"]), provider)
    with pytest.raises(RunError, match=rf"node 'b' failed: .*{method}\(\) has no more replies"):
        await o.execute_workflow("Why?")
    assert replies.call_count == 2


async def test_a_provider_of_ones_own_whose_replies_end() -> None:
    class Canned:
        def __init__(self) -> None:
            self.replies = iter(["first"])

        def complete(self, messages: Any) -> str:
            return next(self.replies)

    o = SequentialOrchestrator(OrchestratorConfig(steps=["a", "b"]), Canned())
    with pytest.raises(RunError, match=r"canned: complete\(\) has no more replies") as caught:
        await o.execute_workflow("Why?")
    assert [a.content for a in caught.value.partial_results.agent_results] == ["first", ""]
