"""
Mapping of a service's failures to dagorch's errors.

Each message names the service, the model, the status, the request and what to do. No message
contains the key, even if the service echoed it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

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
from dagorch.http.retry_after import retry_after_seconds
from dagorch.http.secret import Secret
from dagorch.models.usage import Usage
from dagorch.providers.error_bodies import ErrorBody, parse_error, parse_error_body
from dagorch.providers.http_reply import Timeouts, TransportError, TransportProblem
from dagorch.providers.rate_headers import rate_limits

__all__ = ["ErrorMapper"]

_CONTEXT_TOO_LONG = re.compile(
    r"context[ _](length|size|window|limit)|exceeds? the (available|maximum) context|"
    r"token count( \S+){0,2} exceeds|(prompt|input|request)( \S+){0,3} (is )?too (long|large)|"
    r"too many (input )?tokens|reduce the length",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(
    r"insufficient_quota|insufficient (balance|credit|funds)|credit balance|available credits",
    re.IGNORECASE,
)
_REGION_BLOCKED = re.compile(r"unsupported_country|location is not supported", re.IGNORECASE)
_EXCERPT_CHARS = 300
Headers = Mapping[str, str]
_UNSENT: Final = frozenset({"refused", "unresolved", "insecure", "connect_timeout"})
"""Problems after which the service cannot have received the request."""
_TRANSPORT_MESSAGES: Final[Mapping[TransportProblem, str]] = {
    "refused": "no server listens at {address}; is the server running?",
    "unresolved": "cannot resolve the host of {address}; check the address and the network",
    "insecure": "the TLS handshake with {address} failed: {detail}",
    "closed": "{address} closed the connection before the reply was complete; try again",
    "connect_timeout": "no connection to {address} within {timeouts.connect_seconds:g} s",
    "first_byte_timeout": (
        "no first byte within {timeouts.first_byte_seconds:g} s; try again, or pass "
        "timeouts=Timeouts(first_byte_seconds=...) to the provider"
    ),
    "chunk_timeout": (
        "silent for {timeouts.between_chunks_seconds:g} s in the middle of the reply; try again"
    ),
    "total_timeout": (
        "the reply was not complete after {timeouts.total_seconds:g} s; pass "
        "timeouts=Timeouts(total_seconds=...) to the provider to wait longer"
    ),
    "too_large": "the reply is larger than {detail}; does {address} speak {dialect}?",
    "other": "the exchange with {address} failed: {detail}",
}


@dataclass(frozen=True, slots=True)
class ErrorMapper:
    """Creates the errors of one exchange."""

    service: str
    model: str
    address: str
    """The service's base URL, without user name and password."""
    dialect: str
    """The name of the protocol, for messages."""
    key: Secret
    key_env: str
    """The environment variable that holds the key, or empty."""
    timeouts: Timeouts

    def from_transport(self, failure: TransportError, *, begun: bool = False) -> ProviderError:
        """Map a failed connection; `begun` if part of the answer had arrived."""
        message = _TRANSPORT_MESSAGES[failure.problem].format(
            address=self.address,
            detail=failure.detail or "unknown reason",
            timeouts=self.timeouts,
            dialect=self.dialect,
        )
        is_timeout = failure.problem.endswith("timeout")
        return self._error(
            ProviderTimeoutError if is_timeout else ProviderConnectionError,
            message,
            sent=failure.problem not in _UNSENT,
            answer_begun=begun,
        )

    def from_status(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Map a reply whose status is not 200."""
        error = parse_error_body(body)
        if 300 <= status < 400:
            error = ErrorBody(f"a redirect to {headers.get('location', 'nowhere')}")
        return self._from_error_body(status, error, headers)

    def from_event(
        self, error: Mapping[str, Any] | str, headers: Headers, *, begun: bool = False
    ) -> ProviderError:
        """Map an error inside a reply with status 200."""
        parsed = parse_error(error)
        return self._from_error_body(parsed.status, parsed, headers, answer_begun=begun)

    def malformed(
        self,
        found: str,
        text: str,
        headers: Headers,
        *,
        begun: bool = False,
        usage: Usage | None = None,
    ) -> ProviderError:
        """Create the error for a reply with status 200 that does not follow the protocol."""
        excerpt = self.key.scrub(" ".join(text.split()))[:_EXCERPT_CHARS]
        return self._error(
            MalformedReplyError,
            f"answered with {found}{f': {excerpt!r}' if excerpt else ''}; "
            f"does {self.address} speak {self.dialect}?",
            status=200,
            headers=headers,
            answer_begun=begun,
            usage=usage,
        )

    def refused(
        self, reason: str, request_id: str, headers: Headers, usage: Usage | None
    ) -> ProviderError:
        """Create the error for a request that the model or a filter refused to answer."""
        return self._error(
            RefusedError,
            f"refused to answer ({self.key.scrub(reason)[:_EXCERPT_CHARS]}); reword the request",
            status=200,
            headers=headers,
            request_id=request_id,
            answer_begun=True,
            usage=usage,
        )

    def request_id(self, headers: Headers) -> str:
        """Return the service's id of the request, or empty."""
        return self.key.scrub(headers.get("x-request-id") or headers.get("request-id") or "")

    def _from_error_body(
        self, status: int, error: ErrorBody, headers: Headers, *, answer_begun: bool = False
    ) -> ProviderError:
        kind, advice = self._kind(status, error.code, error.message)
        message = self.key.scrub(error.message)[:_EXCERPT_CHARS]
        return self._error(
            kind,
            f"answered {status}: {message or 'no details'}; {advice}",
            status=status,
            headers=headers,
            request_id=error.request_id,
            retry_after=error.retry_after_seconds,
            answer_begun=answer_begun,
        )

    def _kind(self, status: int, code: str, message: str) -> tuple[type[ProviderError], str]:
        """Return the kind of error, and what to do about it."""
        text = f"{code} {message}"
        if status in (400, 413, 422) and (_CONTEXT_TOO_LONG.search(text) or status == 413):
            advice = "shorten the messages or use a model with a larger context window"
            return ContextTooLongError, advice
        if "content_filter" in code or "content_policy" in code:
            return RefusedError, "reword the request"
        if status == 402 or (status < 500 and _NO_CREDIT.search(text)):
            return PermissionDeniedError, "the account has no credit left; top it up"
        if _REGION_BLOCKED.search(text):
            return PermissionDeniedError, "the service is not available in your region"
        # Google answers 400 to a wrong key, and 403 to a missing one.
        without_key = not self.key and "unregistered callers" in message
        if status == 401 or "API_KEY_INVALID" in code or without_key:
            if not self.key:
                advice = (
                    f"set {self.key_env}" if self.key_env else "pass api_key=... to the provider"
                )
                return AuthenticationError, f"no API key was sent; {advice}"
            where = f" in {self.key_env}" if self.key_env else ""
            return AuthenticationError, f"the API key{where} was rejected; check it"
        if status == 403:
            return PermissionDeniedError, "the API key lacks this permission; check its rights"
        if status == 404 or 300 <= status < 400:
            return NotFoundError, f"check the model name and the address {self.address}"
        if status == 408:
            return ProviderTimeoutError, "try again"
        if status == 429:
            return RateLimitedError, "wait, or lower the number of concurrent calls"
        if status >= 500:
            return OverloadedError, "the service failed; try again"
        return BadRequestError, "the service rejected the request; change it"

    def _error(
        self,
        kind: type[ProviderError],
        text: str,
        *,
        status: int | None = None,
        headers: Headers = MappingProxyType({}),
        request_id: str = "",
        retry_after: float | None = None,
        sent: bool = True,
        answer_begun: bool = False,
        usage: Usage | None = None,
    ) -> ProviderError:
        now = time.time()
        request_id = self.request_id(headers) or self.key.scrub(request_id)
        prefix = f"{self.service} ({self.model})" if self.model else self.service
        suffix = f" [request {request_id}]" if request_id else ""
        from_headers = retry_after_seconds(headers, now)
        return kind(
            self.key.scrub(f"{prefix}: {text}{suffix}"),
            service=self.service,
            model=self.model,
            status=status,
            request_id=request_id,
            retry_after_seconds=retry_after if from_headers is None else from_headers,
            rate_limits=rate_limits(headers, now),
            sent=sent,
            answer_begun=answer_begun,
            usage=usage,
        )
