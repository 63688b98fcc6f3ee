"""
Model services that count in every usual way, as plain arithmetic: what admission is tested
against.

Each refuses what its limits do not permit. None knows anything of the code it judges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["SERVICES", "Service"]

_ROUNDING: Final = 1e-6


class Service(Protocol):
    """Something that admits or refuses, at times that never fall."""

    def admits(self, tokens: int, now: float) -> bool: ...


class FixedWindows:
    """Counts from zero in each window; the first begins at an unknown time."""

    def __init__(self, requests: int, tokens: int, window: float, begin: float) -> None:
        self._most = (requests, tokens)
        self._window = window
        self._begin = begin
        self._number = -1
        self._used = (0, 0)

    def admits(self, tokens: int, now: float) -> bool:
        number = int((now - self._begin) // self._window)
        if number != self._number:
            self._number, self._used = number, (0, 0)
        used = (self._used[0] + 1, self._used[1] + tokens)
        if used[0] > self._most[0] or used[1] > self._most[1]:
            return False
        self._used = used
        return True


class SlidingWindow:
    """Looks back one window from every request."""

    def __init__(self, requests: int, tokens: int, window: float, begin: float) -> None:
        del begin
        self._most = (requests, tokens)
        self._window = window
        self._log: list[tuple[float, int]] = []

    def admits(self, tokens: int, now: float) -> bool:
        back = now - self._window + _ROUNDING
        self._log = [(when, size) for when, size in self._log if when > back]
        if len(self._log) >= self._most[0]:
            return False
        if sum(size for _, size in self._log) + tokens > self._most[1]:
            return False
        self._log.append((now, tokens))
        return True


class TokenBuckets:
    """Two buckets, full at first, refilled all the time."""

    def __init__(self, requests: int, tokens: int, window: float, begin: float) -> None:
        self._most = (float(requests), float(tokens))
        self._window = window
        self._last = begin
        self._left = self._most

    def admits(self, tokens: int, now: float) -> bool:
        share = (now - self._last) / self._window
        requests, left = (
            min(most, have + most * share)
            for most, have in zip(self._most, self._left, strict=True)
        )
        self._last, self._left = now, (requests, left)
        if requests < 1 - _ROUNDING or left < tokens - _ROUNDING:
            return False
        self._left = (requests - 1, left - tokens)
        return True


SERVICES: Final[dict[str, Callable[[int, int, float, float], Service]]] = {
    "fixed windows": FixedWindows,
    "sliding window": SlidingWindow,
    "token buckets": TokenBuckets,
}
