"""
Find by trial how many concurrent exchanges a service of unknown limits accepts.

Additive increase, multiplicative decrease, as TCP does it. Rates are in `rates.py`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["AIMDLimit"]

_UNBOUNDED: Final = float("inf")
_FIRST_PAUSE_SECONDS: Final = 0.1
_MAX_PAUSE_SECONDS: Final = 10.0
_KEPT_SECONDS: Final = 600.0
"""How long the limit is remembered while the service is not used."""


class AIMDLimit:
    """
    A limit that halves when the service refuses, and grows by one per round without a refusal.

    There is none before the first refusal. Exchanges that were in flight together are refused
    together: only the first of them counts.

    Source: Chiu and Jain, 1989.

    Example:
        >>> bound = AIMDLimit()
        >>> bound.refused(number=1, sent=64, held=64, now=0.0)
        0.0
        >>> bound.refused(number=2, sent=64, held=63, now=0.0)
        0.0
        >>> bound.limit
        32.0
        >>> for _ in range(32):
        ...     bound.succeeded(now=1.0)
        >>> 32.9 < bound.limit < 33.0
        True
    """

    __slots__ = ("_halved_at", "_last", "_pause", "limit")

    def __init__(self) -> None:
        self.limit = _UNBOUNDED
        """How many may be in flight; the fraction grows until it is one more."""
        self._halved_at = 0
        """How many had been sent when it was last halved."""
        self._last = 0.0
        self._pause = 0.0

    def is_idle(self, now: float) -> bool:
        """Return whether nothing is worth remembering."""
        return self.limit == _UNBOUNDED or now - self._last > _KEPT_SECONDS

    def refused(self, number: int, sent: int, held: int, now: float) -> float:
        """
        Lower the limit after a refusal.

        Returns:
            Seconds to pause. 0, unless even one at a time was too much: then a tenth of a
            second, and twice as long after each further refusal.

        Args:
            number: The number of the exchange, from 1.
            sent: How many have been sent so far.
            held: How many are in flight, the refused one included.
            now: Seconds.
        """
        self._last = now
        if number <= self._halved_at:
            return 0.0
        self._halved_at = sent
        if self.limit < 2:
            self._pause = min(_MAX_PAUSE_SECONDS, max(_FIRST_PAUSE_SECONDS, 2 * self._pause))
        self.limit = max(1.0, min(self.limit, float(held)) / 2)
        return self._pause

    def succeeded(self, now: float) -> None:
        """Raise the limit after a response."""
        self._last = now
        self._pause = 0.0
        self.limit += 1 / self.limit
