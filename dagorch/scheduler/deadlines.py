"""
All times of a run in one heap: deadlines and ends of waits.

Those that no longer matter are dropped lazily.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any, Literal

__all__ = ["Deadlines", "Due"]

Purpose = Literal["attempt", "node", "container", "run", "retry", "admission", "hedge"]


class Due:
    """Something that happens at a time, unless it is dropped before."""

    __slots__ = ("dropped", "frame", "index", "purpose", "subject", "when")

    def __init__(
        self, when: float, purpose: Purpose, frame: Any, index: int, subject: Any = None
    ) -> None:
        self.when = when
        self.purpose = purpose
        self.frame = frame
        self.index = index
        self.subject = subject
        self.dropped = False


class Deadlines:
    """
    A heap of `Due`s; equal times come in the order they were added.

    Attributes:
        earliest: When the next one is due; infinity if none is.
    """

    __slots__ = ("_dropped", "_heap", "_serial", "earliest")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Due]] = []
        self._serial = 0
        self._dropped = 0
        self.earliest = float("inf")

    def add(self, due: Due) -> Due:
        self._serial += 1
        heapq.heappush(self._heap, (due.when, self._serial, due))
        self.earliest = min(self.earliest, due.when)
        return due

    def drop(self, due: Due) -> None:
        """Forget one; the heap is swept when most of it is forgotten."""
        if due.dropped:
            return
        due.dropped = True
        self._dropped += 1
        if self._dropped > 64 and self._dropped * 2 > len(self._heap):
            self._heap = [item for item in self._heap if not item[2].dropped]
            heapq.heapify(self._heap)
            self._dropped = 0
        self._look()

    def pop(self, now: float) -> Due | None:
        """Take the first that is due."""
        if self.earliest > now:
            return None
        due = heapq.heappop(self._heap)[2]
        due.dropped = True
        self._look()
        return due

    def _look(self) -> None:
        heap = self._heap
        while heap and heap[0][2].dropped:
            heapq.heappop(heap)
            self._dropped -= 1
        self.earliest = heap[0][0] if heap else float("inf")

    def __iter__(self) -> Iterator[Due]:
        """Those that still matter, in no order."""
        return (item[2] for item in self._heap if not item[2].dropped)

    def __len__(self) -> int:
        return len(self._heap) - self._dropped
