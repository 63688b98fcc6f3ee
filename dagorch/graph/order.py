"""
The edges between nodes as numbers, and a topological order of the nodes.

What edges carry and what nodes do does not matter here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import lt

from dagorch.graph.edges import EdgeTable

__all__ = ["Order"]


class Order:
    """
    The edges from nodes to nodes, numbered by target; edges from inputs are left out.

    Attributes:
        size: Number of nodes.
        places: Per edge, its place in the table of edges.
        sources: Per edge, the node it comes from.
        targets: Per edge, the node it leads to.
        starts: The edges into node `i` are `range(starts[i], starts[i + 1])`.
        in_degree: Per node, the number of edges into it.
        out_edges: Per node, the edges out of it, ascending.
        nodes: Each node after its predecessors; incomplete if there is a cycle.
        cycle: The nodes of one cycle, in its direction; empty if there is none.

    Cost: O(V + E).
    """

    __slots__ = (
        "cycle", "in_degree", "nodes", "out_edges", "places", "size", "sources", "starts",
        "targets",
    )  # fmt: skip

    def __init__(self, table: EdgeTable) -> None:
        self.size = size = table.size
        into = [
            node
            for node, (start, stop) in enumerate(pairwise(table.starts))
            for _ in range(start, stop)
        ]
        slots = table.slots
        self.places: Sequence[int] = range(len(slots))
        self.sources, self.targets = slots, into
        if min(slots, default=0) < 0 or max(slots, default=0) >= size:  # unknown, or an input
            self.places = [place for place, slot in enumerate(slots) if 0 <= slot < size]
            self.sources = [slots[place] for place in self.places]
            self.targets = [into[place] for place in self.places]
        self.in_degree = _counts(self.targets, size)
        self.starts = [0, *accumulate(self.in_degree)]
        # A counting sort by source: a list per node would be work for the cycle collector.
        bounds = [0, *accumulate(_counts(self.sources, size))]
        free = bounds.copy()
        by_source = [0] * len(self.sources)
        for edge, source in enumerate(self.sources):
            by_source[free[source]] = edge
            free[source] += 1
        grouped = tuple(by_source)
        self.out_edges = [grouped[start:stop] for start, stop in pairwise(bounds)]
        self.nodes = self._topological()
        self.cycle = self._cycle() if len(self.nodes) < size else []

    def _topological(self) -> Sequence[int]:
        # Nodes are mostly added in topological order, because a ref exists only after its node.
        if all(map(lt, self.sources, self.targets)):
            return range(self.size)
        waiting = self.in_degree.copy()
        order = [node for node, count in enumerate(waiting) if not count]
        for node in order:  # Kahn, 1962; grows while it is walked
            for edge in self.out_edges[node]:
                target = self.targets[edge]
                waiting[target] -= 1
                if not waiting[target]:
                    order.append(target)
        return order

    def _cycle(self) -> list[int]:
        waiting = set(range(self.size)).difference(self.nodes)
        node = min(waiting)
        trail: dict[int, None] = {}
        while node not in trail:  # each waiting node has a waiting predecessor: walk back
            trail[node] = None
            into = self.sources[self.starts[node] : self.starts[node + 1]]
            node = next(source for source in into if source in waiting)
        walked = list(trail)
        return walked[walked.index(node) :][::-1]


def _counts(nodes: list[int], size: int) -> list[int]:
    found = [0] * size
    for node in nodes:
        found[node] += 1
    return found
