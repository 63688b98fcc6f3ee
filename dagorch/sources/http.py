"""
HTTP for sources: GETs with a pause in between, bounds on time and size, foreign errors mapped.

The only module of the package that knows httpx, and it imports it when something is first sent.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
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
from dagorch.sources.text import plain_text

if TYPE_CHECKING:
    import httpx

__all__ = ["Pace", "Reply", "Web"]

MAX_BYTES: Final = 8_000_000
_MAX_REDIRECTS: Final = 5
_PATIENCE_SECONDS: Final = 2.0
"""A pause that a service asked for is waited out here up to this; a longer one is an error."""


class Pace:
    """
    The pause between the requests to one service, kept by all that share it.

    Args:
        delay_seconds: From the start of one request to that of the next.
        now: A clock in seconds.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        delay_seconds: float,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.delay_seconds = delay_seconds
        self._now = now
        self._sleep = sleep
        self._next = float("-inf")
        self._paused_until = float("-inf")

    async def turn(self) -> float:
        """Wait for one's turn; give the seconds of a pause still asked for, 0 if there is none."""
        now = self._now()
        paused = self._paused_until - now
        if paused > _PATIENCE_SECONDS:
            return paused
        start = max(now, self._next, self._paused_until)
        self._next = start + self.delay_seconds
        if start > now:
            await self._sleep(start - now)
        return 0.0

    def pause(self, seconds: float) -> None:
        """Let nobody have a turn for so long."""
        self._paused_until = max(self._paused_until, self._now() + seconds)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered with success."""

    source: str
    address: str
    body: bytes

    def json(self) -> Any:
        """
        Read it as JSON.

        Raises:
            SourceReplyError: It is none.
        """
        try:
            return json.loads(self.body, strict=False)
        except (ValueError, RecursionError) as error:
            raise self.malformed(f"no JSON ({error})") from None

    def malformed(self, found: str) -> SourceReplyError:
        """Say that this is not what the service's interface promises."""
        said = _excerpt(self.body)
        return SourceReplyError(
            f"{self.source}: {self.address} answered with {found}"
            f"{f', {said!r}' if said else ''}; is it the right address?",
            source=self.source,
            status=200,
        )


