"""The frames that a run opened and what was used in them, from the paths of its node runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dagorch.ids import NodePath
from dagorch.models.result import NodeRun
from dagorch.models.usage import NOTHING_USED, Usage

__all__ = ["frame_numbers", "usage_with_frames"]


def frame_numbers(paths: Iterable[str]) -> dict[str, list[int]]:
    """
    Map each container to the numbers of its frames, ascending; -1 is a frame without a number.

    Frames of fallbacks are left out.

    Example:
        >>> frame_numbers(["refine", "refine[0]/critic", "refine[1]/critic", "part/step"])
        {'refine': [0, 1], 'part': [-1]}
    """
    found: dict[str, set[int]] = {}
    for path in paths:
        run = NodePath(path)
        if run.container and not run.is_in_fallback:
            number = run.frame_number
            found.setdefault(run.container, set()).add(-1 if number is None else number)
    return {name: sorted(numbers) for name, numbers in found.items()}


def usage_with_frames(runs: Mapping[str, NodeRun]) -> dict[str, Usage]:
    """Sum, for each path, the usage of a node run and of all node runs in its frames."""
    sums: dict[str, Usage] = {}
    for path, run in runs.items():
        if run.bills:
            for owner in NodePath(path).with_containers():
                sums[owner] = sums.get(owner, NOTHING_USED) + run.usage
    return sums
