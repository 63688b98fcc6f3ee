"""What a subclass of a built-in pattern does itself, and how its results reach its synthesis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from dagorch.graph.graph import Graph
from dagorch.models.policy import Policy
from dagorch.models.ref import Ref

__all__ = ["NO_OVERRIDES", "Overrides", "add_synthesis", "deal"]


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


def deal(plan: list[str], count: int) -> list[str]:
    r"""
    Deal the subtasks of a plan to `count` agents, so that none is left out.

    With fewer subtasks than agents they are dealt again.

    Example:
        >>> deal(["a", "b", "c"], 2), deal(["a"], 2)
        (['a\n\nc', 'b'], ['a', 'a'])
    """
    return ["\n\n".join(plan[n::count]) or plan[n % len(plan)] for n in range(count)]


def add_synthesis(
    graph: Graph,
    function: Callable[..., Any],
    agents: Mapping[str, Ref[Any]],
    policy: Policy,
    after: Sequence[Ref[Any]] = (),
) -> Ref[Any]:
    """Add the node that synthesises the results of all agents that completed, after other nodes."""
    pairs = [
        graph.merge(f"{id} result", [ref], reducer=partial(_pair, id), tolerate_failures=True)
        for id, ref in agents.items()
    ]
    results = graph.merge("results", pairs, reducer="list", tolerate_failures=True)
    return graph.function(function, id="synthesize", policy=policy, after=after, results=results)


def _pair(id: str, values: list[Any]) -> tuple[str, Any]:
    return id, values[0]
