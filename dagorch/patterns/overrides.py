"""Nodes that call the methods that a subclass of a built-in pattern overrides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from dagorch.graph.graph import Graph
from dagorch.models.policy import Policy
from dagorch.models.ref import Ref, Refs
from dagorch.nodes.llm import LLM

__all__ = ["NO_OVERRIDES", "Overrides", "add_agent", "add_synthesis", "distribute"]


@dataclass(frozen=True, slots=True)
class Overrides:
    """The node functions of overridden methods; None leaves a step to the pattern."""

    decompose: Callable[..., Any] | None = None
    """Takes `task`; returns the descriptions of the subtasks, at least one."""
    execute: Callable[[str], Callable[..., Any]] | None = None
    """Returns the function of an agent, by its id; it takes a dict `inputs` and returns text."""
    synthesize: Callable[..., Any] | None = None
    """Takes `results`, the pairs of id and text of the agents that completed."""


NO_OVERRIDES: Final = Overrides()


def distribute(plan: list[str], count: int) -> list[str]:
    r"""
    Distribute the subtasks of a plan round robin over `count` agents.

    With fewer subtasks than agents, several agents get the same one.

    Example:
        >>> distribute(["a", "b", "c"], 2), distribute(["a"], 2)
        (['a\n\nc', 'b'], ['a', 'a'])
    """
    return ["\n\n".join(plan[n::count]) or plan[n % len(plan)] for n in range(count)]


def add_agent(
    graph: Graph, overrides: Overrides, node: LLM[str], *, after: Refs = (), **inputs: Ref[Any]
) -> Ref[Any]:
    """Add an agent's node, or the function in its place if its method is overridden."""
    if overrides.execute is None:
        return graph.add(node, after=after, **inputs)
    function = overrides.execute(node.id)
    return graph.function(function, id=node.id, policy=node.policy, after=after, inputs=inputs)


def add_synthesis(
    graph: Graph,
    function: Callable[..., Any],
    agents: Sequence[Ref[Any]],
    policy: Policy,
    after: Refs = (),
) -> Ref[Any]:
    """Add the node that synthesises the results of all agents that completed, after other nodes."""
    pairs = [
        graph.merge(
            f"{ref.id} result", [ref], reducer=partial(_pair, ref.id), tolerate_failures=True
        )
        for ref in agents
    ]
    results = graph.merge("results", pairs, reducer="list", tolerate_failures=True)
    return graph.function(function, id="synthesize", policy=policy, after=after, results=results)


def _pair(id: str, values: list[Any]) -> tuple[str, Any]:
    return id, values[0]
