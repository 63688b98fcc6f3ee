"""
The HTTP client of the sources: throttled GETs with bounds on time and size.

The only module of the package that knows httpx; it imports httpx when it first sends something.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import anyio

from dagorch.errors import (
    DefinitionError,
    SourceError,
    SourceLimitedError,
    SourceRefusedError,
    SourceReplyError,
    SourceUnavailableError,
)
from dagorch.http.addresses import public_addresses
from dagorch.http.connections import close_response, is_loopback, tls_context
from dagorch.http.foreign import parse_json
from dagorch.http.inflate import InflateError, Inflater
from dagorch.http.retry_after import retry_after_seconds
from dagorch.http.secret import Secret
from dagorch.http.throttle import Throttle
from dagorch.sources.html import plain_text
from dagorch.worker_threads import run_in_thread

if TYPE_CHECKING:
    import httpx

__all__ = ["Reply", "ServiceClient"]

MAX_BYTES: Final = 8_000_000
_MAX_REDIRECTS: Final = 5
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Reply:
    """The body of a successful response."""

    source: str
    address: str
    body: bytes

    def json(self) -> Any:
        """
        Parse the body as JSON.

        Raises:
            SourceReplyError: It is not JSON.
        """
        try:
            return parse_json(self.body)
        except (ValueError, RecursionError) as error:
            raise self.malformed(f"something that is not JSON ({error})") from None

    def malformed(self, found: str) -> SourceReplyError:
        """Return the error for a body that does not have the documented form."""
        excerpt = _excerpt(self.body)
        return SourceReplyError(
            f"{self.source}: {self.address} answered with {found}"
            f"{f', {excerpt!r}' if excerpt else ''}; is it the right address?",
            source=self.source,
            status=200,
        )


class ServiceClient:
    """
    The client of one service.

    Args:
        source: The name of the source, for errors.
        base_url: The address of the service.
        delay_seconds: The time between the starts of two requests.
        contact: An address for the service's operators, sent in the user agent.
        token: Sent as a bearer token; shown nowhere.
        timeout_seconds: The limit for one request, from the connection to the last byte.
        max_bytes: The size limit of one response.

    Raises:
        DefinitionError: The address is neither http nor https.
    """

    def __init__(
        self,
        source: str,
        base_url: str,
        *,
        delay_seconds: float,
        contact: str = "",
        token: str = "",
        timeout_seconds: float = 30.0,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        if urlsplit(base_url).scheme not in ("http", "https"):
            raise DefinitionError(
                f"{source}: {base_url!r} is not an address; use one such as "
                "'https://example.org/api'"
            )
        self.source = source
        self.base_url = base_url.rstrip("/")
        self._throttle = Throttle(delay_seconds)
        self._user_agent = f"dagorch/{_version()}" + (f" ({contact})" if contact else "")
        self._token = Secret(token)
        self._token.hide_in_logs()
        self._timeout_seconds = timeout_seconds
        self._max_bytes = max_bytes

    async def get(
        self,
        path: str = "",
        parameters: Mapping[str, str | int] | None = None,
        *,
        accept: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """
        Wait for the throttle and send one request.

        Raises:
            SourceError: There was no response, or it was not a success; the class says which.
        """
        paused = await self._throttle.acquire()
        if paused:
            raise self._error(
                SourceLimitedError,
                f"asked for a pause that has {paused:.0f} s left",
                retry_after_seconds=paused,
            )
        # Importing httpx and reading the certificates would block the event loop.
        tls = await run_in_thread(partial(_prepare, self.base_url.startswith("https:")))
        with anyio.move_on_after(self._timeout_seconds):
            return await self._get(tls, path, parameters, {"accept": accept, **(headers or {})})
        raise self._error(
            SourceUnavailableError,
            f"{self.base_url} did not answer within {self._timeout_seconds:g} s; try again",
        )

    async def _get(
        self,
        tls: ssl.SSLContext | bool,
        path: str,
        parameters: Mapping[str, str | int] | None,
        headers: Mapping[str, str],
    ) -> Reply:
        import httpx

        url = httpx.URL(self.base_url + path, params=parameters)
        try:
            async with httpx.AsyncClient(
                headers={"user-agent": self._user_agent, "accept-encoding": "gzip", **headers},
                timeout=self._timeout_seconds,
                verify=tls,
                trust_env=not is_loopback(self.base_url),
            ) as client:
                for _ in range(_MAX_REDIRECTS + 1):
                    request = await self._request(client, url)
                    response = await client.send(request, stream=True)
                    body = await self._read(response)
                    if not response.has_redirect_location:
                        break
                    url = url.join(response.headers["location"])
                else:
                    raise self._error(
                        SourceReplyError, f"{self.base_url} redirected {_MAX_REDIRECTS + 1} times"
                    )
            if response.is_success:
                return Reply(self.source, self.base_url, body)
            raise self._refusal(response.status_code, response.headers, body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = self._token.scrub(str(error)) or type(error).__name__
        raise self._error(
            SourceUnavailableError,
            f"no exchange with {self.base_url}: {reason}; check the address and the network",
        )

    async def _request(self, client: httpx.AsyncClient, url: httpx.URL) -> httpx.Request:
        """
        Build the request for the service itself, or for where it redirects us to.

        Another address gets no token, and must be of the public internet: a redirect to this
        machine or to the local network would read what the service itself cannot reach.

        Raises:
            httpx.TransportError: It is not public, or cannot be resolved.
        """
        import httpx

        request = client.build_request("GET", url)
        own = httpx.URL(self.base_url)
        if (url.scheme, url.host, url.port) == (own.scheme, own.host, own.port):
            if self._token:
                request.headers["authorization"] = f"Bearer {self._token.reveal()}"
            return request
        if url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"a redirect to {url.scheme}:")
        host = url.raw_host.decode("ascii")
        try:
            addresses = await public_addresses(host, url.port or _PORTS[url.scheme])
        except OSError as error:
            raise httpx.ConnectError(f"a redirect to {url.host}: {error}") from error
        request.url = url.copy_with(host=addresses[0])
        request.extensions["sni_hostname"] = host
        return request

    async def _read(self, response: httpx.Response) -> bytes:
        """Read the body, up to the size limit."""
        body = bytearray()
        chunks = response.aiter_raw()
        try:
            inflater = Inflater(response.headers.get("content-encoding", ""))
            async for chunk in chunks:
                for piece in inflater.feed(chunk):
                    body += piece
                    if len(body) > self._max_bytes:
                        raise self._error(
                            SourceReplyError,
                            f"{self.base_url} sent more than {self._max_bytes:,} bytes",
                            response.status_code,
                        )
        except InflateError as error:
            raise self._error(
                SourceReplyError, f"{self.base_url} sent {error}", response.status_code
            ) from None
        finally:
            await close_response(response, chunks)
        return bytes(body)

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> SourceError:
        """Return the error for a response that is not a success; start the pause it asks for."""
        pause = _pause_seconds(headers, time.time())
        limited = status == 429 or (status == 403 and pause is not None)
        if pause is not None and (limited or status == 503):
            self._throttle.pause(pause)
        reason = self._token.scrub(_excerpt(body)) or "no reason"
        if limited:
            kind: type[SourceError] = SourceLimitedError
            advice = "too many requests; wait"
        elif status >= 500 or status == 408:
            kind, advice = SourceUnavailableError, "the service has a problem; try again"
        elif status == 401:
            kind, advice = SourceRefusedError, "check the token, or leave it out"
        elif status == 404:
            kind, advice = SourceRefusedError, f"check the address {self.base_url}"
        else:
            kind, advice = SourceRefusedError, "the service refuses this search; change the words"
        return self._error(kind, f"answered {status}: {reason}; {advice}", status, pause)

    def _error(
        self,
        kind: type[SourceError],
        text: str,
        status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> SourceError:
        return kind(
            f"{self.source}: {text}",
            source=self.source,
            status=status,
            retry_after_seconds=retry_after_seconds,
        )

    def __repr__(self) -> str:
        return f"<ServiceClient {self.base_url}>"


def _prepare(secure: bool) -> ssl.SSLContext | bool:
    import httpx  # noqa: F401  # slow the first time

    return tls_context(True) if secure else False


@cache
def _version() -> str:
    try:
        return version("dagorch")
    except PackageNotFoundError:  # run from a folder, without an installation
        return "0"


def _pause_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Return the pause that a response asks for: `Retry-After`, or GitHub's rate-limit reset."""
    pause = retry_after_seconds(headers, now)
    if pause is not None:
        return pause
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and re.fullmatch(r"\d{1,12}", reset):
        return max(0.0, float(reset) - now)
    return None


def _excerpt(body: bytes) -> str:
    text = body[:4_000].decode(errors="replace")
    with suppress(ValueError, RecursionError, AttributeError):  # no JSON, or no object
        data = parse_json(body)
        text = str(data.get("message") or data.get("error") or text)
    return " ".join(plain_text(text).split())[:200]
