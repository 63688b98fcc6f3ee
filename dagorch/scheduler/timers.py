"""
Timers: every deadline and delay of a run, in one heap.

Dropped timers are removed lazily. What happens when a timer fires is in `core.py`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final

from dagorch.scheduler.records import Timer

__all__ = ["Timers"]

_MIN_SWEPT: Final = 64
"""Fewer dropped timers than this are not worth a sweep."""


class Timers:
    """
    A heap of timers; those of equal time fire in the order in which they were added.

    Attributes:
        earliest: When the next one fires; infinity if there is none.
    """

    __slots__ = ("_dropped", "_heap", "_serial", "earliest")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._serial = 0
        self._dropped = 0
        self.earliest = float("inf")

    def add(self, timer: Timer) -> Timer:
        self._serial += 1
        heapq.heappush(self._heap, (timer.when, self._serial, timer))
        self.earliest = min(self.earliest, timer.when)
        return timer

    def drop(self, timer: Timer) -> None:
        """Drop a timer; the heap is swept when most of it is dropped."""
        if timer.dropped:
            return
        timer.dropped = True
        self._dropped += 1
        if self._dropped > _MIN_SWEPT and self._dropped * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if not entry[2].dropped]
            heapq.heapify(self._heap)
            self._dropped = 0
        self._find_earliest()

    def pop(self, now: float) -> Timer | None:
        """Remove and return the first timer that is due; None if none is."""
        if self.earliest > now:
            return None
        timer = heapq.heappop(self._heap)[2]
        timer.dropped = True
        self._find_earliest()
        return timer

    def _find_earliest(self) -> None:
        heap = self._heap
        while heap and heap[0][2].dropped:
            heapq.heappop(heap)
            self._dropped -= 1
        self.earliest = heap[0][0] if heap else float("inf")

    def __iter__(self) -> Iterator[Timer]:
        """Iterate over the timers that are not dropped, in no order."""
        return (entry[2] for entry in self._heap if not entry[2].dropped)

    def __len__(self) -> int:
        return len(self._heap) - self._dropped
