"""
From what a service did wrong to the one error that says so; nothing is sent or retried here.

Every message names the service, the model, the status and the request, and says what to do.
No message holds the key, also not where the service echoed it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
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
from dagorch.http.retry_after import retry_after_seconds
from dagorch.http.secret import Secret
from dagorch.models.usage import Usage
from dagorch.providers.error_bodies import Fault, read_body, read_error
from dagorch.providers.http_reply import Timeouts, TransportFailure
from dagorch.providers.rate_headers import rate_limits

__all__ = ["Failures"]

_TOO_LONG = re.compile(
    r"context[ _](length|size|window|limit)|exceeds? the (available|maximum) context|"
    r"token count( \S+){0,2} exceeds|(prompt|input|request)( \S+){0,3} (is )?too (long|large)|"
    r"too many (input )?tokens|reduce the length",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(
    r"insufficient_quota|insufficient (balance|credit|funds)|credit balance|available credits",
    re.IGNORECASE,
)
_NOT_HERE = re.compile(r"unsupported_country|location is not supported", re.IGNORECASE)
_EXCERPT_CHARS = 300


@dataclass(frozen=True, slots=True)
class Failures:
    """Makes the errors of one exchange."""

    service: str
    model: str
    address: str
    """Of the service, without a user's name or password."""
    dialect: str
    """The name of what is spoken there."""
    key: Secret
    key_env: str
    """The environment variable that holds the key; empty if none does."""
    timeouts: Timeouts

    def from_transport(self, failure: TransportFailure, *, begun: bool = False) -> ProviderError:
        """Say how the connection failed; `begun` if a part of the answer had come."""
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
        sent = failure.problem not in ("refused", "unresolved", "insecure", "connect_timeout")
        return self._make(kind, text, sent=sent, answer_begun=begun)

    def from_status(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Say what a reply without success means."""
        fault = read_body(body)
        if 300 <= status < 400:
            fault = Fault(f"a redirect to {headers.get('location', 'nowhere')}")
        return self._judged(status, fault, headers)

    def from_event(
        self,
        error: Mapping[str, Any] | str,
        headers: Mapping[str, str],
        *,
        begun: bool = False,
    ) -> ProviderError:
        """Say what an error means that came in a reply with status 200."""
        fault = read_error(error)
        return self._judged(fault.status, fault, headers, answer_begun=begun)

    def malformed(
        self,
        found: str,
        text: str,
        headers: Mapping[str, str],
        *,
        begun: bool = False,
        usage: Usage | None = None,
    ) -> ProviderError:
        """Say that a reply with status 200 is not what the protocol promises."""
        excerpt = self.key.scrub(" ".join(text.split()))[:_EXCERPT_CHARS]
        return self._make(
            MalformedReplyError,
            f"answered with {found}{f': {excerpt!r}' if excerpt else ''}; "
            f"does {self.address} speak {self.dialect}?",
            status=200,
            headers=headers,
            answer_begun=begun,
            usage=usage,
        )

    def refused(
        self, because: str, request_id: str, headers: Mapping[str, str], usage: Usage | None
    ) -> ProviderError:
        """Say that nothing was answered because the model or a filter did not want to."""
        return self._make(
            RefusedError,
            f"refused to answer ({self.key.scrub(because)[:_EXCERPT_CHARS]}); reword the request",
            status=200,
            headers=headers,
            request_id=request_id,
            answer_begun=True,
            usage=usage,
        )

    def request_id(self, headers: Mapping[str, str]) -> str:
        """Give the service's own id of the request; empty if it gave none."""
        return self.key.scrub(headers.get("x-request-id") or headers.get("request-id") or "")

    def _judged(
        self,
        status: int,
        fault: Fault,
        headers: Mapping[str, str],
        *,
        answer_begun: bool = False,
    ) -> ProviderError:
        kind, advice = self._kind(status, fault.code, fault.message)
        said = self.key.scrub(fault.message)[:_EXCERPT_CHARS]
        return self._make(
            kind,
            f"answered {status}: {said or 'nothing more'}; {advice}",
            status=status,
            headers=headers,
            request_id=fault.request_id,
            pause=fault.retry_after_seconds,
            answer_begun=answer_begun,
        )

    def _kind(self, status: int, code: str, said: str) -> tuple[type[ProviderError], str]:
        """Find the kind of error, and what to do about it."""
        whole = f"{code} {said}"
        if status in (400, 413, 422) and (_TOO_LONG.search(whole) or status == 413):
            return ContextTooLongError, "shorten the messages or use a model that reads more"
        if "content_filter" in code or "content_policy" in code:
            return RefusedError, "reword the request"
        if status == 402 or (status < 500 and _NO_CREDIT.search(whole)):
            return PermissionDeniedError, "the account has no credit left; top it up"
        if _NOT_HERE.search(whole):
            return PermissionDeniedError, "the service is not offered where you are"
        if status == 401 or self._is_about_the_key(code, said):
            if not self.key:
                where = f"put it in {self.key_env}" if self.key_env else "give the provider api_key"
                return AuthenticationError, f"no key was sent; {where}"
            where = f" in {self.key_env}" if self.key_env else ""
            return AuthenticationError, f"the key{where} was not accepted; check it"
        return self._kind_by_status(status)

    def _is_about_the_key(self, code: str, said: str) -> bool:
        """Whether it is, where the status does not say so: Google's are 400, or 403 without one."""
        return "API_KEY_INVALID" in code or (not self.key and "unregistered callers" in said)

    def _kind_by_status(self, status: int) -> tuple[type[ProviderError], str]:
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
        request_id: str = "",
        pause: float | None = None,
        sent: bool = True,
        answer_begun: bool = False,
        usage: Usage | None = None,
    ) -> ProviderError:
        headers, now = headers or {}, time.time()
        request_id = self.request_id(headers) or self.key.scrub(request_id)
        who = f"{self.service} ({self.model})" if self.model else self.service
        tail = f" [request {request_id}]" if request_id else ""
        wait = retry_after_seconds(headers, now)
        return kind(
            self.key.scrub(f"{who}: {text}{tail}"),
            service=self.service,
            model=self.model,
            status=status,
            request_id=request_id,
            retry_after_seconds=pause if wait is None else wait,
            rate_limits=rate_limits(headers, now),
            sent=sent,
            answer_begun=answer_begun,
            usage=usage,
        )