class Web:
    """
    One service on the web.

    Args:
        source: The source's name, for errors.
        base_url: Where it is.
        delay_seconds: Between the starts of two requests.
        contact: An address for the service's operators, sent in the user agent.
        token: Sent as a bearer token; shown nowhere.
        timeout_seconds: For one request, from the connection to the last byte.
        most_bytes: Of one reply.

    Raises:
        DefinitionError: The address is none of http or https.
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
        most_bytes: int = MAX_BYTES,
    ) -> None:
        if urlsplit(base_url).scheme not in ("http", "https"):
            raise DefinitionError(
                f"{source}: {base_url!r} is no address; give one such as 'https://example.org/api'"
            )
        self.source = source
        self.base_url = base_url.rstrip("/")
        self.pace = Pace(delay_seconds)
        self._agent = f"dagorch/{_version()}" + (f" ({contact})" if contact else "")
        self._sign = _Signature(token)
        self._timeout_seconds = timeout_seconds
        self._most_bytes = most_bytes

    async def get(
        self,
        path: str = "",
        parameters: Mapping[str, str | int] | None = None,
        *,
        accept: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """
        Wait for one's turn and ask once.

        Raises:
            SourceError: There was no answer, or none with success; told apart by kind.
        """
        paused = await self.pace.turn()
        if paused:
            raise self._error(
                SourceLimitedError, f"asked for a pause that has {paused:.0f} s left", None, paused
            )
        # Importing httpx and reading the certificates would hold up the loop.
        tls = await anyio.to_thread.run_sync(_prepare, self.base_url.startswith("https:"))
        with anyio.move_on_after(self._timeout_seconds):
            return await self._get(tls, path, parameters, {"accept": accept, **(headers or {})})
        raise self._error(
            SourceUnavailableError,
            f"no whole answer from {self.base_url} within {self._timeout_seconds:g} s; try again",
        )

    async def _get(
        self,
        tls: ssl.SSLContext | bool,
        path: str,
        parameters: Mapping[str, str | int] | None,
        headers: Mapping[str, str],
    ) -> Reply:
        import httpx

        try:
            async with (
                httpx.AsyncClient(
                    auth=self._sign,
                    headers={"user-agent": self._agent, **headers},
                    timeout=self._timeout_seconds,
                    verify=tls,
                    follow_redirects=True,
                    max_redirects=_MAX_REDIRECTS,
                    trust_env=not _is_loopback(self.base_url),
                ) as client,
                client.stream("GET", self.base_url + path, params=parameters) as response,
            ):
                body = await self._read(response)
                if response.is_success:
                    return Reply(self.source, self.base_url, body)
                raise self._refusal(response.status_code, response.headers, body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = self._sign.scrub(str(error)) or type(error).__name__
        raise self._error(
            SourceUnavailableError,
            f"no exchange with {self.base_url}: {said}; check the address and the network",
        )

    async def _read(self, response: httpx.Response) -> bytes:
        """Read the whole body, up to the bound."""
        import httpx

        body = bytearray()
        chunks = response.aiter_bytes()
        try:
            async for chunk in chunks:
                body += chunk
                if len(body) > self._most_bytes:
                    raise self._error(
                        SourceReplyError,
                        f"{self.base_url} sent more than {self._most_bytes:,} bytes",
                        response.status_code,
                    )
        finally:
            # Reading on after hanging up ends httpx's nested generators, of which trio warns.
            with anyio.CancelScope(shield=True):
                await response.aclose()
                with suppress(httpx.HTTPError, httpx.StreamError):
                    async for _ in chunks:
                        pass
        return bytes(body)

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> SourceError:
        """Say what a reply without success means, and keep the pause it asks for."""
        pause = _pause_seconds(headers, time.time())
        limited = status == 429 or (status == 403 and pause is not None)
        if pause is not None and (limited or status == 503):
            self.pace.pause(pause)
        said = self._sign.scrub(_excerpt(body)) or "nothing more"
        if limited:
            kind: type[SourceError] = SourceLimitedError
            advice = "it was asked too often; wait"
        elif status >= 500 or status == 408:
            kind, advice = SourceUnavailableError, "the fault is the service's; try again"
        elif status == 401:
            kind, advice = SourceRefusedError, "check the token, or leave it out"
        elif status == 404:
            kind, advice = SourceRefusedError, f"check the address {self.base_url}"
        else:
            kind, advice = SourceRefusedError, "it does not take this search; change the words"
        return self._error(kind, f"answered {status}: {said}; {advice}", status, pause)

    def _error(
        self,
        kind: type[SourceError],
        text: str,
        status: int | None = None,
        pause: float | None = None,
    ) -> SourceError:
        return kind(
            f"{self.source}: {text}", source=self.source, status=status, retry_after_seconds=pause
        )

    def __repr__(self) -> str:
        return f"<Web {self.base_url}>"


class _Signature:
    """Puts the token on a request, and takes it out of a text; lies in no dict, has no repr."""

    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: httpx.Request) -> httpx.Request:
        if self._token:
            request.headers["authorization"] = f"Bearer {self._token}"
        return request

    def scrub(self, text: str) -> str:
        return text.replace(self._token, "***") if self._token else text

    def __repr__(self) -> str:
        return "<signature>"


def _prepare(secure: bool) -> ssl.SSLContext | bool:
    import httpx  # noqa: F401  # slow the first time

    return _tls() if secure else False


@cache
def _version() -> str:
    try:
        return version("dagorch")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "0"


@cache
def _tls() -> ssl.SSLContext:
    """One for all: reading the certificates takes 40 to 400 ms."""
    import httpx

    return httpx.create_ssl_context()


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _pause_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Give the pause that a reply asks for: `Retry-After`, or GitHub's reset of a used-up limit."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    with suppress(ValueError):
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and re.fullmatch(r"\d{1,12}", reset):
        return max(0.0, float(reset) - now)
    return None


def _excerpt(body: bytes) -> str:
    text = body[:4_000].decode(errors="replace")
    with suppress(ValueError, AttributeError):
        said = json.loads(body)
        text = str(said.get("message") or said.get("error") or text)
    return " ".join(plain_text(text).split())[:200]
