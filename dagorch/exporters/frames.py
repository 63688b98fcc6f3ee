"""Which frames a run opened, read off the paths of its node runs. Nothing is done with them."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["frame_numbers"]


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
