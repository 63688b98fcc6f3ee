"""
From what a service did wrong to the one error that says so; nothing is sent or retried here.

Every message names the service, the model, the status and the request, and says what to do.
No message holds the key, also not where the service echoed it.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from dagorch.errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    MalformedReplyError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusedError,
)
from dagorch.providers.http import Timeouts, TransportFailure
from dagorch.providers.rate_headers import rate_limits

__all__ = ["Failures", "Secret", "retry_after_seconds"]

_TOO_LONG = re.compile(
    r"context[ _](length|size|window)|exceeds? the (available|maximum) context|"
    r"(prompt|input|request)( \S+){0,3} (is )?too (long|large)|too many (input )?tokens|"
    r"reduce the length",
    re.IGNORECASE,
)
_EXCERPT_CHARS = 300


class Secret:
    """A key that no repr, log or traceback shows; empty is no key."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    def reveal(self) -> str:
        """Give the key itself, for the one header that carries it."""
        return self._value

    def scrub(self, text: str) -> str:
        """Give `text` without the key."""
        return text.replace(self._value, "***") if self._value else text


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """
    Give the pause that a reply asks for, or None.

    Args:
        headers: Names in lower case.
        now: Seconds since the epoch, against which a date is read.

    Example:
        >>> retry_after_seconds({"retry-after": "2"}, now=0.0)
        2.0
        >>> retry_after_seconds({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=10.0)
        50.0
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value) * unit
        if value and unit == 1.0:
            try:
                return max(0.0, parsedate_to_datetime(value).timestamp() - now)
            except ValueError:
                continue
    return None


@dataclass(frozen=True, slots=True)
class Failures:
    """Makes the errors of one exchange."""

    service: str
    model: str
    address: str
    """Of the service, without a user's name or password."""
    key: Secret
    key_env: str
    """The environment variable that holds the key; empty if none does."""
    timeouts: Timeouts

    def from_transport(self, failure: TransportFailure) -> ProviderError:
        """Say how the connection failed."""
        timeouts = self.timeouts
        kind: type[ProviderError] = ProviderConnectionError
        match failure.problem:
            case "refused":
                text = f"nothing listens at {self.address}; is the server running?"
            case "unresolved":
                text = f"the host of {self.address} is unknown; check the address and the network"
            case "insecure":
                text = f"no secure connection to {self.address}: {failure.detail}"
            case "closed":
                text = (
                    f"{self.address} closed the connection before its answer was complete; "
                    "try again"
                )
            case "connect_timeout":
                kind = ProviderTimeoutError
                text = f"no connection to {self.address} within {timeouts.connect_seconds:g} s"
            case "first_byte_timeout":
                kind = ProviderTimeoutError
                text = (
                    f"no first byte within {timeouts.first_byte_seconds:g} s; try again, or give "
                    "the provider timeouts=Timeouts(first_byte_seconds=...)"
                )
            case "chunk_timeout":
                kind = ProviderTimeoutError
                text = (
                    f"silent for {timeouts.between_chunks_seconds:g} s in the middle of its "
                    "answer; try again"
                )
            case _:
                text = f"no exchange with {self.address}: {failure.detail or 'unknown reason'}"
        return self._make(kind, text)

    def from_status(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Say what a reply without success means."""
        error, said = _read_error(body)
        if 300 <= status < 400:
            said = f"a redirect to {headers.get('location', 'nowhere')}"
        return self._judged(status, _code(error), said, headers)

    def from_event(
        self, error: Mapping[str, Any] | str, headers: Mapping[str, str]
    ) -> ProviderError:
        """Say what an error means that came in the middle of a reply with status 200."""
        facts = error if isinstance(error, Mapping) else {"message": error}
        code = _code(facts)
        number = next((int(c) for c in code.split() if re.fullmatch(r"[45]\d\d", c)), 0)
        if not number:
            number = 429 if "rate_limit" in code else 400 if "invalid_request" in code else 500
        return self._judged(number, code, str(facts.get("message") or code or error), headers)

    def malformed(self, found: str, text: str, headers: Mapping[str, str]) -> ProviderError:
        """Say that a reply with status 200 is not what the protocol promises."""
        excerpt = self.key.scrub(" ".join(text.split()))[:_EXCERPT_CHARS]
        return self._make(
            MalformedReplyError,
            f"answered with {found}{f': {excerpt!r}' if excerpt else ''}; "
            f"is {self.address} an OpenAI-compatible service?",
            status=200,
            headers=headers,
        )

    def request_id(self, headers: Mapping[str, str]) -> str:
        """Give the service's own id of the request; empty if it gave none."""
        return self.key.scrub(headers.get("x-request-id") or headers.get("request-id") or "")

    def _judged(
        self, status: int, code: str, said: str, headers: Mapping[str, str]
    ) -> ProviderError:
        kind, advice = self._kind(status, code, said)
        text = f"answered {status}: {self.key.scrub(said)[:_EXCERPT_CHARS] or 'nothing more'}"
        return self._make(kind, f"{text}; {advice}", status=status, headers=headers)

    def _kind(self, status: int, code: str, said: str) -> tuple[type[ProviderError], str]:
        """Find the kind of error, and what to do about it."""
        if status in (400, 413, 422) and (_TOO_LONG.search(f"{code} {said}") or status == 413):
            return ContextTooLongError, "shorten the messages or use a model that reads more"
        if "content_filter" in code or "content_policy" in code:
            return RefusedError, "reword the request"
        if status == 402 or "insufficient_quota" in code:
            return PermissionDeniedError, "the account has no credit left; top it up"
        if status == 401:
            if not self.key:
                where = f"put it in {self.key_env}" if self.key_env else "give the provider api_key"
                return AuthenticationError, f"no key was sent; {where}"
            where = f" in {self.key_env}" if self.key_env else ""
            return AuthenticationError, f"the key{where} was not accepted; check it"
        if status == 403:
            return PermissionDeniedError, "the key may not do this; check its rights"
        if status == 404 or 300 <= status < 400:
            return NotFoundError, f"check the model's name and the address {self.address}"
        if status == 408:
            return ProviderTimeoutError, "try again"
        if status == 429:
            return RateLimitedError, "wait, or lower the number of calls at once"
        if status >= 500:
            return OverloadedError, "the fault is the service's; try again"
        return BadRequestError, "the service does not take this request; change it"

    def _make(
        self,
        kind: type[ProviderError],
        text: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ProviderError:
        headers, now = headers or {}, time.time()
        request_id = self.request_id(headers)
        who = f"{self.service} ({self.model})" if self.model else self.service
        tail = f" [request {request_id}]" if request_id else ""
        return kind(
            self.key.scrub(f"{who}: {text}{tail}"),
            service=self.service,
            model=self.model,
            status=status,
            request_id=request_id,
            retry_after_seconds=retry_after_seconds(headers, now),
            rate_limits=rate_limits(headers, now),
        )


def _read_error(body: bytes) -> tuple[Mapping[str, Any], str]:
    """Find the error's facts and its message in a body of any kind."""
    text = body.decode("utf-8", "replace").strip()
    try:
        parsed = json.loads(text)
    except ValueError:
        if title := re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL):
            return {}, f"an HTML page, {html.unescape(title[1]).strip()!r}"
        return {}, " ".join(text.split())
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]  # Gemini wraps its errors in a list
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else parsed
    if not isinstance(error, dict):
        return {}, str(error)
    return error, str(error.get("message") or error.get("detail") or json.dumps(error))


def _code(error: Mapping[str, Any]) -> str:
    """Give what a program can tell an error by."""
    return " ".join(str(error[name]) for name in ("code", "type") if error.get(name))
