"""
What can be known of a graph without running it.

Its networkx form, work, span and critical path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.graph.compiler import compile_graph
from dagorch.graph.edges import resolve

if TYPE_CHECKING:
    import networkx

    from dagorch.graph.definition import Definition

__all__ = ["CriticalPath", "critical_path", "to_networkx", "work"]


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """The chain of nodes that bounds the makespan from below."""

    nodes: tuple[str, ...]
    seconds: float


def to_networkx(graph: Definition) -> networkx.DiGraph[str]:
    """
    Give a frozen `networkx.DiGraph`: each node's `node`, each edge's `bindings` and `labels`.

    Inputs of the graph are not nodes. Two bindings between one pair of nodes are one edge. The
    bindings of an edge into a collection name its place there: `texts[0]`.
    """
    import networkx

    drawn: networkx.DiGraph[str] = networkx.DiGraph(name=graph.name)
    for id, entry in graph.entries.items():
        drawn.add_node(id, node=entry.node, kind=entry.node.kind.value)
    for id, edges in resolve(graph).by_node().items():
        bindings: dict[str, list[str]] = {}
        labels: dict[str, frozenset[str]] = {}
        for edge in edges:
            if edge.is_node:
                names = bindings.setdefault(edge.source, [])
                if edge.parameter is not None:
                    names.append(edge.item or edge.parameter)
                labels[edge.source] = labels.get(edge.source, frozenset()) | edge.labels
        for source, names in bindings.items():
            drawn.add_edge(source, id, bindings=tuple(names), labels=labels[source])
    return networkx.freeze(drawn)


def critical_path(graph: Definition, seconds: Mapping[str, float]) -> CriticalPath:
    """
    Find the chain of nodes that bounds the makespan from below.

    No schedule ends sooner, whatever its parallelism. Among equal chains, the one whose ids
    sort first.

    Args:
        graph: Any valid graph.
        seconds: Wall-clock seconds per node, finite and at least 0. A node left out is an
            error, not zero.

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
    edges = resolve(graph).by_node()
    order: list[str] = []
    placed: set[str] = set()
    stack: list[str] = list(graph.entries)[::-1]
    while stack:  # depth first, so that a node comes after everything it needs
        id = stack[-1]
        if id in placed:
            stack.pop()
            continue
        waiting = [e.source for e in edges[id] if e.is_node and e.source not in placed]
        if waiting:
            stack.extend(waiting)
            continue
        stack.pop()
        placed.add(id)
        order.append(id)
    came_from: dict[str, str | None] = {}
    total: dict[str, float] = {}
    for id in order:
        sources = {e.source for e in edges[id] if e.is_node}
        came_from[id] = min(sources, key=lambda s: (-total[s], s), default=None)
        before = came_from[id]
        total[id] = seconds[id] + (total[before] if before is not None else 0.0)
    last: str | None = min(total, key=lambda s: (-total[s], s), default=None)
    if last is None:
        return CriticalPath((), 0.0)
    length, path = total[last], []
    while last is not None:
        path.append(last)
        last = came_from[last]
    return CriticalPath(tuple(reversed(path)), length)


def work(graph: Definition, seconds: Mapping[str, float]) -> float:
    """
    Add the seconds of every node: the time on one worker.

    Raises:
        DefinitionError: As `critical_path`.
    """
    _check_seconds(graph, seconds)
    return sum(seconds[id] for id in graph.entries)


def _check_seconds(graph: Definition, seconds: Mapping[str, float]) -> None:
    for id in graph.entries:
        value = seconds.get(id)
        if value is None:
            near = did_you_mean(id, [key for key in seconds if key not in graph.entries])
            raise DefinitionError(f"no seconds given for node {id!r}{near}")
        if not 0 <= value < float("inf"):
            raise DefinitionError(
                f"node {id!r}: {value!r} is not a finite number of seconds of at least 0"
            )
