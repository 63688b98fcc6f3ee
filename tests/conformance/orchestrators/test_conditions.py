"""Truthy and falsy conditions; the error names a condition that raises."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import ConditionalOrchestrator, OrchestratorConfig, RunError
from tests.conformance.doubles import once


@pytest.mark.parametrize(
    ("outcome", "label"),
    [(1, "true"), ("no", "true"), ([0], "true"), (0, "false"), ("", "false"), (None, "false"),
     ({}, "false"), (0.0, "false")],
    ids=repr,
)  # fmt: skip
async def test_truthiness_is_that_of_python(outcome: Any, label: str) -> None:
    o = ConditionalOrchestrator(
        once(),
        condition=lambda context: outcome,
        true_branch=lambda context: "yes",
        false_branch=lambda context: "no",
    )
    assert (await o.execute_workflow("Why?")).metadata["selected_branch"] == label


def is_it_code(context: dict[str, Any]) -> bool:
    return bool(context["language"])


async def test_a_condition_that_raises_is_named_and_no_branch_runs() -> None:
    ran: list[str] = []
    o = ConditionalOrchestrator(
        OrchestratorConfig(),  # has retries, but this error is not retried
        condition=is_it_code,
        true_branch=lambda context: ran.append("true"),
        false_branch=lambda context: ran.append("false"),
    )
    with pytest.raises(RunError, match=r"condition is_it_code.*KeyError: 'language'") as caught:
        await o.execute_workflow("Why?")
    assert isinstance(caught.value.__cause__, KeyError)
    assert not ran
    partial = caught.value.partial_results
    assert (partial.status, partial.result, partial.agent_results) == ("failed", None, [])


async def test_a_lambda_is_named_by_its_file_and_line() -> None:
    o = ConditionalOrchestrator(
        once(), condition=lambda c: 1 / 0, true_branch=print, false_branch=print
    )
    with pytest.raises(RunError, match=r"condition lambda of test_conditions\.py:\d+"):
        await o.execute_workflow("Why?")


async def test_a_value_whose_bool_raises_is_an_error() -> None:
    class Neither:
        def __bool__(self) -> bool:
            raise ValueError("neither")

    def odd(context: dict[str, Any]) -> Any:
        return Neither()

    o = ConditionalOrchestrator(once(), condition=odd, true_branch=print, false_branch=print)
    with pytest.raises(RunError, match=r"condition odd.*neither"):
        await o.execute_workflow("Why?")
