"""The graph of an Iterative: a loop in which every pass reads the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dagorch.graph.graph import Graph
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.models.ref import Ref
from dagorch.nodes.choice import YES_OR_NO, choice_node
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
    settings: ModelSettings = DEFAULT_SETTINGS,
    policy: Policy = DEFAULT_POLICY,
    check_policy: Policy = DEFAULT_POLICY,
    question: str = "",
) -> Graph:
    """
    Build the graph of an Iterative; its value is the result of the last pass.

    Args:
        steps: The steps of a pass, at least one. They read the pass before under `PREVIOUS`.
        check: A node function that makes a `Pass` from the outputs of the steps, `results`.
        check_id: The id of its node; errors name the condition by it.
        max_iterations: The most passes.
        task: The task; the default of the graph's input `task`.
        settings: The model of steps without a function.
        policy: The policy of every step.
        check_policy: The policy of the check.
        question: A yes-or-no question that a model answers about each pass. The check reads the
            reply under `VERDICT`. Empty: no question is asked.

    Example:
        >>> steps = [Step("improve")]
        >>> graph = iterative_graph(steps, lambda results: Pass(1), "good?", 3, "Tea?")
        >>> [node.id for node in graph], [node.id for node in graph.node("passes").body]
        (['passes', 'answer'], ['improve', 'good?'])
    """
    body = Graph("pass")
    last = body.input("last", Pass | None)
    body.input("task", str)
    results: dict[str, Ref[Any]] = {PREVIOUS: last}
    refs = add_steps(body, steps, settings, policy, results=results, prompt=prompts.IMPROVE)
    results |= zip((step.name for step in steps), refs, strict=True)
    if question:
        judge, words = choice_node(VERDICT, YES_OR_NO, settings.options(prompts.JUDGE), policy)
        results[VERDICT] = body.add(judge, answer=refs[-1], question=question, choices=words)
    body.output(body.function(check, id=check_id, policy=check_policy, results=results))
    graph = Graph("iterative")
    graph.input("task", str, default=task)
    passes = graph.loop("passes", body, last=None, until=_converged, max_iterations=max_iterations)
    graph.merge("answer", [passes], reducer=_results)
    return graph


def _converged(last: Pass) -> bool:
    return last.converged


def _results(passes: list[Pass]) -> Any:
    return passes[0].results
