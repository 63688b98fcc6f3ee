"""
HTTP and nothing else: streaming POSTs, a client per event loop, foreign errors mapped once.

The only module of the package that knows httpx, and it imports it when the first client is made.
What the bytes mean is somebody else's business.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    import httpx

__all__ = [
    "HttpClient",
    "HttpReply",
    "PerLoop",
    "Timeouts",
    "TransportFailure",
    "TransportProblem",
    "is_loopback",
]

TransportProblem = Literal[
    "refused", "unresolved", "insecure", "connect_timeout", "first_byte_timeout", "chunk_timeout",
    "closed", "other",
]  # fmt: skip
"""How an HTTP exchange can fail without an HTTP status."""

_IDLE_KEPT = 32
"""Connections kept open for later; more than httpx's 20, since a fan of 32 agents is ordinary."""
_SLACK = 0.05
"""How much of a silence between chunks may be cut from the next."""
_DRAIN_SECONDS = 1.0
"""Wait for a reply's end after its last useful byte, so that its connection can be used again."""


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


class HttpReply:
    """A status, headers with lower-case names, and a body that is still arriving."""

    def __init__(
        self,
        response: httpx.Response,
        waited: Callable[[], None],
        scrub: Callable[[str], str],
    ) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {
            name.lower(): scrub(value) for name, value in response.headers.items()
        }
        self._response = response
        self._bytes = response.aiter_bytes()
        self._waited = waited

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Give the body's bytes as they arrive."""
        async for chunk in self._bytes:
            self._waited()
            yield chunk

    async def read(self, limit: int) -> bytes:
        """Give the body's first `limit` bytes."""
        body = bytearray()
        async for chunk in self._bytes:
            self._waited()
            body += chunk
            if len(body) >= limit:
                break
        return bytes(body[:limit])

    async def drain(self) -> None:
        """Read what is left and forget it; a connection is reused only after its reply's end."""
        with anyio.move_on_after(_DRAIN_SECONDS):
            async for _ in self._bytes:
                pass

    async def close(self) -> None:
        """
        Hang up if the reply has not ended, and end httpx's generators.

        It nests four of them, and closing the outer one leaves the others to the garbage
        collector, of which trio warns. Reading on after the end of the connection ends all.
        """
        import httpx

        with anyio.CancelScope(shield=True):
            await self._response.aclose()
            with suppress(httpx.HTTPError, httpx.StreamError):
                async for _ in self._bytes:
                    pass


