"""
HTTP and nothing else: streaming POSTs, connections on a stack, foreign errors mapped once.

With `http_reply` and `http_body` the only module of the package that knows httpx, which is
imported when the first request is made. What the bytes mean is somebody else's business.
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
    Silences,
    Timeouts,
    TransportFailure,
    TransportProblem,
)

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpClient", "Timeouts", "TransportFailure"]

_IDLE_KEPT = 1_000
"""Connections kept open for later; before that they are bounded by the exchanges at once."""
_BEGIN_AT_ONCE = 16
"""Exchanges that begin in whatever turn of the loop; further ones begin one a turn."""
_COMMON_HEADERS: Mapping[str, str] = {
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
}


class HttpClient:
    """
    POSTs to one service on one event loop; see `PerLoop`.

    Each connection is an httpx transport of its own, taken from a stack: neither httpx's pool
    nor its client scales or is needed, see ADR 0008 and ADR 0016.

    Args:
        base_url: What paths are appended to.
        sign: Adds the key to a request, so that it lies in no dict that could be printed.
        scrub: Takes the key out of a text; what a service echoes of it ends here.
        headers: Sent with each request.
        max_connections: Requests under way at once; a further one waits. None is no bound.
        timeouts: How long each silence is borne.
        prepare: Slow, blocking work to have done in a thread before the first request.
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
        self._places = anyio.CapacityLimiter(max_connections or float("inf"))
        self._line = anyio.Lock()
        self._timeouts = timeouts
        # The silences are measured here, where the first byte and a later one are told apart.
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
        self._preparing: anyio.Event | None = None
        self._prepared = False

    @asynccontextmanager
    async def post(
        self, path: str, body: bytes, may_resend: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[HttpReply]:
        """
        Send `body` as JSON and give the reply as soon as its headers are there.

        A kept connection that breaks before any reply is replaced once, if `may_resend`: the
        request may have been seen. Leaving the block before the reply's end closes the connection.

        Raises:
            TransportFailure: From here or from reading the reply.
        """
        if not self._prepared:
            await self._be_prepared()
        import httpx

        with anyio.CancelScope() as scope:
            silences = Silences(scope, self._timeouts)
            try:
                async with self._connection() as (transport, reused):
                    silences.begin()
                    try:
                        response = await self._send(transport, path, body)
                    except (httpx.RemoteProtocolError, httpx.NetworkError):
                        if not (reused and may_resend()):
                            raise
                        # Closed as it was used again: servers end a kept connection when they
                        # like (llama.cpp's after five requests). This one is new.
                        response = await self._send(transport, path, body)
                    reply = HttpReply(response, silences, self._scrub)
                    try:
                        yield reply
                    finally:
                        await reply.close()
            except (httpx.RequestError, httpx.InvalidURL) as error:
                raise TransportFailure(*_problem(error)) from _copy(error)
        if scope.cancelled_caught:
            raise TransportFailure(silences.phase)

    async def _send(
        self, transport: httpx.AsyncHTTPTransport, path: str, body: bytes
    ) -> httpx.Response:
        """Send one request; it knows the key, and lives in no frame that outlasts this one."""
        import httpx

        from dagorch.providers.http_body import Body

        known = self._targets.get(path)
        if known is None:  # made once: there is a path for each model at most
            url = httpx.URL(f"{self._base_url}{path}")
            host = url.netloc.decode("ascii")
            known = self._targets[path] = url, httpx.Headers({"host": host, **self._headers})
        url, headers = known
        # Given as a stream, since httpx takes five times as long to find out what bytes are.
        request = httpx.Request(
            "POST", url, headers=headers, stream=Body(body), extensions=self._extensions
        )
        request.headers["content-length"] = str(len(body))
        return await transport.handle_async_request(self._sign(request))

    async def _be_prepared(self) -> None:
        """Import httpx and read the certificates where the loop does not stand still for it."""

        def slow() -> None:
            self._proxy = _proxy(self._base_url)
            self._make()  # what carries requests is imported with the first: 100 ms and more
            self._prepare()

        while not self._prepared:
            if self._preparing is not None:
                await self._preparing.wait()
                continue
            self._preparing = anyio.Event()
            try:
                # A limiter of its own: the loop's common one may be full of users' functions.
                await anyio.to_thread.run_sync(
                    slow, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
                )
                self._prepared = True
            finally:
                self._preparing.set()
                self._preparing = None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[httpx.AsyncHTTPTransport, bool]]:
        """Give a transport of one connection, and whether it was used before."""
        place = object()  # not the task, which may be in several exchanges
        try:
            self._places.acquire_on_behalf_of_nowait(place)
        except anyio.WouldBlock:
            await self._places.acquire_on_behalf_of(place)
        try:
            if self._places.borrowed_tokens > _BEGIN_AT_ONCE:
                # Of a thousand that move on in step the first is sent when all are connected.
                # In a line, the first are at the service while the last connect.
                async with self._line:
                    pass
            reused = bool(self._idle)
            transport = self._idle.pop() if reused else self._make()
            try:
                yield transport, reused
            finally:
                if self._closed or len(self._idle) >= _IDLE_KEPT:
                    with anyio.CancelScope(shield=True):
                        await transport.aclose()
                else:
                    self._idle.append(transport)
        finally:
            self._places.release_on_behalf_of(place)

    def _make(self) -> httpx.AsyncHTTPTransport:
        import httpx

        return httpx.AsyncHTTPTransport(
            verify=tls_context(self._base_url.startswith("https:")),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            proxy=self._proxy,
        )

    async def aclose(self) -> None:
        """Close every idle connection, and each busy one when its request ends."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()


def _proxy(url: str) -> str | None:
    """Give the proxy that the environment has for an address, as httpx's own client finds it."""
    # A proxy cannot reach this machine's own loopback.
    parts = urlsplit(url)
    if is_loopback(url) or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def _problem(error: httpx.RequestError | httpx.InvalidURL) -> tuple[TransportProblem, str]:
    """Find what went wrong, and httpx's words for it."""
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return "connect_timeout", ""
    if isinstance(error, httpx.ConnectError):
        return _why_no_connection(error), str(error)
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return "closed", str(error)
    return "other", str(error)


def _copy(error: httpx.RequestError | httpx.InvalidURL) -> Exception:
    """Give an error that says the same and knows neither its frames nor its request."""
    return type(error)(str(error))


def _why_no_connection(error: BaseException) -> TransportProblem:
    """Find the operating system's reason below httpx's and anyio's wrapping."""
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if isinstance(current, socket.gaierror):
            return "unresolved"
        if isinstance(current, ssl.SSLError):
            return "insecure"
        if isinstance(current, ConnectionRefusedError):
            return "refused"
        if current is not None:
            waiting += [current.__context__, current.__cause__]
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions
    return "other"
