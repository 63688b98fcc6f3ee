"""How long a model's answers took of late, and what is longer than most of them; no decisions."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

__all__ = ["Latencies"]

_MIN: Final = 20
"""Answers below which nothing is said: one in twenty is what is called late."""
_KEPT: Final = 200
"""The newest only, for services have good and bad hours."""
_KEPT_SECONDS: Final = 600.0
"""How long they are remembered while nobody asks the service for anything."""


class Latencies:
    """
    The seconds from sending to the whole answer, of the last 200 exchanges.

    Example:
        >>> seen = Latencies()
        >>> for seconds in range(1, 101):
        ...     seen.add(float(seconds), now=0.0)
        >>> seen.p95
        95.0
    """

    __slots__ = ("_last", "_seconds")

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_KEPT)
        self._last = 0.0

    def add(self, seconds: float, now: float) -> None:
        """Take in one more."""
        self._seconds.append(seconds)
        self._last = now

    @property
    def p95(self) -> float | None:
        """The least of them that 95 in a hundred do not exceed; None while fewer than 20 are known.

        Cost: O(n log n) of the 200.
        """
        count = len(self._seconds)
        return None if count < _MIN else sorted(self._seconds)[math.ceil(0.95 * count) - 1]

    def is_idle(self, now: float) -> bool:
        """Whether there is nothing to remember, or not any more."""
        return not self._seconds or now - self._last > _KEPT_SECONDS
