"""The critical path of a run, marked in its drawing. Finding it is `critical.py`'s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from dagorch.exporters.critical import CriticalStep
from dagorch.exporters.pictures.drawing import Arrow, Drawing
from dagorch.ids import NodePath

__all__ = ["emphasise"]


def emphasise(drawing: Drawing, chain: Sequence[CriticalStep]) -> None:
    """
    Mark the boxes that a chain goes through, and the arrows between one and the next.

    What is not drawn itself is marked in what stands for it.
    """
    arrows: dict[tuple[str, str], list[Arrow]] = {}
    for arrow in drawing.arrows:
        if not arrow.dead:
            arrows.setdefault((arrow.source, arrow.target), []).append(arrow)
    places = [place for step in chain if (place := _place(drawing, step.path))]
    for place in places:
        drawing.boxes[place].critical = True
    for before, after in pairwise(places):
        for source in _around(drawing, before):
            for target in _around(drawing, after):
                for arrow in arrows.get((source, target), ()):
                    arrow.critical = True


def _place(drawing: Drawing, path: str) -> str:
    """The box that shows a node run: its own, that of an expansion, that of many."""
    for holder in NodePath(path).with_containers():
        for id in (holder, f"{holder}/", f"{holder}[…]"):
            if id in drawing.boxes:
                return id
    return ""


def _around(drawing: Drawing, id: str) -> Iterator[str]:
    """A box, what it stands in for, and all clusters that it is in."""
    yield from NodePath(id).with_containers()
    cluster = drawing.boxes[id].cluster
    while cluster:
        yield cluster
        cluster = drawing.clusters[cluster].parent
