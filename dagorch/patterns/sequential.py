"""Sequential as a graph: a chain of steps, each of which reads what all before it gave."""

from __future__ import annotations

from collections.abc import Sequence

from dagorch.errors import DefinitionError
from dagorch.graph.graph import Graph
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.patterns.steps import DEFAULT_SETTINGS, ModelSettings, Step, add_steps

__all__ = ["sequential_graph"]


def sequential_graph(
    steps: Sequence[Step],
    task: str,
    asked: ModelSettings = DEFAULT_SETTINGS,
    policy: Policy = DEFAULT_POLICY,
) -> Graph:
    """
    Build the graph of a Sequential; its value is what the last step gives.

    Args:
        steps: At least one, with different names.
        task: What is to be done; the default of the graph's input of that name.
        asked: The model of steps without a function.
        policy: Of every step.

    Raises:
        DefinitionError: There are no steps.

    Example:
        >>> graph = sequential_graph([Step("research"), Step("analyze"), Step("report")], "Tea?")
        >>> [(node.id, node.names) for node in graph]
        [('research', ()), ('analyze', ('research',)), ('report', ('research', 'analyze'))]
    """
    if not steps:
        raise DefinitionError("there are no steps; give at least one")
    graph = Graph("sequential")
    graph.input("task", str, default=task)
    graph.output(add_steps(graph, steps, asked, policy)[-1])
    return graph
