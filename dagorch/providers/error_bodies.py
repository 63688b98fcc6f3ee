"""
Parsing of the error bodies of services; `error_mapping` decides what they mean.

One parser for all dialects, because a gateway in front of a service answers in its own format:
OpenAI's `{"error": {...}}`, Anthropic's with an outer type, Google's status with details, an
HTML page, plain text.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from dagorch.http.foreign import parse_json
from dagorch.http.retry_after import seconds_until

__all__ = ["ErrorBody", "parse_error", "parse_error_body"]

_STATUS_BY_NAME: Final = (
    ("authentication_error", 401),
    ("invalid_api_key", 401),
    ("unauthenticated", 401),
    ("billing_error", 402),
    ("permission", 403),
    ("not_found", 404),
    ("request_too_large", 413),
    ("rate_limit", 429),
    ("resource_exhausted", 429),
    ("too_many_requests", 429),
    ("overloaded", 529),
    ("unavailable", 503),
    ("timeout", 504),
    ("deadline_exceeded", 504),
    ("invalid_request", 400),
    ("invalid_argument", 400),
)
"""Part of an error's name -> its HTTP status before a stream has begun."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as the service describes it."""

    message: str
    code: str = ""
    """All machine-readable codes, separated by spaces."""
    request_id: str = ""
    retry_after_seconds: float | None = None

    @property
    def status(self) -> int:
        """The HTTP status that the code stands for, for an error inside a stream; else 500."""
        for word in self.code.split():
            if re.fullmatch(r"[45]\d\d", word):
                return int(word)
        name = self.code.lower()
        return next((status for part, status in _STATUS_BY_NAME if part in name), 500)


def parse_error_body(body: bytes) -> ErrorBody:
    """Parse the body of an error reply."""
    text = body.decode("utf-8", "replace").strip()
    try:
        parsed = parse_json(text)
    except (ValueError, RecursionError):
        if title := re.search(r"<title[^<>]*>([^<]*)</title>", text, re.IGNORECASE):
            return ErrorBody(f"an HTML page, {html.unescape(title[1]).strip()!r}")
        return ErrorBody(" ".join(text.split()))
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]  # Gemini wraps its errors in a list
    if not isinstance(parsed, Mapping):
        return ErrorBody(str(parsed))
    error = parse_error(parsed.get("error", parsed))
    request_id = parsed.get("request_id")
    return replace(error, request_id=request_id if isinstance(request_id, str) else "")


def parse_error(error: Any) -> ErrorBody:
    """
    Parse the value of `error` in a body or an event.

    Example:
        >>> parse_error({"type": "overloaded_error", "message": "Overloaded"})
        ErrorBody(message='Overloaded', code='overloaded_error', ...)
        >>> parse_error("something broke").status
        500
    """
    if not isinstance(error, Mapping):
        return ErrorBody(str(error))
    codes = [error[name] for name in ("code", "type", "status") if error.get(name)]
    retry_after: float | None = None
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if not isinstance(detail, Mapping):
            continue
        if detail.get("reason"):
            codes.append(detail["reason"])
        if isinstance(detail.get("retryDelay"), str):
            retry_after = seconds_until(detail["retryDelay"], 0.0)
    code = " ".join(map(str, codes))
    message = error.get("message") or error.get("detail") or code or json.dumps(error)
    return ErrorBody(str(message), code, retry_after_seconds=retry_after)
