"""The ready queue: node runs that may start, critical path first, grouped by what they need."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from dagorch.graph.plan import Plan
from dagorch.scheduler.records import Frame

__all__ = ["Item", "Needs", "ReadyQueue"]

Item = tuple[float, float, int, int, Frame]
"""Minus priority, minus (tail + rank), frame serial, node index, frame: compared left to right."""


class Needs(NamedTuple):
    """What a node run needs besides a slot."""

    resources: tuple[str, ...] = ()
    money: bool = False


_ONLY_A_SLOT: Final = Needs()


class ReadyQueue:
    """
    Ready node runs; the smallest item that is admitted comes first.

    Those that only need a slot mostly become ready in the order in which they start, so they
    append to a deque; the few that come out of order go on a heap beside it. Those that need
    more have a heap for each set of needs, so that a saturated resource holds up only its own.

    In a plan that opens no other frames, the order of all node runs is known beforehand. Deque
    and heap then hold only numbers: the node's rank in that order.

    Args:
        plan: What is run.
    """

    __slots__ = ("_plan", "_start_order", "_start_position", "by_needs", "in_order", "late", "root")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._start_order, self._start_position = plan.start_order, plan.start_position
        self.root: Frame | None = None
        """The frame that the numbers belong to, once it is open."""
        self.in_order: deque[Any] = deque()
        """Those that only need a slot, ascending: items, or ranks."""
        self.late: list[Any] = []
        """A heap of those that only need a slot and came out of order."""
        self.by_needs: dict[Needs, list[Item]] = {}
        """Heaps of those that need more; an empty one is soon deleted."""

    def push(self, item: Item, needs: Needs = _ONLY_A_SLOT) -> None:
        if needs != _ONLY_A_SLOT:
            heapq.heappush(self.by_needs.setdefault(needs, []), item)
        else:
            entry = item if self._start_position is None else self._start_position[item[3]]
            heapq.heappush(self.late, entry)

    def push_slot_only(self, frame: Frame, index: int) -> None:
        """Push a node run without a policy: it has its frame's priority."""
        entry: Any
        if self._start_position is not None:
            entry = self._start_position[index]
        else:
            key = frame.plan.neg_rank[index] - frame.tail
            entry = (frame.minus_priority, key, frame.serial, index, frame)
        in_order = self.in_order
        if not in_order or in_order[-1] < entry:
            in_order.append(entry)
        else:
            heapq.heappush(self.late, entry)

    def pop(self, is_ready: Callable[[Item], bool], admit: Callable[[Item], bool]) -> Item | None:
        """
        Remove and return the first item that is still ready and admitted.

        Args:
            is_ready: Whether an item is still ready; those that are not are dropped.
            admit: Whether it may start now. False skips all items of the same needs.
        """
        refused: list[Needs] = []
        while True:
            best, best_needs = self._first_slot_only(is_ready), _ONLY_A_SLOT
            for needs, heap in self.by_needs.items():
                if needs in refused:
                    continue
                while heap and not is_ready(heap[0]):
                    heapq.heappop(heap)
                if heap and (best is None or heap[0] < best):
                    best, best_needs = heap[0], needs
            if best is None:
                for needs in [needs for needs, heap in self.by_needs.items() if not heap]:
                    del self.by_needs[needs]
                return None
            if best_needs is _ONLY_A_SLOT:
                self._pop_slot_only()
                return best
            if admit(best):
                heapq.heappop(self.by_needs[best_needs])
                return best
            refused.append(best_needs)

    def remove(self, frame: Frame, index: int) -> None:
        """Remove a node run whose needs have changed. Cost: O(waiting)."""
        for needs, heap in self.by_needs.items():
            kept = [item for item in heap if item[4] is not frame or item[3] != index]
            if len(kept) < len(heap):
                heapq.heapify(kept)
                self.by_needs[needs] = kept
                return

    def _first_slot_only(self, is_ready: Callable[[Item], bool]) -> Item | None:
        """Return the first of those that only need a slot, without removing it."""
        in_order, late = self.in_order, self.late
        while in_order or late:
            is_late = late and (not in_order or late[0] < in_order[0])
            item = self._item(late[0] if is_late else in_order[0])
            if is_ready(item):
                return item
            self._pop_slot_only()
        return None

    def _pop_slot_only(self) -> None:
        in_order, late = self.in_order, self.late
        if late and (not in_order or late[0] < in_order[0]):
            heapq.heappop(late)
        else:
            in_order.popleft()

    def _item(self, entry: Any) -> Item:
        """Return an entry of deque or heap as an item."""
        if type(entry) is not int:
            return entry  # type: ignore[no-any-return]  # a rank or an item
        assert self._start_order is not None
        assert self.root is not None
        index, plan = self._start_order[entry], self._plan
        priority = plan.priorities.get(index, 0)
        return (-priority, plan.neg_rank[index], self.root.serial, index, self.root)

    def __iter__(self) -> Iterator[Item]:
        """Iterate over all items, in no order."""
        for entries in (self.in_order, self.late, *self.by_needs.values()):
            yield from map(self._item, entries)

    def __bool__(self) -> bool:
        """Whether there may be any; those that are no longer ready are found when popped."""
        return bool(self.in_order or self.late or self.by_needs)

    def __len__(self) -> int:
        return len(self.in_order) + len(self.late) + sum(map(len, self.by_needs.values()))
