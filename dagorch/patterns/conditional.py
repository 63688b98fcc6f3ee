"""Conditional as a graph: a decision, a branch on it, and a chain of steps behind each label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagorch.graph.graph import Graph
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.models.ref import Ref
from dagorch.nodes.deciding import deciding
from dagorch.patterns import step_prompts as prompts
from dagorch.patterns.steps import DEFAULT_SETTINGS, ModelSettings, Step, add_steps

__all__ = ["Decision", "conditional_graph"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What picks the branch."""

    id: str
    """Of its node; it names the condition wherever that fails."""
    work: Callable[..., Any] | None = None
    """A node's function that gives the label. None: a model is asked the question."""
    question: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    """What a model may reply, and the label that each reply stands for."""
    policy: Policy = DEFAULT_POLICY


def conditional_graph(
    decision: Decision,
    branches: Mapping[str, Sequence[Step]],
    task: str,
    asked: ModelSettings = DEFAULT_SETTINGS,
    policy: Policy = DEFAULT_POLICY,
) -> tuple[Graph, dict[str, list[Ref[Any]]]]:
    """
    Build the graph of a Conditional, whose value is what the chosen branch's last step gives.

    Args:
        decision: What gives the label.
        branches: The steps of each label, at least one.
        task: What is to be done; the default of the graph's input of that name.
        asked: The model of the question, and of steps without a function.
        policy: Of every step.

    Returns:
        The graph, and the refs of each label's steps.

    Example:
        >>> decision = Decision("is it short?", lambda: "true")
        >>> ways = {"true": [Step("reply")], "false": [Step("research"), Step("report")]}
        >>> graph, steps = conditional_graph(decision, ways, "Tea?")
        >>> [node.id for node in graph]
        ['is it short?', 'branch', 'reply', 'research', 'report', 'answer']
    """
    graph = Graph("conditional")
    graph.input("task", str, default=task)
    if decision.work is not None:
        label = graph.function(decision.work, id=decision.id, policy=decision.policy)
    else:
        asking = asked.asking(prompts.DECIDE)
        node, words = deciding(decision.id, decision.labels, asking, decision.policy)
        label = graph.add(node, question=decision.question, choices=words)
    branch = graph.branch("branch", _as_it_is, tuple(branches), label=label)
    refs = {
        name: add_steps(graph, steps, asked, policy, after=branch[name])
        for name, steps in branches.items()
    }
    last = [chain[-1] for chain in refs.values()]
    graph.output(graph.merge(_answer_id(graph), last, reducer="first"))
    return graph, refs


def _as_it_is(label: Any) -> Any:
    return label


def _answer_id(graph: Graph) -> str:
    return "answer" if "answer" not in graph else "answer of the branch"
