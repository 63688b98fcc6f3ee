"""A minimum interval between the requests to one service, shared by all that send to it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

__all__ = ["Throttle"]

_MAX_PAUSE_WAIT_SECONDS: Final = 2.0
"""`acquire` waits for the end of a pause if at most this is left of it."""


class Throttle:
    """
    Spaces requests out, and holds them back during a pause that the service asked for.

    Args:
        interval_seconds: From the start of one request to the start of the next.
        now: A clock in seconds.
        sleep: An async sleep in seconds.
    """

    def __init__(
        self,
        interval_seconds: float,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._now = now
        self._sleep = sleep
        self._next_start = float("-inf")
        self._paused_until = float("-inf")

    async def acquire(self) -> float:
        """
        Wait until a request may start.

        Returns:
            0; or the seconds left of a pause that is too long to wait for. The caller then
            must not send.
        """
        now = self._now()
        pause_left = self._paused_until - now
        if pause_left > _MAX_PAUSE_WAIT_SECONDS:
            return pause_left
        start = max(now, self._next_start, self._paused_until)
        self._next_start = start + self.interval_seconds
        if start > now:
            await self._sleep(start - now)
        return 0.0

    def pause(self, seconds: float) -> None:
        """Hold back every request for at least `seconds`."""
        self._paused_until = max(self._paused_until, self._now() + seconds)
