"""
Work, span and the critical path of a graph, from the seconds of its nodes.

The shape of a graph alone is in `structure.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.graph.compiler import compile_graph
from dagorch.graph.edges import resolve_edges
from dagorch.graph.order import Order

if TYPE_CHECKING:
    from dagorch.graph.definition import Definition

__all__ = ["CriticalPath", "critical_path", "work"]


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """The chain of nodes that bounds the makespan from below."""

    nodes: tuple[str, ...]
    seconds: float


def critical_path(graph: Definition, seconds: Mapping[str, float]) -> CriticalPath:
    """
    Find the chain of nodes that bounds the makespan from below.

    No schedule ends sooner, whatever its parallelism. Among equal chains, the one whose ids
    sort first.

    Args:
        graph: A graph that compiles.
        seconds: Wall-clock seconds per node, finite and at least 0. A node without an entry is
            an error.

    Raises:
        DefinitionError: A node has no entry, or one that is negative or not finite.

    Cost: O(V + E) time, O(V) memory.
    Source: Kelley and Walker, 1959.

    Example:
        >>> from dagorch import Graph
        >>> graph = Graph("chain")
        >>> @graph.function
        ... async def plan() -> str: ...
        >>> @graph.function
        ... async def draft(plan: str) -> str: ...
        >>> critical_path(graph, {"plan": 1.0, "draft": 4.0})
        CriticalPath(nodes=('plan', 'draft'), seconds=5.0)
    """
    compile_graph(graph)
    _check_seconds(graph, seconds)
    ids = list(graph.entries)
    order = Order(resolve_edges(graph))
    longest = [0.0] * order.size
    before = [-1] * order.size
    for node in order.nodes:
        sources = set(order.sources[order.starts[node] : order.starts[node + 1]])
        before[node] = min(sources, key=lambda i: (-longest[i], ids[i]), default=-1)
        longest[node] = seconds[ids[node]] + (longest[before[node]] if sources else 0.0)
    node = min(range(order.size), key=lambda i: (-longest[i], ids[i]))
    length, path = longest[node], []
    while node >= 0:
        path.append(ids[node])
        node = before[node]
    return CriticalPath(tuple(reversed(path)), length)


def work(graph: Definition, seconds: Mapping[str, float]) -> float:
    """
    Return the sum of the seconds of every node: the time that one worker takes.

    Raises:
        DefinitionError: As for `critical_path`.
    """
    _check_seconds(graph, seconds)
    return sum(seconds[id] for id in graph.entries)


def _check_seconds(graph: Definition, seconds: Mapping[str, float]) -> None:
    for id in graph.entries:
        value = seconds.get(id)
        if value is None:
            near = did_you_mean(id, [key for key in seconds if key not in graph.entries])
            raise DefinitionError(f"node {id!r} has no entry in seconds{near}")
        if not 0 <= value < float("inf"):
            raise DefinitionError(
                f"node {id!r}: {value!r} is not a finite number of seconds of at least 0"
            )
