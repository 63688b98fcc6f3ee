"""Iterative as a graph: a loop whose every pass reads what the pass before it gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dagorch.graph.graph import Graph
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.nodes.deciding import YES_OR_NO, deciding
from dagorch.patterns import step_prompts as prompts
from dagorch.patterns.loop_state import PREVIOUS, VERDICT, Pass
from dagorch.patterns.steps import DEFAULT_SETTINGS, ModelSettings, Step, add_steps

__all__ = ["iterative_graph"]


def iterative_graph(
    steps: Sequence[Step],
    check: Callable[..., Any],
    check_id: str,
    max_iterations: int,
    task: str,
    asked: ModelSettings = DEFAULT_SETTINGS,
    policy: Policy = DEFAULT_POLICY,
    check_policy: Policy = DEFAULT_POLICY,
    question: str = "",
) -> Graph:
    """
    Build the graph of an Iterative; its value is what the last pass gave.

    Args:
        steps: Of one pass, at least one. They read the pass before under the name `PREVIOUS`.
        check: A node's function that makes the `Pass` of what the steps gave, which it is told
            as a step would be.
        check_id: Of its node; it names the condition wherever that fails.
        max_iterations: The most passes.
        task: What is to be done; the default of the graph's input of that name.
        asked: The model of steps without a function.
        policy: Of every step.
        check_policy: Of the check.
        question: What a model is asked of each pass, to be answered with yes or no; the check is
            told that under the name `VERDICT`. Empty: nothing is asked.

    Example:
        >>> graph = iterative_graph([Step("improve")], lambda **told: Pass(1), "good?", 3, "Tea?")
        >>> [node.id for node in graph], [node.id for node in graph.node("passes").body]
        (['passes', 'answer'], ['improve', 'good?'])
    """
    body = Graph("pass")
    last = body.input("last", Pass | None)
    body.input("task", str)
    found = add_steps(body, steps, asked, policy, told={PREVIOUS: last}, prompt=prompts.IMPROVE)
    names = [PREVIOUS, *(step.name for step in steps)]
    if question:
        judge, words = deciding(VERDICT, YES_OR_NO, asked.asking(prompts.JUDGE), policy)
        found.append(body.add(judge, answer=found[-1], question=question, choices=words))
        names.append(VERDICT)
    told: dict[str, Any] = {f"told_{n}": ref for n, ref in enumerate([last, *found], 1)}
    body.output(body.function(check, id=check_id, policy=check_policy, names=tuple(names), **told))
    graph = Graph("iterative")
    graph.input("task", str, default=task)
    passes = graph.loop("passes", body, last=None, until=_converged, max_iterations=max_iterations)
    graph.merge("answer", [passes], reducer=_results)
    return graph


def _converged(last: Pass) -> bool:
    return last.converged


def _results(passes: list[Pass]) -> Any:
    return passes[0].results
