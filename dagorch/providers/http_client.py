"""
An HTTP client for one service: streaming POSTs over pooled connections.

Only this module, `http_reply` and `http_body` know httpx, which is imported with the first
request. What the bytes mean is the dialect's.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio

from dagorch.http.connections import is_loopback, tls_context
from dagorch.providers.http_reply import (
    HttpReply,
    IdleTimeouts,
    Timeouts,
    TransportError,
    TransportProblem,
)
from dagorch.worker_threads import run_in_thread

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpClient", "Timeouts", "TransportError"]

_MAX_IDLE_CONNECTIONS = 1_000
"""Busy connections are bounded by `max_connections` instead."""
_MAX_UNQUEUED_STARTS = 16
"""With more exchanges in progress, new ones start one per turn of the event loop."""
_COMMON_HEADERS: Mapping[str, str] = {
    "accept": "*/*",
    "accept-encoding": "identity",  # a kilobyte of gzip can be a gigabyte of reply
    "connection": "keep-alive",
}


class HttpClient:
    """
    Sends POSTs to one service on one event loop; see `PerLoop`.

    Each connection is an httpx transport of its own, kept on a stack. httpx's pool and client do
    not scale and are not needed, see ADR 0008 and ADR 0016.

    Args:
        base_url: Paths are appended to it.
        sign: Adds the key to a request, so that no dict that could be printed holds it.
        scrub: Removes the key from a text; applied to all that the service sends back.
        headers: Sent with each request.
        max_connections: Concurrent requests; more wait. None for no limit.
        timeouts: How long the service may be silent.
        prepare: Slow, blocking work to do in a thread before the first request.
    """

    def __init__(
        self,
        base_url: str,
        *,
        sign: Callable[[httpx.Request], httpx.Request],
        scrub: Callable[[str], str] = str,
        headers: Mapping[str, str],
        max_connections: int | None,
        timeouts: Timeouts,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._sign = sign
        self._scrub = scrub
        self._headers = {**_COMMON_HEADERS, **headers}
        self._slots = anyio.CapacityLimiter(max_connections or float("inf"))
        self._start_queue = anyio.Lock()
        self._timeouts = timeouts
        # `IdleTimeouts` measures the other phases: httpx has one timeout for all bytes.
        self._extensions = {
            "timeout": {
                "connect": timeouts.connect_seconds, "read": None, "write": None, "pool": None
            }
        }  # fmt: skip
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._targets: dict[str, tuple[httpx.URL, httpx.Headers]] = {}
        self._closed = False
        self._proxy: str | None = None
        self._prepare = prepare
        self._prepare_lock = anyio.Lock()
        self._prepared = False

    @asynccontextmanager
    async def post(
        self, path: str, body: bytes, may_resend: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[HttpReply]:
        """
        Send `body` as JSON and yield the reply as soon as its headers arrive.

        Leaving the block before the end of the reply closes the connection. A reused connection
        that breaks before the reply is replaced once if `may_resend` allows it: the service may
        have received the request.

        Raises:
            TransportError: Here, or inside the block while the reply is read.
        """
        if not self._prepared:
            await self._ensure_prepared()
        import httpx

        with anyio.CancelScope() as scope:
            idle_timeouts = IdleTimeouts(scope, self._timeouts)
            try:
                async with self._connection() as (transport, reused):
                    idle_timeouts.await_first_byte()
                    try:
                        response = await self._send(transport, path, body)
                    except (httpx.RemoteProtocolError, httpx.NetworkError) as error:
                        if not (reused and _is_broken(error) and may_resend()):
                            raise
                        # The server closed the idle connection, as llama.cpp's does after five
                        # requests. The transport opens a new one.
                        response = await self._send(transport, path, body)
                    reply = HttpReply(response, idle_timeouts, self._scrub)
                    try:
                        yield reply
                    finally:
                        await reply.close()
            except (httpx.RequestError, httpx.InvalidURL) as error:
                # The copy has no reference to frames or to the request, which hold the key. The
                # text may quote a malformed header, in which the service echoes it.
                problem, detail = _classify(error)
                cause = type(error)(self._scrub(str(error)))
                raise TransportError(problem, self._scrub(detail)) from cause
        if scope.cancelled_caught:
            raise TransportError(idle_timeouts.problem)

    async def _send(
        self, transport: httpx.AsyncHTTPTransport, path: str, body: bytes
    ) -> httpx.Response:
        """Send one request; it holds the key, so no longer-lived frame may refer to it."""
        import httpx

        from dagorch.providers.http_body import RequestBody

        target = self._targets.get(path)
        if target is None:  # there are at most as many paths as models
            url = httpx.URL(f"{self._base_url}{path}")
            host = url.netloc.decode("ascii")
            target = self._targets[path] = url, httpx.Headers({"host": host, **self._headers})
        url, headers = target
        # Passed as a stream: httpx takes five times as long to recognise bytes.
        request = httpx.Request(
            "POST", url, headers=headers, stream=RequestBody(body), extensions=self._extensions
        )
        request.headers["content-length"] = str(len(body))
        return await transport.handle_async_request(self._sign(request))

    async def _ensure_prepared(self) -> None:
        """Import httpx and read the certificates in a thread, so that the loop is not blocked."""

        def prepare() -> None:
            self._proxy = _find_proxy(self._base_url)
            self._new_transport()  # the first one imports httpcore: 100 ms and more
            self._prepare()

        async with self._prepare_lock:
            if not self._prepared:
                await run_in_thread(prepare)
                self._prepared = True

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[httpx.AsyncHTTPTransport, bool]]:
        """Yield a transport with one connection, and whether it was used before."""
        borrower = object()  # not the task, which may run several exchanges
        try:
            self._slots.acquire_on_behalf_of_nowait(borrower)
        except anyio.WouldBlock:
            await self._slots.acquire_on_behalf_of(borrower)
        try:
            if self._slots.borrowed_tokens > _MAX_UNQUEUED_STARTS:
                # When a thousand exchanges advance in step, the first is sent only after all
                # have connected. Queued, the first reach the service while the last connect.
                async with self._start_queue:
                    pass
            reused = bool(self._idle)
            transport = self._idle.pop() if reused else self._new_transport()
            try:
                yield transport, reused
            finally:
                if self._closed or len(self._idle) >= _MAX_IDLE_CONNECTIONS:
                    with anyio.CancelScope(shield=True):
                        await transport.aclose()
                else:
                    self._idle.append(transport)
        finally:
            self._slots.release_on_behalf_of(borrower)

    def _new_transport(self) -> httpx.AsyncHTTPTransport:
        import httpx

        return httpx.AsyncHTTPTransport(
            verify=tls_context(self._base_url.startswith("https:")),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            proxy=self._proxy,
        )

    async def aclose(self) -> None:
        """Close idle connections now, and each busy one when its request ends."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()


def _find_proxy(url: str) -> str | None:
    """Return the environment's proxy for `url`, by the rules of httpx's own client."""
    parts = urlsplit(url)
    # A proxy cannot reach this machine's loopback.
    if is_loopback(url) or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def _is_broken(error: httpx.RequestError) -> bool:
    """Return whether the connection broke; False if something arrived that is not HTTP."""
    import httpx

    return isinstance(error, httpx.NetworkError) or "disconnected" in str(error)


def _classify(error: httpx.RequestError | httpx.InvalidURL) -> tuple[TransportProblem, str]:
    """Return the kind of problem, and httpx's message."""
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return "connect_timeout", ""
    if isinstance(error, httpx.ConnectError):
        return _connect_problem(error), str(error)
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return "closed", str(error)
    return "other", str(error)


def _connect_problem(error: BaseException) -> TransportProblem:
    """Find the operating system's error below the exceptions of httpx and anyio."""
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if isinstance(current, socket.gaierror):
            return "unresolved"
        if isinstance(current, ssl.SSLError):
            return "insecure"
        if isinstance(current, ConnectionRefusedError):
            return "refused"
        if current is not None:
            pending += [current.__context__, current.__cause__]
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions
    return "other"
