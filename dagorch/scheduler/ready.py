"""The ready queue: node runs that may start, critical path first, each set of resources apart."""

from __future__ import annotations

import heapq
from collections import deque
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
    Ready node runs; the smallest item that is admitted comes first.

    Those that need nothing but a slot mostly become ready in the order in which they start: they
    stand in a line, and only one that belongs before its end goes on a heap beside it. Those that
    need resources have a heap for each set of these, so that one that is saturated does not hold
    up the others.

    Where all node runs are of one frame, their order is known beforehand, and line and heap hold
    a number each, the place in that order.

    Args:
        plan: What is run; its `order` says whether numbers will do.
    """

    __slots__ = ("_order", "_place", "_plan", "heap", "line", "others", "root")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._order, self._place = plan.start_order, plan.start_rank
        self.root: Frame | None = None
        """The frame that the numbers belong to, once it is open."""
        self.line: deque[Any] = deque()
        """Those that need nothing but a slot, ascending: items, or places in the plan's order."""
        self.heap: list[Any] = []
        """Those that need nothing but a slot and came out of order."""
        self.others: dict[tuple[str, ...], list[Item]] = {}
        """Those that need resources, by their names; an empty heap is not kept long."""

    def push(self, item: Item, resources: tuple[str, ...] = _NONE) -> None:
        if resources:
            heapq.heappush(self.others.setdefault(resources, []), item)
        else:
            self._stand(item if self._place is None else self._place[item[3]])

    def push_plain(self, frame: Frame, index: int) -> None:
        """Push a node run without limits: it needs a slot alone and has its frame's priority."""
        if self._place is not None:
            self._stand(self._place[index])
        else:
            key = frame.plan.neg_rank[index] - frame.tail
            self._stand((frame.minus_priority, key, frame.serial, index, frame))

    def _stand(self, entry: Any) -> None:
        line = self.line
        if not line or line[-1] < entry:
            line.append(entry)
        else:
            heapq.heappush(self.heap, entry)

    def pop(self, live: Callable[[Item], bool], admit: Callable[[Item], bool]) -> Item | None:
        """
        Take the first item that is live and admitted.

        Args:
            live: Whether the item is still ready; those that are not are thrown away.
            admit: Whether it may start now. False passes over its whole set of resources.
        """
        refused: list[Any] = []
        while True:
            best, best_key = self._first(live), _NONE
            for key, heap in self.others.items():
                if key in refused:
                    continue
                while heap and not live(heap[0]):
                    heapq.heappop(heap)
                if heap and (best is None or heap[0] < best):
                    best, best_key = heap[0], key
            if best is None:
                for key in [key for key, heap in self.others.items() if not heap]:
                    del self.others[key]
                return None
            if not best_key:
                self._take_first()
                return best
            if admit(best):
                heapq.heappop(self.others[best_key])
                return best
            refused.append(best_key)

    def remove(self, frame: Frame, index: int) -> None:
        """Take out one that needs resources, since what it needs has changed. Cost: O(waiting)."""
        for key, heap in self.others.items():
            kept = [item for item in heap if item[4] is not frame or item[3] != index]
            if len(kept) < len(heap):
                heapq.heapify(kept)
                self.others[key] = kept
                return

    def _first(self, live: Callable[[Item], bool]) -> Item | None:
        """Look at the first of those that need nothing but a slot."""
        line, heap = self.line, self.heap
        while line or heap:
            item = self._item(heap[0] if heap and (not line or heap[0] < line[0]) else line[0])
            if live(item):
                return item
            self._take_first()
        return None

    def _take_first(self) -> None:
        line, heap = self.line, self.heap
        if heap and (not line or heap[0] < line[0]):
            heapq.heappop(heap)
        else:
            line.popleft()

    def _item(self, entry: Any) -> Item:
        """Give an entry of line or heap as an item."""
        if type(entry) is not int:
            return entry  # type: ignore[no-any-return]
        assert self._order is not None
        assert self.root is not None
        index, plan = self._order[entry], self._plan
        priority = plan.priorities.get(index, 0)
        return (-priority, plan.neg_rank[index], self.root.serial, index, self.root)

    def __iter__(self) -> Iterator[Item]:
        """All items, in no order."""
        for entries in (self.line, self.heap, *self.others.values()):
            yield from map(self._item, entries)

    def __bool__(self) -> bool:
        """Whether there may be any; those that are not ready any more are found out later."""
        return bool(self.line or self.heap or self.others)

    def __len__(self) -> int:
        return len(self.line) + len(self.heap) + sum(map(len, self.others.values()))
