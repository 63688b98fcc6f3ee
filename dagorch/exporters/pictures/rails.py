"""Edges as rails beside a list of nodes, one node a line. What the lines say is `text.py`'s."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

__all__ = ["Rail", "in_order", "lay_rails"]

_JOINS: Final = {
    # Whether it goes on down, to the left, to the right; from above it always comes.
    (True, True, True): "┼",
    (True, True, False): "┤",
    (True, False, True): "├",
    (False, True, True): "┴",
    (False, True, False): "╯",
    (False, False, True): "╰",
}


@dataclass(frozen=True, slots=True)
class Rail:
    """What stands before one node's line."""

    node: str
    line: str
    """Two characters a column, with the node's mark in its own."""
    below: str
    """The same for further lines of this node: what goes on down."""


def in_order(sources: Mapping[str, Collection[str]]) -> list[str]:
    """
    Put nodes in an order in which each comes after its sources and few edges are open at once.

    Args:
        sources: Of each node, those it comes after. No cycles.

    Cost: O((V + E) log V). The next node is the one that ends most open edges and begins
    fewest; of equals, the one given first.
    """
    return list(_Sorter(sources).order())


class _Sorter:
    """Takes one node after another, whichever leaves fewest edges open."""

    def __init__(self, sources: Mapping[str, Collection[str]]) -> None:
        self._sources = sources
        self._place = {node: number for number, node in enumerate(sources)}
        self._targets: dict[str, list[str]] = {node: [] for node in sources}
        for node, before in sources.items():
            for source in before:
                self._targets[source].append(node)
        self._open = {node: len(after) for node, after in self._targets.items()}
        self._waits = {node: len(before) for node, before in sources.items()}
        self._scores: dict[str, int] = {}
        self._ready: list[tuple[int, int, str]] = []

    def order(self) -> Iterator[str]:
        for node in self._place:
            self._offer(node)
        taken: set[str] = set()
        while self._ready:
            score, _, node = heappop(self._ready)
            if node in taken or score != self._scores[node]:
                continue
            taken.add(node)
            yield node
            self._waits[node] = -1
            for source in self._sources[node]:
                self._open[source] -= 1
                if self._open[source] == 1:  # whoever is left would end it
                    for left in self._targets[source]:
                        self._offer(left)
            for target in self._targets[node]:
                self._waits[target] -= 1
                self._offer(target)

    def _offer(self, node: str) -> None:
        """Rate a node that waits for none and is not placed yet: rails begun less rails ended."""
        if not self._waits[node]:
            ends = sum(self._open[source] == 1 for source in self._sources[node])
            self._scores[node] = score = bool(self._targets[node]) - ends
            heappush(self._ready, (score, self._place[node], node))


def lay_rails(
    order: Sequence[str],
    sources: Mapping[str, Collection[str]],
    marks: Mapping[str, str],
    most: int,
) -> list[Rail] | None:
    """
    Draw every edge: a rail goes down from its source, and a branch leads from it to each target.

    Args:
        order: Each node after its sources.
        sources: Of each node, those it comes after.
        marks: One character for each node.
        most: Columns that there may be.

    Returns:
        One for each node, in order; None if that takes more columns.

    Example:
        >>> edges = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
        >>> for rail in lay_rails("abcd", edges, dict.fromkeys("abcd", "●"), 9):
        ...     print(rail.line, rail.node)
        ● a
        ├─● b
        ● │ c
        ●─╯ d
    """
    left = Counter(source for before in sources.values() for source in before)
    columns: list[str | None] = []
    at: dict[str, int] = {}
    ended = -1
    """The column of a node just above that nothing comes after: below it stays free."""
    rails: list[Rail] = []
    for node in order:
        left.subtract(sources[node])
        joins = {at[source]: left[source] > 0 for source in sources[node]}
        over = sorted(column for column, goes_on in joins.items() if not goes_on)
        if over:
            own = over[0]
        else:
            free = (c for c, who in enumerate(columns) if who is None and c != ended)
            own = next(free, len(columns) + (ended == len(columns)))
        columns.extend([None] * (own + 1 - len(columns)))
        if len(columns) > most:
            return None
        joins.pop(own, None)
        line = _line(columns, own, marks[node], joins)
        for column in over:
            columns[column] = None
        columns[own] = node if left[node] else None
        at[node], ended = own, -1 if left[node] else own
        while columns and columns[-1] is None:
            columns.pop()
        rails.append(Rail(node, line, "".join("  " if c is None else "│ " for c in columns)))
    return rails


def _line(columns: Sequence[str | None], own: int, mark: str, joins: Mapping[int, bool]) -> str:
    """Draw one line; `joins` are the rails that lead to its node, and whether they go on down."""
    first, last = min(own, *joins, own), max(own, *joins, own)
    parts: list[str] = []
    for column, rail in enumerate(columns):
        if column == own:
            parts.append(mark)
        elif column in joins:
            parts.append(_JOINS[joins[column], column > first, column < last])
        elif rail is not None:
            parts.append("│")
        else:
            parts.append("─" if first < column < last else " ")
        parts.append("─" if first <= column < last else " ")
    return "".join(parts).rstrip()
