"""
A fake model service that enforces rate limits; a handler for `tests.servers.ModelServer`.

It charges the prompt and `max_tokens` of each request that it admits, by one of several ways to
count over windows, and answers 429 to the rest. It records what it did. A prompt has a quarter as
many tokens as characters, as its usage reports.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any, Literal

from tests.servers import DONE, STREAM, Connection, Handler, Request, delta, event, reply, usage
from tests.unit.scheduler.services import SERVICES, Service

__all__ = ["FAULTS", "LimitedService", "prompt_tokens"]

Says = Literal["nothing", "seconds", "date", "headers"]


def prompt_tokens(body: Mapping[str, Any]) -> int:
    """The tokens that the service counts for a prompt."""
    return math.ceil(sum(len(message["content"]) for message in body["messages"]) / 4)


def _milliseconds(seconds: float) -> str:
    """Format seconds with three decimals, rounded up, so that a retry is not early."""
    return f"{math.ceil(seconds * 1000) / 1000:.3f}"


async def _reset(_request: Request, _connection: Connection) -> None:
    """Close the connection instead of answering."""


async def _cut_head(_request: Request, connection: Connection) -> None:
    connection.writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/ev")
    await connection.writer.drain()


async def _cut_stream(_request: Request, connection: Connection) -> None:
    await connection.head(200, STREAM)
    await connection.chunk(event(delta("Hel")))


async def _cut_event(_request: Request, connection: Connection) -> None:
    await connection.head(200, STREAM)
    await connection.chunk(event(delta("Hel")) + b'data: {"choi')


async def _error_event(_request: Request, connection: Connection) -> None:
    await connection.head(200, STREAM)
    await connection.chunk(event(delta("Hel")))
    await connection.chunk(event({"error": {"message": "overloaded", "code": 503}}))
    await connection.end()


async def _not_json(_request: Request, connection: Connection) -> None:
    await connection.head(200, STREAM)
    await connection.chunk(b"data: {nonsense}\n\n")
    await connection.end()


async def _slow(_request: Request, connection: Connection) -> None:
    """Send no first byte."""
    await connection.wait_for_disconnect()


async def _stalled(_request: Request, connection: Connection) -> None:
    """Send a first chunk and then nothing."""
    await connection.head(200, STREAM)
    await connection.chunk(event(delta("Hel")))
    await connection.wait_for_disconnect()


FAULTS: dict[str, Handler] = {
    "429": reply(429, {"error": {"message": "random"}}),
    "429 with a pause": reply(429, {"error": {"message": "random"}}, retry_after="0.05"),
    "500": reply(500, {"error": {"message": "oops"}}),
    "503": reply(503, {"error": {"message": "busy"}}),
    "closed before the answer": _reset,
    "closed in the head": _cut_head,
    "closed in the stream": _cut_stream,
    "closed in an event": _cut_event,
    "an error in the stream": _error_event,
    "nonsense in the stream": _not_json,
    "no first byte": _slow,
    "silent in the stream": _stalled,
}


class LimitedService:
    """
    Args:
        kind: How it counts, one of `SERVICES`.
        requests: Permitted per window.
        tokens: Permitted per window.
        window: Seconds.
        concurrency: Permitted at once; None for no limit.
        says: How a refusal says when to retry; `headers` are on every reply.
        first_byte: Seconds until the head of an answer; its body takes as long again.
        fault: Returns a name of `FAULTS` that occurs after admission, or "".

    Attributes:
        admitted: Monotonic time and charged tokens of each admitted request.
        refused: Monotonic times at which a limit was exceeded: the avoidable 429s.
        met: Faults that occurred.
        peak: The most requests in progress at once.
    """

    def __init__(
        self,
        kind: str = "sliding window",
        *,
        requests: int = 10**6,
        tokens: int = 10**9,
        window: float = 1.0,
        concurrency: int | None = None,
        says: Says = "seconds",
        first_byte: float = 0.0,
        fault: Callable[[], str] = lambda: "",
        seed: int = 0,
    ) -> None:
        self.limits = (requests, tokens)
        self.window = window
        self._service: Service = SERVICES[kind](
            requests, tokens, window, time.monotonic() - random.Random(seed).random() * window
        )
        self._concurrency = concurrency
        self._says = says
        self._first_byte = first_byte
        self._fault = fault
        self._in_progress = self.peak = 0
        self.admitted: list[tuple[float, int]] = []
        self.refused: list[float] = []
        self.met: Counter[str] = Counter()

    async def __call__(self, request: Request, connection: Connection) -> None:
        now = time.monotonic()
        body = request.json
        size = prompt_tokens(body) + (body.get("max_tokens") or 0)
        full = self._concurrency is not None and self._in_progress >= self._concurrency
        if full or not self._service.admits(size, now):
            self.refused.append(now)
            await self._refuse(request, connection)
            return
        self.admitted.append((now, size))
        self._in_progress += 1
        self.peak = max(self.peak, self._in_progress)
        try:
            fault = self._fault()
            if fault:
                self.met[fault] += 1
                await FAULTS[fault](request, connection)
            else:
                await self._answer(body, connection)
        finally:
            self._in_progress -= 1

    async def _answer(self, body: Mapping[str, Any], connection: Connection) -> None:
        if self._first_byte:
            await asyncio.sleep(self._first_byte)
        await connection.head(200, {**STREAM, **self._headers()})
        if self._first_byte:
            await asyncio.sleep(self._first_byte)
        await connection.chunk(event(delta("Hello ")) + event(delta("there", finish="stop")))
        connection.writer.write(b"%x\r\n%s\r\n" % self._last(prompt_tokens(body)))
        await connection.end()

    @staticmethod
    def _last(prompt: int) -> tuple[int, bytes]:
        data = event(usage(prompt, 2)) + DONE
        return len(data), data

    def _left(self, now: float) -> tuple[int, int, float]:
        """Requests and tokens left, and the seconds until the window is empty."""
        counted = [(when, size) for when, size in self.admitted if when > now - self.window]
        reset = counted[-1][0] + self.window - now if counted else 0.0
        return (
            self.limits[0] - len(counted),
            self.limits[1] - sum(size for _, size in counted),
            max(0.0, reset),
        )

    def _headers(self) -> dict[str, str]:
        if self._says != "headers":
            return {}
        requests, tokens, reset = self._left(time.monotonic())
        return {
            "x-ratelimit-limit-requests": str(self.limits[0]),
            "x-ratelimit-remaining-requests": str(requests),
            "x-ratelimit-reset-requests": f"{_milliseconds(reset)}s",
            "x-ratelimit-limit-tokens": str(self.limits[1]),
            "x-ratelimit-remaining-tokens": str(tokens),
            "x-ratelimit-reset-tokens": f"{_milliseconds(reset)}s",
        }

    async def _refuse(self, request: Request, connection: Connection) -> None:
        headers = self._headers()
        now = time.monotonic()
        first = next((when for when, _ in self.admitted if when > now - self.window), now)
        wait = max(0.0, first + self.window - now)
        if self._says in ("seconds", "headers"):
            headers["retry_after"] = _milliseconds(wait)
        elif self._says == "date":
            # Until the window is empty: several callers return at the same date.
            *_, empty = self._left(now)
            headers["retry_after"] = formatdate(math.ceil(time.time() + empty), usegmt=True)
        await reply(429, {"error": {"message": "too many requests"}}, **headers)(
            request, connection
        )

    # -- results ------------------------------------------------------------------------

    def used(self) -> float:
        """
        The share of the limits that was used once the first window was full.

        The window, divided by the mean time in which one window's worth was admitted, measured
        from each admission. Admissions come in bursts, so a count over time would depend on
        where it ends.
        """
        gaps: list[float] = []
        ahead = worth = 0
        for place, (when, size) in enumerate(self.admitted):
            # Add the following admissions, up to and including the one that fills the window.
            while ahead < len(self.admitted) and not (
                ahead - place >= self.limits[0] or worth >= self.limits[1]
            ):
                worth += self.admitted[ahead][1]
                ahead += 1
            if ahead == len(self.admitted):
                break
            gaps.append(self.admitted[ahead][0] - when)
            worth -= size
        assert len(gaps) > len(self.admitted) / 3, "too few admissions to measure"
        return self.window / (sum(gaps) / len(gaps))
