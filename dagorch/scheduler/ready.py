"""The ready queue: node runs that may start, critical path first, one heap per set of resources."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagorch.scheduler.frames import Frame

__all__ = ["Item", "ReadyQueue"]

Item = tuple[float, float, int, int, "Frame"]
"""Minus priority, minus (tail + rank), frame serial, node index, frame: compared left to right."""
_NONE: tuple[str, ...] = ()


class ReadyQueue:
    """
    Heaps of ready node runs; the smallest item that is admitted comes first.

    A set of resources that is saturated does not hold up the others.
    """

    __slots__ = ("free", "others")

    def __init__(self) -> None:
        self.free: list[Item] = []
        """Those that need nothing but a slot."""
        self.others: dict[tuple[str, ...], list[Item]] = {}
        """Those that need resources, by their names; an empty heap is not kept long."""

    def push(self, item: Item, resources: tuple[str, ...] = _NONE) -> None:
        if resources:
            heapq.heappush(self.others.setdefault(resources, []), item)
        else:
            heapq.heappush(self.free, item)

    def pop(self, live: Callable[[Item], bool], admit: Callable[[Item], bool]) -> Item | None:
        """
        Take the first item that is live and admitted.

        Args:
            live: Whether the item is still ready; those that are not are thrown away.
            admit: Whether it may start now. False passes over its whole set of resources.
        """
        if not self.others:
            free = self.free
            while free:
                item = heapq.heappop(free)
                if live(item):
                    return item
            return None
        refused: list[Any] = []
        while True:
            best: Item | None = None
            found: list[Item] = []
            for key, heap in ((_NONE, self.free), *self.others.items()):
                if key in refused:
                    continue
                while heap and not live(heap[0]):
                    heapq.heappop(heap)
                if heap and (best is None or heap[0] < best):
                    best, found, best_key = heap[0], heap, key
            if best is None:
                self.others = {key: heap for key, heap in self.others.items() if heap}
                return None
            if not best_key or admit(best):
                return heapq.heappop(found)
            refused.append(best_key)

    def __len__(self) -> int:
        return len(self.free) + sum(map(len, self.others.values()))
