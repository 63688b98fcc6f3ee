"""
How many exchanges at once a service bears that nobody gave limits for: found out by trying.

Additive increase, multiplicative decrease, as TCP does it. Nothing is known of rates here.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Adaptive"]

_UNBOUNDED: Final = float("inf")
_TWO_AT_ONCE: Final = 2.0
_FIRST_WAIT_SECONDS: Final = 0.1
_MAX_WAIT_SECONDS: Final = 10.0
_KEPT_SECONDS: Final = 600.0
"""How long what was found out is remembered while nobody asks the service for anything."""


class Adaptive:
    """
    A bound, halved when the service refuses; it grows by one with each round that went well.

    There is none before the first refusal. Exchanges that were under way together are refused
    together: only the first of them counts.

    Source: Chiu and Jain, 1989.

    Example:
        >>> bound = Adaptive()
        >>> bound.refused(number=1, sent=64, held=64, now=0.0)
        0.0
        >>> bound.refused(number=2, sent=64, held=63, now=0.0)
        0.0
        >>> bound.most
        32.0
        >>> for _ in range(32):
        ...     bound.went_well(now=1.0)
        >>> 32.9 < bound.most < 33.0
        True
    """

    __slots__ = ("_known", "_last", "_pause", "most")

    def __init__(self) -> None:
        self.most = _UNBOUNDED
        """How many may be under way, the part below 1 being on its way to be one."""
        self._known = 0
        """How many had been sent when it was last halved."""
        self._last = 0.0
        self._pause = 0.0

    def is_idle(self, now: float) -> bool:
        """Whether there is nothing to remember, or not any more."""
        return self.most == _UNBOUNDED or now - self._last > _KEPT_SECONDS

    def refused(self, number: int, sent: int, held: int, now: float) -> float:
        """
        Take in a refusal.

        Returns:
            Seconds to wait before the next: 0, but where even one at a time was too much, a
            tenth of a second, and twice as long each time until one goes well.

        Args:
            number: Which exchange it was, counted from 1.
            sent: How many were sent so far.
            held: How many are under way, the refused one too.
            now: Seconds.
        """
        self._last = now
        if number <= self._known:
            return 0.0
        self._known = sent
        if self.most < _TWO_AT_ONCE:
            self._pause = min(_MAX_WAIT_SECONDS, max(_FIRST_WAIT_SECONDS, 2 * self._pause))
        self.most = max(1.0, min(self.most, float(held)) / 2)
        return self._pause

    def went_well(self, now: float) -> None:
        """Take in an answer."""
        self._last = now
        self._pause = 0.0
        self.most += 1 / self.most
