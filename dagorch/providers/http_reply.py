"""
A reply while it arrives: its head, its bytes, its silences; nothing is sent here.

Every answer of every agent passes through here piece by piece, so a piece costs as little as it
can: bytes are taken from httpx's transport as they are, and a timer is set only where that makes
a difference.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Literal

import anyio

from dagorch.http.connections import close_response

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpReply", "Silences", "Timeouts", "TransportFailure", "TransportProblem"]

TransportProblem = Literal[
    "refused", "unresolved", "insecure", "connect_timeout", "first_byte_timeout", "chunk_timeout",
    "closed", "other",
]  # fmt: skip
"""How an HTTP exchange can fail without an HTTP status."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    How long each silence of a service is borne; the engine's own timeouts bound the whole.

    The first byte may take minutes: reasoning models think before they speak.
    """

    connect_seconds: float = 10.0
    first_byte_seconds: float = 300.0
    between_chunks_seconds: float = 120.0


class TransportFailure(Exception):  # noqa: N818 - a fact to be mapped, never shown to a user
    """
    An exchange failed below HTTP.

    The cause is a copy of the httpx error, if there was one: the error itself leads to frames
    and to a request that hold the key.
    """

    def __init__(self, problem: TransportProblem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem: TransportProblem = problem
        self.detail = detail


_SLACK = 0.05
"""How much of a silence between chunks may be cut from the next."""
_DRAIN_SECONDS = 1.0
"""Wait for a reply's end after its last useful byte, so that its connection can be used again."""


class Silences:
    """
    Ends an exchange that has been silent for too long; one timer for all of its silences.

    An answer has thousands of chunks, and setting a timer takes as long as reading one: so a
    chunk sets it anew only if a twentieth of the time has passed.
    """

    def __init__(self, scope: anyio.CancelScope, timeouts: Timeouts) -> None:
        self._scope = scope
        self._timeouts = timeouts
        self._worthwhile = 0.0
        self.phase: TransportProblem = "first_byte_timeout"
        """What it is called if the present silence is the last."""

    def begin(self) -> None:
        """Wait for the first byte."""
        self._set(self._timeouts.first_byte_seconds)

    def heard(self) -> None:
        """Wait for the next chunk, now that one is there."""
        now = monotonic()
        if now > self._worthwhile:
            silence = self._timeouts.between_chunks_seconds
            self._worthwhile = now + silence * _SLACK
            self.phase = "chunk_timeout"
            self._set(silence)

    def end(self) -> None:
        """Wait for nothing but the end."""
        self._set(_DRAIN_SECONDS)

    def _set(self, seconds: float) -> None:
        self._scope.deadline = anyio.current_time() + seconds


class HttpReply:
    """A status, headers with lower-case names, and a body that is still arriving."""

    def __init__(
        self, response: httpx.Response, silences: Silences, scrub: Callable[[str], str]
    ) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {
            name.lower(): scrub(value) for name, value in response.headers.items()
        }
        self._response = response
        self._silences = silences
        self._ended = False
        self._bytes: AsyncIterator[bytes]
        if "content-encoding" in self.headers:
            self._bytes = response.aiter_bytes()
        else:  # as `aiter_bytes` gives them too, but through two generators less
            self._bytes = aiter(response.stream)  # type: ignore[arg-type]

    async def feed(self, take: Callable[[bytes], bool]) -> None:
        """Give the body's bytes to `take` as they arrive, until it says that it is done."""
        heard = self._silences.heard
        async for chunk in self._bytes:
            heard()
            if take(chunk):
                return
        self._ended = True

    async def read(self, limit: int) -> bytes:
        """Give the body's first `limit` bytes."""
        body = bytearray()

        def take(chunk: bytes) -> bool:
            body.extend(chunk)
            return len(body) >= limit

        await self.feed(take)
        return bytes(body[:limit])

    async def drain(self) -> None:
        """
        Read what is left and forget it; a connection is reused only after its reply's end.

        An end that does not come soon is a `TransportFailure` like every silence.
        """
        self._silences.end()
        async for _ in self._bytes:
            pass
        self._ended = True

    async def close(self) -> None:
        """Close the connection if the reply has not ended, else leave it open for reuse."""
        if self._ended:
            await self._response.aclose()
        else:
            await close_response(self._response, self._bytes)
