"""
What a service says of its own failure, in whichever shape: read here, judged in `error_mapping.py`.

One reader for all dialects, as a gateway in front of a service answers in a shape of its own:
OpenAI's `{"error": {...}}`, Anthropic's with a type outside, Google's status with details, an
HTML page, plain words.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dagorch.http.retry_after import seconds_until

__all__ = ["Fault", "read_body", "read_error"]

_STATUS_OF: Final = (
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
"""A part of an error's name -> the status that it would have had before the stream began."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure in the service's own words."""

    message: str
    code: str = ""
    """All that a program can tell it by, with blanks between."""
    request_id: str = ""
    retry_after_seconds: float | None = None

    @property
    def status(self) -> int:
        """The HTTP status that it amounts to, where none came with it; 500 if it does not say."""
        for word in self.code.split():
            if re.fullmatch(r"[45]\d\d", word):
                return int(word)
        name = self.code.lower()
        return next((status for part, status in _STATUS_OF if part in name), 500)


def read_body(body: bytes) -> Fault:
    """Read the body of a reply without success."""
    text = body.decode("utf-8", "replace").strip()
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        if title := re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL):
            return Fault(f"an HTML page, {html.unescape(title[1]).strip()!r}")
        return Fault(" ".join(text.split()))
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]  # Gemini wraps its errors in a list
    if not isinstance(parsed, Mapping):
        return Fault(str(parsed))
    fault = read_error(parsed.get("error", parsed))
    request_id = parsed.get("request_id")
    return Fault(
        fault.message,
        fault.code,
        request_id if isinstance(request_id, str) else "",
        fault.retry_after_seconds,
    )


def read_error(error: Any) -> Fault:
    """
    Read what stands under `error`, in a body or in an event.

    Example:
        >>> read_error({"type": "overloaded_error", "message": "Overloaded"})
        Fault(message='Overloaded', code='overloaded_error', ...)
        >>> read_error("something broke").status
        500
    """
    if not isinstance(error, Mapping):
        return Fault(str(error))
    words = [error[name] for name in ("code", "type", "status") if error.get(name)]
    pause: float | None = None
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if not isinstance(detail, Mapping):
            continue
        if detail.get("reason"):
            words.append(detail["reason"])
        if isinstance(detail.get("retryDelay"), str):
            pause = seconds_until(detail["retryDelay"], 0.0)
    code = " ".join(map(str, words))
    said = error.get("message") or error.get("detail") or code or json.dumps(error)
    return Fault(str(said), code, retry_after_seconds=pause)
