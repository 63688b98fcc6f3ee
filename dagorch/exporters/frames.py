"""Which frames a run opened, and what was used up in them, read off the paths of its node runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dagorch.models.result import NodeRun
from dagorch.models.usage import NOTHING_USED, Usage

__all__ = ["frame_numbers", "holders", "usage_with_inside"]


def frame_numbers(paths: Iterable[str]) -> dict[str, list[int]]:
    """
    Give the numbers of the frames under each container, ascending; -1 for one without a number.

    Example:
        >>> frame_numbers(["refine", "refine[0]/critic", "refine[1]/critic", "part/step"])
        {'refine': [0, 1], 'part': [-1]}
    """
    found: dict[str, set[int]] = {}
    for path in paths:
        head, slash, _ = path.rpartition("/")
        if not slash:
            continue
        name, bracket, number = head.rpartition("[")
        if bracket and number.endswith("]"):
            found.setdefault(name, set()).add(int(number[:-1]))
        else:
            found.setdefault(head, set()).add(-1)
    return {name: sorted(numbers) for name, numbers in found.items()}


def holders(path: str) -> Iterator[str]:
    """
    Give a node run and those that it ran inside of, the innermost first.

    Example:
        >>> list(holders("search[7]/refine[0]/critic"))
        ['search[7]/refine[0]/critic', 'search[7]/refine', 'search']
    """
    while path:
        yield path
        path = path.rpartition("/")[0]
        if path.endswith("]"):
            path = path.rpartition("[")[0]


def usage_with_inside(runs: Mapping[str, NodeRun]) -> dict[str, Usage]:
    """Give what each node run used up, together with all that ran inside of it; by path."""
    sums: dict[str, Usage] = {}
    for path, run in runs.items():
        if run.bills:
            for holder in holders(path):
                sums[holder] = sums.get(holder, NOTHING_USED) + run.usage
    return sums
