"""A maximum matching of a bipartite graph, without recursion."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from typing import TypeVar

__all__ = ["maximum_matching"]

L = TypeVar("L", bound=Hashable)
R = TypeVar("R", bound=Hashable)


def maximum_matching(edges: Mapping[L, Collection[R]]) -> dict[R, L]:
    """
    Match as many lefts with rights as possible, each at most once.

    networkx has the same algorithm, but recurses along each path: it fails at 1,000 nodes.

    Args:
        edges: Per left, its rights. Rights need no order, but equal orders give equal matchings.

    Returns:
        The left of each right that is matched.

    Cost: O(E * sqrt(V)).
    Source: Hopcroft and Karp, 1973.

    Example:
        >>> maximum_matching({"a": [1, 2], "b": [1]})
        {1: 'b', 2: 'a'}
    """
    left_of: dict[R, L] = {}
    unmatched = dict.fromkeys(edges)
    while True:
        layers = _layers(edges, left_of, unmatched)
        if layers is None:
            return left_of
        for left in list(unmatched):
            path = _augmenting_path(edges, left_of, layers, left)
            if path:
                del unmatched[left]
                left_of.update(path)


def _layers(
    edges: Mapping[L, Collection[R]], left_of: Mapping[R, L], unmatched: Mapping[L, None]
) -> dict[L, int] | None:
    """Return each left's distance from the unmatched ones; None if no path augments."""
    layers = dict.fromkeys(unmatched, 0)
    ends = False
    pending = list(layers)
    for left in pending:  # grows while it is walked
        for right in edges[left]:
            if right not in left_of:
                ends = True
            elif left_of[right] not in layers:
                layers[left_of[right]] = layers[left] + 1
                pending.append(left_of[right])
    return layers if ends else None


def _augmenting_path(
    edges: Mapping[L, Collection[R]], left_of: Mapping[R, L], layers: dict[L, int], start: L
) -> dict[R, L]:
    """Return the pairs of a path from `start` to an unmatched right; empty if there is none."""
    path: list[tuple[L, Iterator[R]]] = [(start, iter(edges[start]))]
    rights: list[R] = []
    while path:
        left, remaining = path[-1]
        for right in remaining:
            if right not in left_of:
                return dict(zip([*rights, right], (left for left, _ in path), strict=True))
            if layers.get(left_of[right]) == layers[left] + 1:
                rights.append(right)
                path.append((left_of[right], iter(edges[left_of[right]])))
                break
        else:
            path.pop()
            del layers[left]  # a dead end for every other path of this round
            if rights:
                rights.pop()
    return {}
