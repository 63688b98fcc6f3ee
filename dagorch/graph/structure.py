"""
Questions about the shape of a graph, answered by networkx: who depends on whom, how wide it is.

Durations and costs are in `analysis.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.graph.matching import maximum_matching
from dagorch.models.ref import Ref

if TYPE_CHECKING:
    import networkx

    from dagorch.graph.graph import Graph

__all__ = [
    "ancestors",
    "bottlenecks",
    "descendants",
    "max_antichain",
    "transitive_reduction",
    "width",
]


def ancestors(graph: Graph, node: Ref[Any] | str) -> set[str]:
    """
    Return the ids of all nodes that a node waits for, directly or through others.

    Raises:
        DefinitionError: The graph has no such node.

    Cost: O(V + E).

    Example:
        >>> from dagorch import Graph
        >>> async def step() -> None: ...
        >>> graph = Graph()
        >>> draft = graph.function(step, id="draft")
        >>> review = graph.function(step, id="review", after=draft)
        >>> report = graph.function(step, id="report", after=[draft, review])
        >>> sorted(ancestors(graph, report)), sorted(descendants(graph, "draft"))
        (['draft', 'review'], ['report', 'review'])
    """
    import networkx

    found: set[str] = networkx.ancestors(graph.nx, _id(graph, node))
    return found


def descendants(graph: Graph, node: Ref[Any] | str) -> set[str]:
    """
    Return the ids of all nodes that wait for a node, directly or through others.

    Raises:
        DefinitionError: The graph has no such node.

    Cost: O(V + E).
    """
    import networkx

    found: set[str] = networkx.descendants(graph.nx, _id(graph, node))
    return found


def transitive_reduction(graph: Graph) -> networkx.DiGraph[str]:
    """
    Return the graph with the fewest edges that puts the nodes in the same order, frozen.

    Nodes and edges keep their attributes. An edge that is left out may still carry a value: it
    adds nothing to the *order*, because a longer path says the same.

    Raises:
        DefinitionError: The graph has a cycle, or another problem.

    Cost: O(V * E).
    Source: Aho, Garey and Ullman, 1972.

    Example:
        >>> from dagorch import Graph
        >>> async def step() -> None: ...
        >>> graph = Graph()
        >>> a = graph.function(step, id="a")
        >>> b = graph.function(step, id="b", after=a)
        >>> c = graph.function(step, id="c", after=[a, b])
        >>> list(transitive_reduction(graph).edges)
        [('a', 'b'), ('b', 'c')]
    """
    import networkx

    graph.compile()
    bare = networkx.transitive_reduction(graph.nx)
    reduced: networkx.DiGraph[str] = networkx.DiGraph(**graph.nx.graph)
    reduced.add_nodes_from(graph.nx.nodes(data=True))
    reduced.add_edges_from((a, b, graph.nx.edges[a, b]) for a, b in bare.edges)
    return networkx.freeze(reduced)


def max_antichain(graph: Graph) -> tuple[str, ...]:
    """
    Return a largest set of nodes of which none waits for another, in the order added.

    All of them can run at once, and no larger set can: a `max_parallel` above its size is never
    used up by this graph's own nodes. Maps, loops and subgraphs count as one node each.

    Raises:
        DefinitionError: The graph has a cycle, or another problem.

    Cost: O(E' * sqrt(V)) with the E' edges of the transitive closure, at most V squared.
    Source: Dilworth, 1950; Fulkerson, 1956; Hopcroft and Karp, 1973; König, 1931.

    Example:
        >>> from dagorch import Graph
        >>> async def step() -> None: ...
        >>> graph = Graph()
        >>> plan = graph.function(step, id="plan")
        >>> views = [graph.function(step, id=f"view_{n}", after=plan) for n in range(3)]
        >>> report = graph.function(step, id="report", after=views)
        >>> max_antichain(graph)
        ('view_0', 'view_1', 'view_2')
        >>> width(graph)
        3
    """
    import networkx

    graph.compile()
    after = networkx.transitive_closure_dag(graph.nx).adj
    left_of = maximum_matching(after)
    # König: what alternating paths from the unmatched left copies reach gives a largest
    # independent set. networkx's own `to_vertex_cover` takes minutes for a chain of 300 nodes.
    matched = set(left_of.values())
    lefts = [id for id in after if id not in matched]
    rights: set[str] = set()
    for left in lefts:  # grows while it is walked
        for right in after[left]:
            if right not in rights:
                rights.add(right)
                lefts.append(left_of[right])
    reached = set(lefts)
    return tuple(id for id in after if id in reached and id not in rights)


def width(graph: Graph) -> int:
    """Return how many nodes can run at once at most: the size of `max_antichain`."""
    return len(max_antichain(graph))


def bottlenecks(graph: Graph) -> tuple[str, ...]:
    """
    Return the nodes that every path from a source to a sink passes, in the order they run.

    If one of them fails, no sink completes; while one waits, all that follows waits. Empty if
    there is no such node.

    Raises:
        DefinitionError: The graph has a cycle, or another problem.

    Cost: O(V + E) for most graphs, at worst O(V * E).
    Source: Cooper, Harvey and Kennedy, 2001 (dominators of the end).

    Example:
        >>> from dagorch import Graph
        >>> async def step() -> None: ...
        >>> graph = Graph()
        >>> plan = graph.function(step, id="plan")
        >>> views = [graph.function(step, id=f"view_{n}", after=plan) for n in range(3)]
        >>> report = graph.function(step, id="report", after=views)
        >>> bottlenecks(graph)
        ('plan', 'report')
    """
    import networkx

    graph.compile()
    nx = graph.nx
    start, end = object(), object()
    closed: networkx.DiGraph[Any] = networkx.DiGraph(nx.edges)
    closed.add_edges_from((start, id) for id in nx if not nx.pred[id])
    closed.add_edges_from((id, end) for id in nx if not nx.succ[id])
    dominators = networkx.immediate_dominators(closed, start)
    found: list[str] = []
    node = dominators[end]
    while node is not start:
        found.append(node)
        node = dominators[node]
    return tuple(reversed(found))


def _id(graph: Graph, node: Ref[Any] | str) -> str:
    id = node.id if isinstance(node, Ref) else node
    if id not in graph:
        raise DefinitionError(
            f"graph {graph.name!r} has no node {id!r}{did_you_mean(id, graph.entries)}"
        )
    return id
