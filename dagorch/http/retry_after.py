"""How long a service asks its clients to wait: `Retry-After`, and durations in other headers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["NUMBER", "retry_after_seconds", "seconds_until"]

NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)
"""A number that a header may hold: finite, and no longer than any real one."""
_UNITS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6}
_DURATION_PART: Final = re.compile(rf"({NUMBER.pattern})(ms|us|d|h|m|s)", re.ASCII)
_DURATION: Final = re.compile(rf"(?:{_DURATION_PART.pattern}){{1,6}}", re.ASCII)
_MIN_EPOCH_SECONDS: Final = 1e9
"""A larger plain number is a Unix timestamp; as a duration it would be thirty years."""


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """
    Return the wait that a response asks for, or None.

    Args:
        headers: With lower-case names.
        now: The current Unix time; a date is relative to it.

    Example:
        >>> retry_after_seconds({"retry-after": "2"}, now=0.0)
        2.0
        >>> retry_after_seconds({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=10.0)
        50.0
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if NUMBER.fullmatch(value):
            return float(value) * unit
    with suppress(ValueError, OverflowError):  # not a date
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    return None


def seconds_until(text: str, now: float) -> float | None:
    """
    Parse a duration, plain seconds, an ISO date or a Unix timestamp.

    Args:
        text: `1m30s`, `6ms`, `57`, `2026-01-27T12:00:30Z`.
        now: The current Unix time; dates and timestamps are relative to it.

    Returns:
        Seconds, at least 0; None if the text is none of these.

    Example:
        >>> seconds_until("6ms", now=0.0), seconds_until("57", now=0.0)
        (0.006, 57.0)
        >>> seconds_until("1970-01-01T00:01:00Z", now=10.0)
        50.0
    """
    if NUMBER.fullmatch(text):
        seconds = float(text)
        if seconds >= _MIN_EPOCH_SECONDS * 1_000:  # milliseconds; as seconds the year 33,000
            seconds /= 1_000
        return max(0.0, seconds - now if seconds >= _MIN_EPOCH_SECONDS else seconds)
    if _DURATION.fullmatch(text):
        parts = _DURATION_PART.findall(text)
        return math.fsum(float(count) * _UNITS[unit] for count, unit in parts)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)
