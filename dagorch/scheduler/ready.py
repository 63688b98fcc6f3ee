"""The ready queue: node runs that may start, critical path first, one heap per set of resources."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from dagorch.graph.plan import Plan

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

    Where all node runs are of one frame, their order is known beforehand: then the heap of those
    that need nothing holds a number each, the place in that order.

    Args:
        plan: What is run; its `order` says whether numbers will do.
    """

    __slots__ = ("_order", "_place", "_plan", "free", "others", "root")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._order, self._place = plan.order, plan.place
        self.root: Frame | None = None
        """The frame that the numbers belong to, once it is open."""
        self.free: list[Any] = []
        """Those that need nothing but a slot: items, or places in the plan's order."""
        self.others: dict[tuple[str, ...], list[Item]] = {}
        """Those that need resources, by their names; an empty heap is not kept long."""

    def push(self, item: Item, resources: tuple[str, ...] = _NONE) -> None:
        if resources:
            heapq.heappush(self.others.setdefault(resources, []), item)
        elif self._place is not None:
            heapq.heappush(self.free, self._place[item[3]])
        else:
            heapq.heappush(self.free, item)

    def push_plain(self, frame: Frame, index: int) -> None:
        """Push a node run without limits: it needs a slot alone and has its frame's priority."""
        if self._place is not None:
            heapq.heappush(self.free, self._place[index])
        else:
            key = frame.plan.neg_rank[index] - frame.tail
            heapq.heappush(self.free, (frame.minus_priority, key, frame.serial, index, frame))

    def pop(self, live: Callable[[Item], bool], admit: Callable[[Item], bool]) -> Item | None:
        """
        Take the first item that is live and admitted.

        Args:
            live: Whether the item is still ready; those that are not are thrown away.
            admit: Whether it may start now. False passes over its whole set of resources.
        """
        refused: list[Any] = []
        while True:
            best: Item | None = None
            found: list[Any] = []
            for key, heap in ((_NONE, self.free), *self.others.items()):
                if key in refused:
                    continue
                while heap and not live(item := self._item(heap[0])):
                    heapq.heappop(heap)
                if heap and (best is None or item < best):
                    best, found, best_key = item, heap, key
            if best is None:
                for key in [key for key, heap in self.others.items() if not heap]:
                    del self.others[key]
                return None
            if not best_key or admit(best):
                heapq.heappop(found)
                return best
            refused.append(best_key)

    def _item(self, entry: Any) -> Item:
        """Give an entry of a heap as an item."""
        if type(entry) is not int:
            return entry  # type: ignore[no-any-return]
        assert self._order is not None
        assert self.root is not None
        index, plan = self._order[entry], self._plan
        priority = plan.priorities.get(index, 0)
        return (-priority, plan.neg_rank[index], self.root.serial, index, self.root)

    def __iter__(self) -> Iterator[Item]:
        """All items, in no order."""
        for heap in (self.free, *self.others.values()):
            yield from map(self._item, heap)

    def __len__(self) -> int:
        return len(self.free) + sum(map(len, self.others.values()))
