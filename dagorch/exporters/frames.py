"""Which frames a run opened, and what was used up in them, read off the paths of its node runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dagorch.ids import NodePath
from dagorch.models.result import NodeRun
from dagorch.models.usage import NOTHING_USED, Usage

__all__ = ["frame_numbers", "usage_with_inside"]


def frame_numbers(paths: Iterable[str]) -> dict[str, list[int]]:
    """
    Give the numbers of the frames under each container, ascending; -1 for one without a number.

    Example:
        >>> frame_numbers(["refine", "refine[0]/critic", "refine[1]/critic", "part/step"])
        {'refine': [0, 1], 'part': [-1]}
    """
    found: dict[str, set[int]] = {}
    for path in paths:
        run = NodePath(path)
        if run.container:
            number = run.frame_number
            found.setdefault(run.container, set()).add(-1 if number is None else number)
    return {name: sorted(numbers) for name, numbers in found.items()}


def usage_with_inside(runs: Mapping[str, NodeRun]) -> dict[str, Usage]:
    """Give what each node run used up, together with all that ran inside of it; by path."""
    sums: dict[str, Usage] = {}
    for path, run in runs.items():
        if run.bills:
            for holder in NodePath(path).with_containers():
                sums[holder] = sums.get(holder, NOTHING_USED) + run.usage
    return sums
