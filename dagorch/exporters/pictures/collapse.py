"""
Merge similar boxes into one box with a count.

Hundreds of boxes side by side make a picture that cannot be printed or read. `unroll.py` makes the
boxes; docs/adr/0022 has the reasons.
"""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from typing import Final

from dagorch.exporters.pictures import captions
from dagorch.exporters.pictures.drawing import Arrow, Box, Drawing
from dagorch.ids import NodePath
from dagorch.models.truncate import truncate_middle

__all__ = ["MAX_SIMILAR", "collapse_similar"]

MAX_SIMILAR: Final = 16
"""Similar boxes that are drawn one by one."""
MAX_SIMILAR_IF_LARGE: Final = 6
"""The same in a large drawing."""
_LARGE: Final = 60
"""A drawing with more boxes is large."""
_MAX_SAME_END: Final = 3
"""Of similar boxes that ended differently, those with the same end that are drawn one by one."""
_MAX_ROUNDS: Final = 20
_MAX_NAMES: Final = 40
"""In the tooltip of a merged box."""
_NUMBER: Final = re.compile(r"(\d+)")


def collapse_similar(drawing: Drawing) -> None:
    """
    Merge similar boxes if there are many.

    Similar boxes are in one cluster, of one kind, and have names that differ in numbers only. Their
    arrows come from the same boxes and lead to the same boxes; merged boxes count as one. After a
    run they also have the same end, and boxes on the critical path are never merged. So an arrow
    stands for arrows that mean the same, and no arrows form a cycle.

    Cost: O(V + E) a round, at most 20 rounds.
    """
    replaced_by: dict[str, str] = {}
    boxes: dict[str, Box] = {}
    for similar in _similar_boxes(drawing):
        by_end: dict[tuple[object, ...], list[Box]] = {}
        for box in similar:
            by_end.setdefault((box.end, box.critical), []).append(box)
        for group in by_end.values():
            if len(group) > _MAX_SAME_END and not group[0].critical:
                boxes[group[0].id] = merged = _merged_box(group)
                replaced_by |= dict.fromkeys((box.id for box in group), merged.id)
    if not replaced_by:
        return
    drawn = (boxes.get(id, box) for id, box in drawing.boxes.items())
    drawing.boxes = {box.id: box for box in drawn if box.id not in replaced_by}
    drawing.arrows = _merged_arrows(drawing.arrows, replaced_by)
    for cluster in drawing.clusters.values():
        cluster.entries = list(dict.fromkeys(replaced_by.get(id, id) for id in cluster.entries))
        cluster.exits = list(dict.fromkeys(replaced_by.get(id, id) for id in cluster.exits))


def _merged_arrows(arrows: list[Arrow], replaced_by: dict[str, str]) -> list[Arrow]:
    """Merge arrows with the same ends; the result is dead if all are, critical if one is."""
    merged: dict[tuple[object, ...], Arrow] = {}
    for arrow in arrows:
        arrow.source = replaced_by.get(arrow.source, arrow.source)
        arrow.target = replaced_by.get(arrow.target, arrow.target)
        key = arrow.source, arrow.target, arrow.label, arrow.back
        kept = merged.setdefault(key, arrow)
        kept.dead &= arrow.dead
        kept.critical |= arrow.critical
    return list(merged.values())


def _similar_boxes(drawing: Drawing) -> list[list[Box]]:
    """Group the boxes that are similar and too many to draw one by one."""
    limit = MAX_SIMILAR if len(drawing.boxes) <= _LARGE else MAX_SIMILAR_IF_LARGE
    unique: set[str] = set(drawing.clusters)
    for _ in range(_MAX_ROUNDS):
        before = _equivalence_classes(drawing, unique, forward=True)
        after = _equivalence_classes(drawing, unique, forward=False)
        groups: dict[tuple[int, int], list[Box]] = {}
        for box in drawing.boxes.values():
            if box.id not in unique:
                groups.setdefault((before[box.id], after[box.id]), []).append(box)
        few = [box.id for group in groups.values() if len(group) <= limit for box in group]
        if not few:
            return list(groups.values())
        unique.update(few)  # boxes that come from these or lead to them may differ now
    return []


def _merged_box(group: list[Box]) -> Box:
    first = group[0]
    runs = [box.run for box in group if box.run is not None]
    names = [box.id for box in group[:_MAX_NAMES]]
    if len(group) > _MAX_NAMES:
        names.append(f"and {len(group) - _MAX_NAMES:,} more")
    common = _common_name([NodePath(box.id).node_id for box in group])
    return Box(
        f"{first.id}[…]",
        "collapsed",
        f"{truncate_middle(common)} × {len(group):,}",
        (first.details[0], *captions.group_lines(runs)) if runs else first.details,
        first.cluster,
        first.end,
        first.dashed,
        "\n".join(names),
    )


def _common_name(names: list[str]) -> str:
    """
    Replace the numbers in which names differ.

    >>> _common_name(["bowtie2_07", "bowtie2_08"])
    'bowtie2_#'
    """
    columns = zip(*map(_NUMBER.split, names), strict=True)
    return "".join(parts[0] if len({*parts}) == 1 else "#" for parts in columns)


def _equivalence_classes(drawing: Drawing, unique: set[str], *, forward: bool) -> dict[str, int]:
    """
    Number boxes and clusters, with one number for those that the same predecessors lead to.

    Args:
        drawing: With or without a run.
        unique: Boxes and clusters that are similar to no other.
        forward: Whether to go by predecessors; else by successors.
    """
    sources: dict[str, set[tuple[str, str, bool]]] = {
        id: set() for id in (*drawing.boxes, *drawing.clusters)
    }
    for arrow in drawing.arrows:
        if not arrow.back:
            ends = arrow.source, arrow.target
            source, target = ends if forward else ends[::-1]
            sources[target].add((source, arrow.label, arrow.dashed))
    before = {id: {source for source, *_ in reached} for id, reached in sources.items()}
    classes: dict[str, int] = {}
    numbers: dict[object, int] = {}
    for id in TopologicalSorter(before).static_order():
        reached = frozenset((classes[source], *how) for source, *how in sources[id])
        key = id if id in unique else (_features(drawing.boxes[id]), reached)
        classes[id] = numbers.setdefault(key, len(numbers))
    return classes


def _features(box: Box) -> tuple[object, ...]:
    """What similar boxes have in common, apart from their arrows."""
    name = _NUMBER.sub("#", NodePath(box.id).node_id)
    details = box.details if box.run is None else box.details[0]
    return box.cluster, box.kind, name, details, box.dashed
