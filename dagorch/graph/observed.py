"""
Statistics of a run by node of its plan, over all passes of loops and items of maps.

`forecast.py` draws conclusions from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from dagorch.graph.plan import Plan
from dagorch.ids import NodePath
from dagorch.models.events import NODE_ENDS, Event, EventType
from dagorch.nodes.container import Map

__all__ = ["Mean", "NodeStats", "Observed"]

_CONTAINERS: Final = ("loop", "map", "subgraph")
_UNTIMED: Final = frozenset({EventType.NODE_BLOCKED, EventType.NODE_CANCELLED})


@dataclass(slots=True)
class Mean:
    """The sums over a number of node runs that have ended."""

    count: int = 0
    seconds: float = 0.0
    cost_usd: float = 0.0


@dataclass(slots=True)
class NodeStats:
    """What is known of one node of the plan, or of a body inside it."""

    node: Any
    number: int
    parent: int
    """The number of the container around it; -1 at the top."""
    sources: tuple[int, ...]
    """The numbers of its predecessors."""
    branches: frozenset[int]
    """The predecessors that are branches of which it takes a label."""
    constant_items: int | None = None
    """For a map over a constant, the number of its items."""
    running: dict[str, float] = field(default_factory=dict)
    """By path, when each open node run started, in seconds since the run's start."""
    opened: int = 0
    ended: int = 0
    own: Mean = field(default_factory=Mean)
    """Of node runs that completed, failed or were skipped; skipped ones add no time and no cost."""
    maps: int = 0
    """For a map, its node runs whose number of items is known."""
    items: int = 0
    """For a map, the items of those node runs in total."""
    passes: dict[str, int] = field(default_factory=dict)
    """For a loop, the passes begun in each open node run, by path."""
    passes_ended: int = 0
    """For a loop, the passes of its ended node runs in total."""

    @property
    def kind(self) -> str:
        return str(self.node.kind.value)

    @property
    def is_container(self) -> bool:
        """Whether the nodes of its body have statistics of their own; those of tools have none."""
        return self.kind in _CONTAINERS


class Observed:
    """
    The statistics of a run, built from its events.

    Attributes:
        nodes: One record per node, a container before the nodes inside it.
        kinds: By kind of node that makes attempts, the sums over completed node runs.
        spent_usd: The cost of all node runs that have ended.
    """

    def __init__(self, plan: Plan) -> None:
        self.nodes: list[NodeStats] = []
        self.kinds: dict[str, Mean] = {}
        self.spent_usd = 0.0
        self._by_path: dict[str, NodeStats] = {}
        todo: list[tuple[Plan, str, int]] = [(plan, "", -1)]
        for inner, prefix, parent in todo:
            first = len(self.nodes)
            for index, node in enumerate(inner.nodes):
                stats = _stats(inner, index, first, parent)
                self.nodes.append(stats)
                self._by_path[prefix + node.id] = stats
                if stats.is_container:
                    todo.append((inner.bodies[index], f"{prefix}{node.id}/", stats.number))

    def add(self, event: Event) -> None:
        """Update the statistics with an event. Cost: O(depth), whatever the size of the run."""
        path = event.path
        stats = self._by_path.get(NodePath(path).in_plan)
        if event.type in NODE_ENDS:
            self._end(stats, event)
        elif stats is None:
            return
        elif event.type is EventType.NODE_STARTED and path not in stats.running:
            stats.running[path] = event.seconds
            stats.opened += 1
            self._note_pass(stats, path)
        elif event.type is EventType.MAP_OPENED:
            stats.maps += 1
            stats.items += event.data["items"]

    def _note_pass(self, stats: NodeStats, path: str) -> None:
        around = self.nodes[stats.parent] if stats.parent >= 0 else None
        if around is not None and around.kind == "loop":
            run = NodePath(path)
            loop, number = run.container, run.frame_number
            assert number is not None  # every pass of a loop has one
            around.passes[loop] = max(around.passes.get(loop, 0), number + 1)

    def _end(self, stats: NodeStats | None, event: Event) -> None:
        cost = event.data.get("cost_usd", 0.0)
        self.spent_usd += cost
        if stats is None:
            if cost:
                self._bill_around(event.path, cost)
            return
        began = stats.running.pop(event.path, None)
        stats.ended += 1
        stats.passes_ended += stats.passes.pop(event.path, 0)
        if event.type in _UNTIMED:
            return
        took = event.seconds - began if began is not None else 0.0
        sums = [stats.own]
        if event.type is EventType.NODE_COMPLETED and stats.kind in ("llm", "function"):
            sums.append(self.kinds.setdefault(stats.kind, Mean()))
        for mean in sums:
            mean.count += 1
            mean.seconds += took
            mean.cost_usd += cost

    def _bill_around(self, path: str, cost: float) -> None:
        """Add the cost of an expansion, a fallback or a tool to the node that it runs for."""
        for run in NodePath(path).container.with_containers():
            stats = self._by_path.get(run.in_plan)
            if stats is not None:
                stats.own.cost_usd += cost
                return


def _stats(plan: Plan, index: int, first: int, parent: int) -> NodeStats:
    node = plan.nodes[index]
    edges = range(plan.in_start[index], plan.in_start[index + 1])
    stats = NodeStats(
        node,
        first + index,
        parent,
        tuple(first + plan.edge_source[edge] for edge in edges),
        frozenset(first + plan.edge_source[edge] for edge in edges if edge in plan.labels),
    )
    if isinstance(node, Map):
        stats.constant_items = plan.known_items(index)
    return stats
