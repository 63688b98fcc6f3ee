"""
What has been seen of a run, gathered by node of its plan, whatever the pass or the item.

What that says of the rest is `forecast.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from dagorch.graph.plan import Plan
from dagorch.ids import NodePath
from dagorch.models.events import NODE_ENDS, Event, EventType
from dagorch.nodes.container import Map

__all__ = ["Mean", "Observed", "Place"]

_CONTAINERS: Final = ("loop", "map", "subgraph")
_UNTIMED: Final = frozenset({EventType.NODE_BLOCKED, EventType.NODE_CANCELLED})


@dataclass(slots=True)
class Mean:
    """Node runs that have ended, in sum."""

    count: int = 0
    seconds: float = 0.0
    cost_usd: float = 0.0


@dataclass(slots=True)
class Place:
    """A node of the plan, or of a body in it."""

    node: Any
    number: int
    parent: int
    """The number of the container around it; -1 at the top."""
    sources: tuple[int, ...]
    """The numbers of the places that it comes after."""
    branches: frozenset[int]
    """Those of them that are branches, of which it takes a label."""
    constant_items: int | None = None
    """Of a map over a constant, how many."""
    running: dict[str, float] = field(default_factory=dict)
    """By path, when each started, in seconds since the run's start."""
    opened: int = 0
    ended: int = 0
    own: Mean = field(default_factory=Mean)
    """Of those that completed, failed or were skipped; the last take no time and cost nothing."""
    maps: int = 0
    """Of maps, how many have told their items."""
    items: int = 0
    """Of those, all items."""
    passes: dict[str, int] = field(default_factory=dict)
    """Of loops under way, the passes begun, by path."""
    passes_ended: int = 0
    """Of loops that have ended, all their passes."""

    @property
    def kind(self) -> str:
        return str(self.node.kind.value)

    @property
    def is_container(self) -> bool:
        """Whether its body has places of its own; an LLM node's tools have none."""
        return self.kind in _CONTAINERS


class Observed:
    """
    Takes a run's events.

    Attributes:
        places: A container before what is in it.
        kinds: Of nodes that make attempts, what those that completed took, by kind.
        spent_usd: By all node runs that have ended.
    """

    def __init__(self, plan: Plan) -> None:
        self.places: list[Place] = []
        self.kinds: dict[str, Mean] = {}
        self.spent_usd = 0.0
        self._by_path: dict[str, Place] = {}
        todo: list[tuple[Plan, str, int]] = [(plan, "", -1)]
        for inner, prefix, parent in todo:
            first = len(self.places)
            for index, node in enumerate(inner.nodes):
                place = _place(inner, index, first, parent)
                self.places.append(place)
                self._by_path[prefix + node.id] = place
                if place.is_container:
                    todo.append((inner.bodies[index], f"{prefix}{node.id}/", place.number))

    def take(self, event: Event) -> None:
        """Note what an event tells; as cheap in a large run as in a small one."""
        path = event.path
        place = self._by_path.get(NodePath(path).in_plan)
        if event.type in NODE_ENDS:
            self._end(place, event)
        elif place is None:
            return
        elif event.type is EventType.NODE_STARTED and path not in place.running:
            place.running[path] = event.seconds
            place.opened += 1
            self._note_pass(place, path)
        elif event.type is EventType.MAP_OPENED:
            place.maps += 1
            place.items += event.data["items"]

    def _note_pass(self, place: Place, path: str) -> None:
        around = self.places[place.parent] if place.parent >= 0 else None
        if around is not None and around.kind == "loop":
            run = NodePath(path)
            loop, number = run.container, run.frame_number
            assert number is not None  # every pass of a loop has one
            around.passes[loop] = max(around.passes.get(loop, 0), number + 1)

    def _end(self, place: Place | None, event: Event) -> None:
        cost = event.data.get("cost_usd", 0.0)
        self.spent_usd += cost
        if place is None:
            if cost:
                self._bill_around(event.path, cost)
            return
        began = place.running.pop(event.path, None)
        place.ended += 1
        place.passes_ended += place.passes.pop(event.path, 0)
        if event.type in _UNTIMED:
            return
        took = event.seconds - began if began is not None else 0.0
        sums = [place.own]
        if event.type is EventType.NODE_COMPLETED and place.kind in ("llm", "function"):
            sums.append(self.kinds.setdefault(place.kind, Mean()))
        for mean in sums:
            mean.count += 1
            mean.seconds += took
            mean.cost_usd += cost

    def _bill_around(self, path: str, cost: float) -> None:
        """Count what an expansion, a fallback or a tool cost to the node that it stands for."""
        for run in NodePath(path).container.with_containers():
            place = self._by_path.get(run.in_plan)
            if place is not None:
                place.own.cost_usd += cost
                return


def _place(plan: Plan, index: int, first: int, parent: int) -> Place:
    node = plan.nodes[index]
    edges = range(plan.in_start[index], plan.in_start[index + 1])
    place = Place(
        node,
        first + index,
        parent,
        tuple(first + plan.edge_source[edge] for edge in edges),
        frozenset(first + plan.edge_source[edge] for edge in edges if edge in plan.labels),
    )
    if isinstance(node, Map):
        items = plan.constants.get(index, {}).get(node.parameter)
        for binder in plan.collections.get(index, ()):
            if binder.parameter == node.parameter:
                items = binder.collection.items
        if isinstance(items, (list, tuple, range)):
            place.constant_items = len(items)
    return place
