"""
An HTTP reply while it arrives: status, headers, bytes and idle timeouts.

Every token of every call passes through here, so each chunk must be cheap: bytes come directly
from httpx's transport, and the timer is reset only when that makes a difference.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal

import anyio
import anyio.lowlevel

from dagorch.http.connections import close_response
from dagorch.http.inflate import Inflater

if TYPE_CHECKING:
    import httpx

__all__ = [
    "MAX_REPLY_BYTES", "HttpReply", "IdleTimeouts", "Timeouts", "TransportError",
    "TransportProblem",
]  # fmt: skip

TransportProblem = Literal[
    "refused", "unresolved", "insecure", "connect_timeout", "first_byte_timeout", "chunk_timeout",
    "total_timeout", "too_large", "closed", "other",
]  # fmt: skip
"""How an HTTP exchange can fail without an HTTP status."""
MAX_REPLY_BYTES: Final = 64_000_000
"""Of one reply: 300 for each of 200,000 tokens."""
_RESET_FRACTION = 0.05
"""A chunk resets the timer only if more than this part of the timeout has passed."""
_DRAIN_SECONDS = 1.0
"""How long to wait for the end of a complete reply, so that its connection can be reused."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    How long a service may be silent in each phase, and take in all.

    The first byte may take minutes, because reasoning models think before they answer. A service
    that keeps the connection alive is not silent; only the total bounds it.
    """

    connect_seconds: float = 10.0
    first_byte_seconds: float = 300.0
    between_chunks_seconds: float = 120.0
    total_seconds: float = 3600.0


class TransportError(Exception):
    """
    An exchange failed below HTTP; `error_mapping` makes the user's error from it.

    The cause is a copy of the httpx error, if there was one. The original refers to frames and
    to a request that hold the key.
    """

    def __init__(self, problem: TransportProblem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem: TransportProblem = problem
        self.detail = detail


class IdleTimeouts:
    """
    Cancels an exchange whose service is silent for too long; one timer serves all phases.

    A reply has thousands of chunks, and resetting a timer costs as much as reading one. So a
    chunk resets it only after a twentieth of the timeout.

    Attributes:
        problem: What to report if the timer fires now.
    """

    def __init__(self, scope: anyio.CancelScope, timeouts: Timeouts) -> None:
        self._scope = scope
        self._timeouts = timeouts
        self._next_reset = 0.0
        self._end = anyio.current_time() + timeouts.total_seconds
        self.problem: TransportProblem = "first_byte_timeout"

    def await_first_byte(self) -> None:
        """Start the timer for the first byte."""
        self._set(self._timeouts.first_byte_seconds)

    def chunk_received(self) -> None:
        """Restart the timer for the next chunk."""
        now = monotonic()
        if now > self._next_reset:
            timeout = self._timeouts.between_chunks_seconds
            self._next_reset = now + timeout * _RESET_FRACTION
            self.problem = "chunk_timeout"
            self._set(timeout)

    def await_end(self) -> None:
        """Start the short timer for the end of a complete reply."""
        self._set(_DRAIN_SECONDS)

    def _set(self, seconds: float) -> None:
        deadline = anyio.current_time() + seconds
        if deadline > self._end:
            deadline, self.problem = self._end, "total_timeout"
        self._scope.deadline = deadline


class HttpReply:
    """
    A status, headers with lower-case names, and a body that is still arriving.

    Args:
        response: From httpx's transport.
        idle_timeouts: Reset by each chunk.
        scrub: Removes the key from header values.
    """

    def __init__(
        self, response: httpx.Response, idle_timeouts: IdleTimeouts, scrub: Callable[[str], str]
    ) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {
            name.lower(): scrub(value) for name, value in response.headers.items()
        }
        self._response = response
        self._idle_timeouts = idle_timeouts
        self._ended = False
        # The bytes of `response.aiter_raw()`, through two generators fewer.
        self._chunks: AsyncIterator[bytes] = aiter(response.stream)  # type: ignore[arg-type]

    async def feed(self, consume: Callable[[bytes], bool]) -> None:
        """
        Pass each chunk to `consume` as it arrives, until that returns True.

        Raises:
            InflateError: The body is compressed, and cannot be decoded.
            TransportError: It is too large.
        """
        encoding = self.headers.get("content-encoding", "")
        inflater = Inflater(encoding) if encoding else None  # the service ignored our request
        left = MAX_REPLY_BYTES
        async for chunk in self._chunks:
            self._idle_timeouts.chunk_received()
            for piece in (chunk,) if inflater is None else inflater.feed(chunk):
                left -= len(piece)
                if left < 0:
                    raise TransportError("too_large", f"{MAX_REPLY_BYTES:,} bytes")
                if consume(piece):
                    return
                if inflater is not None:
                    await anyio.lowlevel.checkpoint()
        self._ended = True

    async def read(self, limit: int) -> bytes:
        """Return the first `limit` bytes of the body."""
        body = bytearray()

        def consume(chunk: bytes) -> bool:
            body.extend(chunk)
            return len(body) >= limit

        await self.feed(consume)
        return bytes(body[:limit])

    async def drain(self) -> None:
        """
        Discard the rest of the body, because only an ended reply's connection can be reused.

        If the end does not arrive within a second, the exchange fails with a `TransportError`.
        """
        self._idle_timeouts.await_end()
        async for _ in self._chunks:
            pass
        self._ended = True

    async def close(self) -> None:
        """Close the connection if the reply has not ended, else leave it open for reuse."""
        if self._ended:
            await self._response.aclose()
        else:
            await close_response(self._response, self._chunks)
