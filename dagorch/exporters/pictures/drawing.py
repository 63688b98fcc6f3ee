"""
What a picture of a graph holds: boxes, the frames around them, arrows. No traversal and no format.

`unroll.py` makes a drawing from a graph, `highlight.py` and `collapse.py` make it easier to read,
`dot.py` and `mermaid.py` write it down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dagorch.models.result import End, NodeRun

__all__ = ["Arrow", "Box", "Cluster", "Drawing"]


@dataclass(slots=True)
class Box:
    """A node, a node run, or something that stands for many."""

    id: str
    """The node run's path; unique in its drawing."""
    kind: str
    """A node's kind; `collapsed` for a body not drawn, `placeholder` for what only a run shows."""
    title: str
    details: tuple[str, ...] = ()
    """Short lines below the title."""
    surround: str = ""
    """The id of the innermost surround; empty at the top."""
    end: End | None = None
    """How it ended; None before a run, and for what did not take part."""
    dashed: bool = False
    """It may never run, or stands for what is not known yet."""
    about: str = ""
    """More than a label has room for; shown where a format can, on hovering."""
    run: NodeRun | None = None
    critical: bool = False
    """It is on the critical path, or what it stands for is."""


@dataclass(slots=True)
class Cluster:
    """The frame around a body: of a loop, a map, a subgraph, a pass, an expansion."""

    id: str
    kind: str
    title: str
    details: tuple[str, ...] = ()
    parent: str = ""
    """The id of the surround outside it; empty at the top."""
    end: End | None = None
    dashed: bool = False
    """It may never run."""
    entries: list[str] = field(default_factory=list)
    """Boxes and surrounds inside that nothing inside comes before."""
    exits: list[str] = field(default_factory=list)
    """Boxes and surrounds inside that give its value."""


@dataclass(slots=True)
class Arrow:
    """From one box or surround to another."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False
    """It carries order and no value, or is taken on failure only."""
    dead: bool = False
    """The run did not take it."""
    back: bool = False
    """It closes a loop, so it ranks nothing."""
    critical: bool = False


@dataclass(slots=True)
class Drawing:
    """All of a picture. Ids of boxes and surrounds are one namespace."""

    title: str
    details: tuple[str, ...] = ()
    boxes: dict[str, Box] = field(default_factory=dict)
    surrounds: dict[str, Cluster] = field(default_factory=dict)
    """Outer before inner."""
    arrows: list[Arrow] = field(default_factory=list)

    def entries(self, id: str) -> list[str]:
        """The boxes at which arrows into a box or surround may end."""
        return self._ends(id, first=True)

    def exits(self, id: str) -> list[str]:
        """The boxes at which arrows out of a box or surround may begin."""
        return self._ends(id, first=False)

    def _ends(self, id: str, *, first: bool) -> list[str]:
        found: dict[str, None] = {}
        stack = [id]
        while stack:
            current = stack.pop()
            surround = self.surrounds.get(current)
            if surround is None:
                found[current] = None
            else:
                stack += reversed(surround.entries if first else surround.exits)
        return list(found)

    def walk(self, *, upward: bool = False) -> Iterator[Box | Cluster | None]:
        """
        Give all in the order of a nested text: a surround, what is in it, None at its end.

        Args:
            upward: Give what is in a surround last to first.
        """
        inside: dict[str, list[Box | Cluster]] = {}
        for surround in self.surrounds.values():
            inside.setdefault(surround.parent, []).append(surround)
        for box in self.boxes.values():
            inside.setdefault(box.surround, []).append(box)
        stack: list[Box | Cluster | None] = list(reversed(inside.get("", [])))
        while stack:
            current = stack.pop()
            yield current
            if isinstance(current, Cluster):
                stack.append(None)
                within = inside.get(current.id, [])
                stack += within if upward else reversed(within)

    @property
    def is_wide(self) -> bool:
        """Whether it is of better proportions from left to right than from the top down."""
        after: dict[str, set[str]] = {id: set() for id in self.boxes}
        waits = dict.fromkeys(self.boxes, 0)
        for arrow in self.arrows:
            if arrow.back:
                continue
            for source in self.exits(arrow.source)[:1]:
                for target in self.entries(arrow.target):
                    if target not in after[source]:
                        after[source].add(target)
                        waits[target] += 1
        level = dict.fromkeys(self.boxes, 0)
        ready = [id for id, count in waits.items() if not count]
        for id in ready:
            for target in after[id]:
                level[target] = max(level[target], level[id] + 1)
                waits[target] -= 1
                if not waits[target]:
                    ready.append(target)
        if not level:
            return False
        widths: dict[int, int] = {}
        for at in level.values():
            widths[at] = widths.get(at, 0) + 1
        return max(widths.values()) > max(4, len(widths))
