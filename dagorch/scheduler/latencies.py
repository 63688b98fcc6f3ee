"""The latest response times of a model and their 95th percentile; no decisions."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

__all__ = ["Latencies"]

_MIN_SAMPLES: Final = 20
"""With fewer there is no 95th percentile."""
_MAX_SAMPLES: Final = 200
"""Only the newest count: services have good and bad hours."""
_KEPT_SECONDS: Final = 600.0
"""How long samples are remembered while the service is not used."""


class Latencies:
    """
    The seconds from sending to the whole response, of the last 200 exchanges.

    Example:
        >>> seen = Latencies()
        >>> for seconds in range(1, 101):
        ...     seen.add(float(seconds), now=0.0)
        >>> seen.p95
        95.0
    """

    __slots__ = ("_last", "_seconds")

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_MAX_SAMPLES)
        self._last = 0.0

    def add(self, seconds: float, now: float) -> None:
        self._seconds.append(seconds)
        self._last = now

    @property
    def p95(self) -> float | None:
        """
        The smallest sample that 95 in 100 do not exceed; None with fewer than 20.

        Cost: O(n log n) of the 200.
        """
        count = len(self._seconds)
        if count < _MIN_SAMPLES:
            return None
        return sorted(self._seconds)[math.ceil(0.95 * count) - 1]

    def is_idle(self, now: float) -> bool:
        """Return whether nothing is worth remembering."""
        return not self._seconds or now - self._last > _KEPT_SECONDS
