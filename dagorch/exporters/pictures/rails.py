"""Edges as vertical rails beside a list of nodes, one node a line; `text.py` writes the lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

__all__ = ["Rail", "draw_rails", "order_nodes"]

_JOINTS: Final = {
    # A rail from above that continues down, to the left, to the right.
    (True, True, True): "┼",
    (True, True, False): "┤",
    (True, False, True): "├",
    (False, True, True): "┴",
    (False, True, False): "╯",
    (False, False, True): "╰",
}


@dataclass(frozen=True, slots=True)
class Rail:
    """The characters before one node's line."""

    node: str
    line: str
    """Two characters a column, with the node's mark in its own column."""
    below: str
    """The same for further lines of this node: the rails that continue down."""


def order_nodes(predecessors: Mapping[str, Collection[str]]) -> list[str]:
    """
    Sort nodes topologically, so that few edges are open at once.

    The next node is the one that ends most open rails and starts fewest. Among equals, the first
    in the mapping.

    Args:
        predecessors: Of each node. No cycles.

    Cost: O((V + E) log V).
    """
    return list(_ordered(predecessors))


def _ordered(predecessors: Mapping[str, Collection[str]]) -> Iterator[str]:
    rank = {node: number for number, node in enumerate(predecessors)}
    successors: dict[str, list[str]] = {node: [] for node in predecessors}
    for node, sources in predecessors.items():
        for source in sources:
            successors[source].append(node)
    open_edges = {node: len(targets) for node, targets in successors.items()}
    in_degree = {node: len(sources) for node, sources in predecessors.items()}
    scores: dict[str, int] = {}
    heap: list[tuple[int, int, str]] = []

    def push_if_ready(node: str) -> None:
        if not in_degree[node]:
            ended = sum(open_edges[source] == 1 for source in predecessors[node])
            scores[node] = score = bool(successors[node]) - ended
            heappush(heap, (score, rank[node], node))

    for node in rank:
        push_if_ready(node)
    while heap:
        score, _, node = heappop(heap)
        if in_degree[node] < 0 or score != scores[node]:
            continue  # an outdated entry
        yield node
        in_degree[node] = -1
        for source in predecessors[node]:
            open_edges[source] -= 1
            if open_edges[source] == 1:  # the successor that is left would end its rail
                for target in successors[source]:
                    push_if_ready(target)
        for target in successors[node]:
            in_degree[target] -= 1
            push_if_ready(target)


def draw_rails(
    order: Sequence[str],
    predecessors: Mapping[str, Collection[str]],
    marks: Mapping[str, str],
    max_columns: int,
) -> list[Rail] | None:
    """
    Draw every edge: a rail goes down from its source, and branches to each target.

    Args:
        order: Each node after its predecessors.
        predecessors: Of each node.
        marks: One character for each node.
        max_columns: Of rails beside each other.

    Returns:
        One for each node, in order; None if there is no room.

    Example:
        >>> edges = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
        >>> for rail in draw_rails("abcd", edges, dict.fromkeys("abcd", "●"), 9):
        ...     print(rail.line, rail.node)
        ● a
        ├─● b
        ● │ c
        ●─╯ d
    """
    open_edges = Counter(source for sources in predecessors.values() for source in sources)
    columns: list[str | None] = []
    column_of: dict[str, int] = {}
    reserved = -1
    """The column of a node just above that has no successors: the line below keeps it free."""
    rails: list[Rail] = []
    for node in order:
        open_edges.subtract(predecessors[node])
        joins = {column_of[source]: open_edges[source] > 0 for source in predecessors[node]}
        ended = sorted(column for column, continues in joins.items() if not continues)
        if ended:
            own = ended[0]
        else:
            free = (c for c, rail in enumerate(columns) if rail is None and c != reserved)
            own = next(free, len(columns) + (reserved == len(columns)))
        columns.extend([None] * (own + 1 - len(columns)))
        if len(columns) > max_columns:
            return None
        joins.pop(own, None)
        line = _line(columns, own, marks[node], joins)
        for column in ended:
            columns[column] = None
        columns[own] = node if open_edges[node] else None
        column_of[node], reserved = own, -1 if open_edges[node] else own
        while columns and columns[-1] is None:
            columns.pop()
        rails.append(Rail(node, line, "".join("  " if c is None else "│ " for c in columns)))
    return rails


def _line(columns: Sequence[str | None], own: int, mark: str, joins: Mapping[int, bool]) -> str:
    """Draw one line; `joins` maps the columns that lead to its node to whether they continue."""
    first, last = min(own, *joins, own), max(own, *joins, own)
    parts: list[str] = []
    for column, rail in enumerate(columns):
        if column == own:
            parts.append(mark)
        elif column in joins:
            parts.append(_JOINTS[joins[column], column > first, column < last])
        elif rail is not None:
            parts.append("│")
        else:
            parts.append("─" if first < column < last else " ")
        parts.append("─" if first <= column < last else " ")
    return "".join(parts).rstrip()
