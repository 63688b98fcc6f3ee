"""The graph of a Sequential: a chain of steps, each of which reads all earlier ones."""

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
    settings: ModelSettings = DEFAULT_SETTINGS,
    policy: Policy = DEFAULT_POLICY,
) -> Graph:
    """
    Build the graph of a Sequential; its value is the output of the last step.

    Args:
        steps: At least one, with different names.
        task: The task; the default of the graph's input `task`.
        settings: The model of steps without a function.
        policy: The policy of every step.

    Raises:
        DefinitionError: There are no steps.

    Example:
        >>> graph = sequential_graph([Step("research"), Step("analyze"), Step("report")], "Tea?")
        >>> [(node.id, sorted(graph.nx.predecessors(node.id))) for node in graph]
        [('research', []), ('analyze', ['research']), ('report', ['analyze', 'research'])]
    """
    if not steps:
        raise DefinitionError("there are no steps; pass at least one")
    graph = Graph("sequential")
    graph.input("task", str, default=task)
    graph.output(add_steps(graph, steps, settings, policy)[-1])
    return graph
