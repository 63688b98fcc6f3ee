"""
Boxes that only a number tells apart, drawn as one with a count.

Hundreds beside each other make a picture that nobody can print or read. Which boxes there are is
`unroll.py`'s; why it is done so, docs/adr/0022.
"""

from __future__ import annotations

import re
from typing import Final

from dagorch.exporters.pictures import captions
from dagorch.exporters.pictures.drawing import Arrow, Box, Drawing
from dagorch.ids import NodePath
from dagorch.models.truncate import truncate_middle

__all__ = ["MAX_ALIKE", "gather"]

MAX_ALIKE: Final = 16
"""As many are drawn one by one;"""
MAX_ALIKE_OF_MANY: Final = 6
"""in a large drawing, as many."""
_LARGE: Final = 60
"""Boxes of a large drawing."""
_FEW: Final = 3
"""Of many alike that ended differently, as many with the same end are drawn one by one."""
_ROUNDS: Final = 20
_NAMED: Final = 40
"""Of those in one box, as many are named on hovering."""
_NUMBER: Final = re.compile(r"(\d+)")


def gather(drawing: Drawing) -> None:
    """
    Put boxes that are alike into one, where they are many.

    Alike are boxes of one cluster and kind whose names differ in numbers only, and whose arrows
    come from the same boxes and lead to the same, those that are put together taken as one. After
    a run, those of one end; what is on the critical path stays out. So an arrow stands for arrows
    that mean the same, and none runs in a circle.

    Cost: O(V + E), in a few rounds.
    """
    goes_to: dict[str, str] = {}
    boxes: dict[str, Box] = {}
    for role in _roles(drawing):
        ends: dict[tuple[object, ...], list[Box]] = {}
        for box in role:
            ends.setdefault((box.end, box.critical), []).append(box)
        for alike in ends.values():
            if len(alike) > _FEW and not alike[0].critical:
                boxes[alike[0].id] = many = _together(alike)
                goes_to |= dict.fromkeys((box.id for box in alike), many.id)
    if not goes_to:
        return
    drawn = (boxes.get(id, box) for id, box in drawing.boxes.items())
    drawing.boxes = {box.id: box for box in drawn if box.id not in goes_to}
    drawing.arrows = _joined(drawing.arrows, goes_to)
    for cluster in drawing.clusters.values():
        cluster.entries = list(dict.fromkeys(goes_to.get(id, id) for id in cluster.entries))
        cluster.exits = list(dict.fromkeys(goes_to.get(id, id) for id in cluster.exits))


def _joined(arrows: list[Arrow], goes_to: dict[str, str]) -> list[Arrow]:
    """One arrow of all that now have the same ends; dead if all are, critical if one is."""
    joined: dict[tuple[object, ...], Arrow] = {}
    for arrow in arrows:
        arrow.source = goes_to.get(arrow.source, arrow.source)
        arrow.target = goes_to.get(arrow.target, arrow.target)
        key = arrow.source, arrow.target, arrow.label, arrow.back
        one = joined.setdefault(key, arrow)
        one.dead &= arrow.dead
        one.critical |= arrow.critical
    return list(joined.values())


def _roles(drawing: Drawing) -> list[list[Box]]:
    """The groups of boxes that play the same part, if they are many."""
    most = MAX_ALIKE if len(drawing.boxes) <= _LARGE else MAX_ALIKE_OF_MANY
    alone: set[str] = set(drawing.clusters)
    for _ in range(_ROUNDS):
        before = _classes(drawing, alone, forward=True)
        after = _classes(drawing, alone, forward=False)
        groups: dict[tuple[int, int], list[Box]] = {}
        for box in drawing.boxes.values():
            if box.id not in alone:
                groups.setdefault((before[box.id], after[box.id]), []).append(box)
        few = [box.id for group in groups.values() if len(group) <= most for box in group]
        if not few:
            return list(groups.values())
        alone.update(few)  # which may tell others apart, that come from these or lead to them
    return []


def _together(alike: list[Box]) -> Box:
    """One box for many."""
    first = alike[0]
    runs = [box.run for box in alike if box.run is not None]
    named = [box.id for box in alike[:_NAMED]]
    if len(alike) > _NAMED:
        named.append(f"and {len(alike) - _NAMED:,} more")
    return Box(
        f"{first.id}[…]",
        "collapsed",
        f"{truncate_middle(_shared([_name(box) for box in alike]))} × {len(alike):,}",
        (first.details[0], *captions.many_lines(runs)) if runs else first.details,
        first.cluster,
        first.end,
        first.dashed,
        "\n".join(named),
    )


def _name(box: Box) -> str:
    return NodePath(box.id).node_id


def _shared(names: list[str]) -> str:
    """
    What names that differ in numbers have in common.

    >>> _shared(["bowtie2_07", "bowtie2_08"])
    'bowtie2_#'
    """
    columns = zip(*map(_NUMBER.split, names), strict=True)
    return "".join(parts[0] if len({*parts}) == 1 else "#" for parts in columns)


def _look(box: Box) -> tuple[object, ...]:
    said = box.details if box.run is None else box.details[0]
    return box.cluster, box.kind, _NUMBER.sub("#", _name(box)), said, box.dashed


def _classes(drawing: Drawing, alone: set[str], *, forward: bool) -> dict[str, int]:
    """
    Number boxes and clusters, the same number where all that leads there is alike.

    Backward: where all that it leads to is. What is alone is like itself only.
    """
    arrows: dict[str, list[str]] = {}
    sources: dict[str, set[tuple[str, str, bool]]] = {}
    waits: dict[str, int] = {}
    for arrow in drawing.arrows:
        if not arrow.back:
            ends = arrow.source, arrow.target
            source, target = ends if forward else ends[::-1]
            arrows.setdefault(source, []).append(target)
            sources.setdefault(target, set()).add((source, arrow.label, arrow.dashed))
            waits[target] = waits.get(target, 0) + 1
    found: dict[str, int] = {}
    numbers: dict[object, int] = {}
    ready = [id for id in (*drawing.boxes, *drawing.clusters) if id not in waits]
    for id in ready:
        reached = frozenset((found[source], *how) for source, *how in sources.get(id, ()))
        look = id if id in alone else (_look(drawing.boxes[id]), reached)
        found[id] = numbers.setdefault(look, len(numbers))
        for target in arrows.get(id, ()):
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    return found