class HttpClient:
    """
    POSTs to one service on one event loop; see `PerLoop`.

    Each connection is an httpx client of its own, taken from a stack. httpx's pool scans all
    its requests and connections at every step: 500 calls at once through one pool of 500 took
    16 s and through one of 100 as long as 18 s, through this stack 0.8 s (two cores, loopback).

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
        self._headers = dict(headers)
        self._places = anyio.CapacityLimiter(max_connections or float("inf"))
        self._timeouts = timeouts
        self._idle: list[httpx.AsyncClient] = []
        self._urls: dict[str, httpx.URL] = {}
        self._closed = False
        self._prepare = prepare
        self._preparing = anyio.Lock()
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

        phase: TransportProblem = "first_byte_timeout"
        silence = self._timeouts.between_chunks_seconds
        with anyio.CancelScope() as scope:

            def waited() -> None:
                nonlocal phase
                phase = "chunk_timeout"
                deadline = anyio.current_time() + silence
                # A timer is set anew only where it makes a difference: an answer has thousands
                # of chunks, and each setting takes as long as reading one.
                if abs(deadline - scope.deadline) > silence * _SLACK:
                    scope.deadline = deadline

            try:
                async with AsyncExitStack() as stack:
                    client, reused = await stack.enter_async_context(self._connection())
                    scope.deadline = anyio.current_time() + self._timeouts.first_byte_seconds
                    url = self._url(path)
                    try:
                        response = await stack.enter_async_context(
                            client.stream("POST", url, content=body)
                        )
                    except (httpx.RemoteProtocolError, httpx.NetworkError):
                        if not (reused and may_resend()):
                            raise
                        # Closed as it was used again: servers end a kept connection when they
                        # like (llama.cpp's after five requests). This one is new.
                        response = await stack.enter_async_context(
                            client.stream("POST", url, content=body)
                        )
                    reply = HttpReply(response, waited, self._scrub)
                    stack.push_async_callback(reply.close)
                    yield reply
            except (httpx.RequestError, httpx.InvalidURL) as error:
                raise TransportFailure(*_problem(error)) from _copy(error)
        if scope.cancelled_caught:
            raise TransportFailure(phase)

    def _url(self, path: str) -> httpx.URL:
        """Give the whole address, parsed once: there is a path for each model at most."""
        import httpx

        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = httpx.URL(f"{self._base_url}{path}")
        return url

    async def _be_prepared(self) -> None:
        """Import httpx and read the certificates where the loop does not stand still for it."""

        def slow() -> None:
            import httpx

            # It imports what carries requests with the first of these: 100 ms and more.
            httpx.AsyncHTTPTransport(verify=False)
            self._verify()
            self._prepare()

        async with self._preparing:
            if not self._prepared:
                # A limiter of its own: the loop's common one may be full of users' functions.
                await anyio.to_thread.run_sync(
                    slow, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
                )
                self._prepared = True

    def _verify(self) -> ssl.SSLContext | bool:
        return _tls() if self._base_url.startswith("https:") else False

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[httpx.AsyncClient, bool]]:
        """Give a client of one connection, and whether it was used before."""
        async with self._places:
            reused = bool(self._idle)
            client = self._idle.pop() if reused else self._make()
            try:
                yield client, reused
            finally:
                if self._closed or len(self._idle) >= _IDLE_KEPT:
                    with anyio.CancelScope(shield=True):
                        await client.aclose()
                else:
                    self._idle.append(client)

    def _make(self) -> httpx.AsyncClient:
        import httpx

        return httpx.AsyncClient(
            auth=self._sign,
            headers=self._headers,
            # The silences are measured here, where the first byte and a later one are told apart.
            timeout=httpx.Timeout(None, connect=self._timeouts.connect_seconds),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            verify=self._verify(),
            # A proxy of the environment cannot reach this machine's own loopback.
            trust_env=not is_loopback(self._base_url),
        )

    async def aclose(self) -> None:
        """Close every idle connection, and each busy one when its request ends."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()


class _Closable(Protocol):
    async def aclose(self) -> None: ...


ClosableT = TypeVar("ClosableT", bound=_Closable)


class PerLoop(Generic[ClosableT]):
    """
    One closable thing per event loop, closed by hand or else when its loop ends.

    Connections belong to the loop that opened them, while a provider object may live through
    several loops. Each thing is held open by an async generator, and every event loop closes
    its async generators as it ends: so a script that never says `aclose` leaks nothing.
    """

    def __init__(self, make: Callable[[], ClosableT]) -> None:
        self._make = make
        self._held: WeakKeyDictionary[object, tuple[ClosableT, AsyncGenerator[ClosableT, None]]] = (
            WeakKeyDictionary()
        )

    async def get(self) -> ClosableT:
        """Give this loop's thing, made now if there is none."""
        loop = current_token().native_token
        held = self._held.get(loop)
        if held is None:
            generator = self._hold(loop)
            held = self._held[loop] = (await anext(generator), generator)
        return held[0]

    async def _hold(self, loop: object) -> AsyncGenerator[ClosableT, None]:
        thing = self._make()
        try:
            yield thing
        finally:
            self._held.pop(loop, None)
            with anyio.CancelScope(shield=True):
                await thing.aclose()

    async def aclose(self) -> None:
        """Close this loop's thing, if there is one; `get` makes another."""
        held = self._held.get(current_token().native_token)
        if held is not None:
            await held[1].aclose()


@cache
def _tls() -> ssl.SSLContext:
    """One for all: reading the certificates takes 40 to 400 ms."""
    import httpx

    return httpx.create_ssl_context()


def is_loopback(url: str) -> bool:
    """
    Whether `url` names this very machine.

    Example:
        >>> is_loopback("http://localhost:11434/v1"), is_loopback("https://api.x.ai/v1")
        (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


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
