"""
Graph shapes as the parents of each node, independent of any engine.

Each subject builds its own graph from a shape. Node numbers are a topological
order: each parent is smaller than its child.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isqrt

Parents = tuple[tuple[int, ...], ...]

MAX_LAYERED_PARENTS = 3


@dataclass(frozen=True)
class Shape:
    """A directed acyclic graph as the parents of each node, in topological order."""

    name: str
    parents: Parents = field(repr=False)

    @property
    def node_count(self) -> int:
        """Number of nodes."""
        return len(self.parents)

    @cached_property
    def edge_count(self) -> int:
        """Number of edges."""
        return sum(map(len, self.parents))

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """The children of each node, ascending."""
        children: list[list[int]] = [[] for _ in self.parents]
        for node, parents in enumerate(self.parents):
            for parent in parents:
                children[parent].append(node)
        return tuple(map(tuple, children))

    @cached_property
    def in_degree(self) -> tuple[int, ...]:
        """The number of parents of each node."""
        return tuple(map(len, self.parents))

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """Nodes without parents, ascending."""
        return tuple(node for node, parents in enumerate(self.parents) if not parents)

    @cached_property
    def sinks(self) -> tuple[int, ...]:
        """Nodes without children, ascending."""
        return tuple(node for node, children in enumerate(self.children) if not children)


def chain(node_count: int, seed: int = 0) -> Shape:
    """Return a chain, which has no parallelism. The seed is not used."""
    _at_least(node_count, 1)
    return Shape("chain", ((), *((node - 1,) for node in range(1, node_count))))


def fan(node_count: int, seed: int = 0) -> Shape:
    """Return one source, `node_count - 2` nodes after it, and one sink after all of them."""
    _at_least(node_count, 3)
    last = node_count - 1
    return Shape("fan", ((), *((0,) for _ in range(1, last)), tuple(range(1, last))))


def layered(node_count: int, seed: int = 0) -> Shape:
    """
    Return layers of about `sqrt(node_count)` nodes with 1 to 3 parents in the layer above.

    The same seed gives the same graph. The last layer may be narrower.
    """
    _at_least(node_count, 1)
    rng = random.Random(seed)
    width = max(1, isqrt(node_count))
    parents: list[tuple[int, ...]] = [()] * min(width, node_count)
    for node in range(width, node_count):
        start = (node // width - 1) * width
        count = min(width, rng.randint(1, MAX_LAYERED_PARENTS))
        picked = rng.sample(range(start, start + width), count)
        parents.append(tuple(sorted(picked)))
    return Shape("layered", tuple(parents))


def ladder(node_count: int, seed: int = 0) -> Shape:
    """
    Return a sequence of diamonds: a node, two nodes after it, one that joins them, and so on.

    Each diamond adds three nodes to the first one. The remaining nodes form a
    chain at the end. The seed is not used.
    """
    _at_least(node_count, 1)
    parents: list[tuple[int, ...]] = [()]
    while len(parents) + 3 <= node_count:
        top = len(parents) - 1
        parents += [(top,), (top,), (top + 1, top + 2)]
    while len(parents) < node_count:
        parents.append((len(parents) - 1,))
    return Shape("ladder", tuple(parents))


SHAPES: Mapping[str, Callable[[int, int], Shape]] = {
    "chain": chain,
    "fan": fan,
    "layered": layered,
    "ladder": ladder,
}


def _at_least(node_count: int, minimum: int) -> None:
    if node_count < minimum:
        raise ValueError(f"this shape needs at least {minimum} nodes, got {node_count}")
