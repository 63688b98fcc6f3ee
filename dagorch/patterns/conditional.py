"""The graph of a Conditional: a decision, a branch on it, and a chain of steps for each label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagorch.graph.graph import Graph
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.models.ref import Ref
from dagorch.nodes.llm import LLM
from dagorch.patterns import step_prompts as prompts
from dagorch.patterns.steps import DEFAULT_SETTINGS, ModelSettings, Step, add_steps

__all__ = ["Decision", "conditional_graph"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The node that picks the branch."""

    id: str
    """The node's id; errors name the condition by it."""
    function: Callable[..., Any] | None = None
    """A node function that returns the label. None: a model answers the question."""
    question: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    """The words that a model may reply, each with its label."""
    policy: Policy = DEFAULT_POLICY


def conditional_graph(
    decision: Decision,
    branches: Mapping[str, Sequence[Step]],
    task: str,
    settings: ModelSettings = DEFAULT_SETTINGS,
    policy: Policy = DEFAULT_POLICY,
) -> tuple[Graph, dict[str, list[Ref[Any]]]]:
    """
    Build the graph of a Conditional; its value is the output of the chosen branch's last step.

    Args:
        decision: The node that picks the branch.
        branches: The steps of each label, at least one.
        task: The task; the default of the graph's input `task`.
        settings: The model of the question, and of steps without a function.
        policy: The policy of every step.

    Returns:
        The graph, and the refs of each label's steps.

    Example:
        >>> decision = Decision("is it short?", lambda: "true")
        >>> branches = {"true": [Step("reply")], "false": [Step("research"), Step("report")]}
        >>> graph, steps = conditional_graph(decision, branches, "Tea?")
        >>> [node.id for node in graph]
        ['is it short?', 'branch', 'reply', 'research', 'report', 'answer']
    """
    graph = Graph("conditional")
    graph.input("task", str, default=task)
    if decision.function is not None:
        label = graph.function(decision.function, id=decision.id, policy=decision.policy)
    else:
        options = settings.options(prompts.DECIDE)
        choices = decision.labels
        node = LLM(decision.id, choices=choices, policy=decision.policy, **options)
        words = ", ".join(word for word, _ in choices)
        label = graph.add(node, question=decision.question, choices=words)
    branch = graph.branch("branch", _identity, tuple(branches), label=label)
    refs = {
        name: add_steps(graph, steps, settings, policy, after=branch[name])
        for name, steps in branches.items()
    }
    answer_id = "answer" if "answer" not in graph else "answer of the branch"
    last_steps = [chain[-1] for chain in refs.values()]
    graph.output(graph.merge(answer_id, last_steps, reducer="first"))
    return graph, refs


def _identity(label: Any) -> Any:
    return label
