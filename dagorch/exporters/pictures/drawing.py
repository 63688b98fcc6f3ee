"""
The data of a picture: boxes, clusters around them, arrows.

`unroll.py` makes a drawing from a graph, `highlight.py` and `collapse.py` make it easier to read,
`dot.py`, `mermaid.py` and `text.py` write it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Annotated, Final

from pydantic import AliasChoices, Field

from dagorch.models.result import End, NodeRun

__all__ = ["Arrow", "Box", "Cluster", "Drawing"]

_BOX_KINDS: Final = (
    "llm", "function", "branch", "merge", "ask", "collapsed", "placeholder"
)  # fmt: skip
_CLUSTER_KINDS: Final = ("loop", "map", "subgraph", "function", "llm", "frame")


@dataclass(slots=True)
class Box:
    """A node, a node run, or several of either."""

    id: str
    """The node run's path; unique in its drawing."""
    kind: str
    """A node's kind; `collapsed` for a body that is not drawn or for several nodes, `placeholder`
    for nodes that only a run makes."""
    title: str
    details: tuple[str, ...] = ()
    """Short lines below the title."""
    # Saved records of runs hold drawings; older ones have the older names.
    cluster: Annotated[str, Field(validation_alias=AliasChoices("cluster", "surround"))] = ""
    """The id of the innermost cluster; empty at the top."""
    end: End | None = None
    """How it ended; None before a run, and for a node that has no node run."""
    dashed: bool = False
    """It may never run, or stands for nodes that are not known yet."""
    tooltip: Annotated[str, Field(validation_alias=AliasChoices("tooltip", "about"))] = ""
    """Text that a label has no room for."""
    run: NodeRun | None = None
    critical: bool = False
    """It is on the critical path, or one of its nodes is."""


@dataclass(slots=True)
class Cluster:
    """The border around a body: of a loop, a map, a subgraph, a pass, an expansion."""

    id: str
    kind: str
    title: str
    details: tuple[str, ...] = ()
    parent: str = ""
    """The id of the cluster around it; empty at the top."""
    end: End | None = None
    dashed: bool = False
    """It may never run."""
    entries: list[str] = field(default_factory=list)
    """Boxes and clusters inside that have no predecessor inside."""
    exits: list[str] = field(default_factory=list)
    """Boxes and clusters inside that give its value."""


@dataclass(slots=True)
class Arrow:
    """An edge from one box or cluster to another."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False
    """It carries order but no value, or is taken on failure only."""
    dead: bool = False
    """The run did not take it."""
    back: bool = False
    """It closes a loop, so layouts ignore it."""
    critical: bool = False


@dataclass(slots=True)
class Drawing:
    """A whole picture. The ids of boxes and clusters are one namespace."""

    title: str
    details: tuple[str, ...] = ()
    boxes: dict[str, Box] = field(default_factory=dict)
    clusters: Annotated[
        dict[str, Cluster], Field(validation_alias=AliasChoices("clusters", "surrounds"))
    ] = field(default_factory=dict)
    """Outer before inner."""
    arrows: list[Arrow] = field(default_factory=list)

    def entries(self, id: str) -> list[str]:
        """Return the boxes at which arrows into a box or cluster may end."""
        return self._end_boxes(id, first=True)

    def exits(self, id: str) -> list[str]:
        """Return the boxes at which arrows out of a box or cluster may begin."""
        return self._end_boxes(id, first=False)

    def _end_boxes(self, id: str, *, first: bool) -> list[str]:
        found: dict[str, None] = {}
        stack = [id]
        while stack:
            current = stack.pop()
            cluster = self.clusters.get(current)
            if cluster is None:
                found[self.boxes[current].id] = None
            else:
                stack += reversed(cluster.entries if first else cluster.exits)
        return list(found)

    def check(self) -> None:
        """
        Check a drawing that was read from a file, which a stranger may have changed.

        Raises:
            ValueError: Its parts do not refer to each other as they must: a picture of it would
                fail, or take forever.
        """
        parts: dict[str, Box | Cluster] = {**self.clusters, **self.boxes}
        if len(parts) < len(self.boxes) + len(self.clusters):
            raise ValueError("a box and a cluster of the drawing have the same id")
        around = {"": ""} | {id: cluster.parent for id, cluster in self.clusters.items()}
        around |= {id: box.cluster for id, box in self.boxes.items()}
        known = {""}
        for id, part in parts.items():
            if part.id != id or not id or around[id] not in known:
                raise ValueError(f"the drawing has no place for {id!r:.80}")
            if part.kind not in (_CLUSTER_KINDS if isinstance(part, Cluster) else _BOX_KINDS):
                raise ValueError(f"{id!r:.80} is of no known kind: {part.kind!r:.80}")
            if isinstance(part, Cluster):
                known.add(id)
        for id, cluster in self.clusters.items():
            for inside in (cluster.entries, cluster.exits):
                if len(set(inside)) < len(inside) or any(around.get(i) != id for i in inside):
                    raise ValueError(f"the ends of cluster {id!r:.80} are not inside it")
        for arrow in self.arrows:
            for id in (arrow.source, arrow.target):
                if id not in parts:
                    raise ValueError(f"an arrow of the drawing ends at the unknown {id!r:.80}")

    def members(self) -> dict[str, list[Box | Cluster]]:
        """Return what each cluster holds, clusters before boxes; "" is the top."""
        members: dict[str, list[Box | Cluster]] = {}
        for cluster in self.clusters.values():
            members.setdefault(cluster.parent, []).append(cluster)
        for box in self.boxes.values():
            members.setdefault(box.cluster, []).append(box)
        return members

    def walk(self, *, upward: bool = False) -> Iterator[Box | Cluster | None]:
        """
        Yield everything in the order of a nested text: a cluster, its members, None at its end.

        Args:
            upward: Yield the members of a cluster last to first.
        """
        members = self.members()
        stack: list[Box | Cluster | None] = list(reversed(members.get("", [])))
        while stack:
            current = stack.pop()
            yield current
            if isinstance(current, Cluster):
                stack.append(None)
                inside = members.get(current.id, [])
                stack += inside if upward else reversed(inside)

    @property
    def is_wide(self) -> bool:
        """Whether it has better proportions from left to right than from top to bottom."""
        predecessors: dict[str, set[str]] = {id: set() for id in self.boxes}
        for arrow in self.arrows:
            if not arrow.back:
                for target in self.entries(arrow.target):
                    predecessors[target].update(self.exits(arrow.source)[:1])
        sorter = TopologicalSorter(predecessors)
        sorter.prepare()
        widths: list[int] = []
        while sorter.is_active():
            rank = sorter.get_ready()
            widths.append(len(rank))
            sorter.done(*rank)
        return max(widths, default=0) > max(4, len(widths))
