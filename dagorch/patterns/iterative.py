"""The graph of an Iterative: a loop in which every pass reads the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dagorch.errors import RunError
from dagorch.graph.graph import Graph
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.models.ref import Ref
from dagorch.nodes.choice import YES_OR_NO
from dagorch.nodes.llm import LLM
from dagorch.patterns import step_prompts as prompts
from dagorch.patterns.judge import JudgeLLM
from dagorch.patterns.loop_state import PREVIOUS, VERDICT, Pass
from dagorch.patterns.steps import DEFAULT_SETTINGS, ModelSettings, Step, add_steps

__all__ = ["iterative_graph"]

_MAX_JUDGEMENTS: Final = 8
"""How often a judge is asked about one pass; a function may read a field only after another."""


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
    judged_check: Callable[..., Any] | None = None,
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
        judged_check: The node function that checks a pass again, from `checked`, a `Pass` with
            missing fields, and `judgement`, what a judge provides. None: there is no judge.

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
        options = settings.options(prompts.JUDGE)
        judge = LLM(VERDICT, choices=YES_OR_NO, policy=policy, **options)
        results[VERDICT] = body.add(judge, answer=refs[-1], question=question, choices="yes, no")
    checked = body.function(check, id=check_id, policy=check_policy, results=results)
    if judged_check is not None:
        judging = Graph("judging")
        state = judging.input("checked", Pass)
        judging.input("task", str)
        scorer = JudgeLLM("judge", policy=policy, **settings.options(prompts.SCORE))
        again = {"checked": state, "judgement": judging.add(scorer)}
        judging.output(
            judging.function(judged_check, id=check_id, policy=check_policy, results=again)
        )
        needed = body.branch("judge needed", _is_judge_needed, ("yes", "no"), checked=checked)
        judged = body.loop(
            "judging", judging, checked=checked, after=needed["yes"], until=_is_judged,
            max_iterations=_MAX_JUDGEMENTS,
        )  # fmt: skip
        checked = body.merge("judged", [checked, judged], reducer=_judged)
    body.output(checked)
    graph = Graph("iterative")
    graph.input("task", str, default=task)
    passes = graph.loop("passes", body, last=None, until=_converged, max_iterations=max_iterations)
    graph.merge("answer", [passes], reducer=_results)
    return graph


def _is_judge_needed(checked: Pass) -> str:
    return "yes" if checked.missing else "no"


def _is_judged(checked: Pass) -> bool:
    return not checked.missing


def _judged(passes: list[Pass]) -> Pass:
    last = passes[-1]
    if last.missing:
        raise RunError(
            f"the convergence function reads {', '.join(map(repr, last.missing))} of the results, "
            f"after a judge has provided {_MAX_JUDGEMENTS} others; pass a handler that returns them"
        )
    return last


def _converged(last: Pass) -> bool:
    return last.converged


def _results(passes: list[Pass]) -> Any:
    return passes[0].results
