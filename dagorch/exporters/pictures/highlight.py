"""Mark the critical path of a run in its drawing; `exporters/critical.py` finds the path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from dagorch.exporters.critical import CriticalStep
from dagorch.exporters.pictures.drawing import Arrow, Drawing
from dagorch.ids import NodePath

__all__ = ["highlight_critical_path"]


def highlight_critical_path(drawing: Drawing, chain: Sequence[CriticalStep]) -> None:
    """
    Mark the boxes of a chain, and the arrows between consecutive boxes.

    A step that has no box of its own is marked in the box that stands for it.
    """
    arrows: dict[tuple[str, str], list[Arrow]] = {}
    for arrow in drawing.arrows:
        if not arrow.dead:
            arrows.setdefault((arrow.source, arrow.target), []).append(arrow)
    boxes = [box for step in chain if (box := _box_of(drawing, step.path))]
    for box in boxes:
        drawing.boxes[box].critical = True
    for source_box, target_box in pairwise(boxes):
        for source in _with_clusters(drawing, source_box):
            for target in _with_clusters(drawing, target_box):
                for arrow in arrows.get((source, target), ()):
                    arrow.critical = True


def _box_of(drawing: Drawing, path: str) -> str:
    """The box that shows a node run: its own, that of an expansion, or that of many runs."""
    for run in NodePath(path).with_containers():
        for id in (run, f"{run}/", f"{run}[…]"):
            if id in drawing.boxes:
                return id
    return ""


def _with_clusters(drawing: Drawing, id: str) -> Iterator[str]:
    """A box, the containers of its node run, and the clusters around it."""
    yield from NodePath(id).with_containers()
    cluster = drawing.boxes[id].cluster
    while cluster:
        yield cluster
        cluster = drawing.clusters[cluster].parent
