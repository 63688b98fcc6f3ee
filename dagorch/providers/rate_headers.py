"""The services' rate limit headers, read into one record; pure: nothing is kept, nobody waits."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from dagorch.models.rates import RateLimits, RateWindow

__all__ = ["rate_limits", "seconds_until"]

_PARTS: Final = ("limit", "remaining", "reset")
_KINDS: Final = ("requests", "tokens", "input-tokens", "output-tokens")
_HEADERS: Final = tuple(
    (kind.replace("-", "_"), tuple(pattern.format(part=part, kind=kind) for part in _PARTS))
    for pattern, kinds in (
        # OpenAI's, taken over by Groq, xAI and many more.
        ("x-ratelimit-{part}-{kind}", _KINDS[:2]),
        ("anthropic-ratelimit-{kind}-{part}", _KINDS),
    )
    for kind in kinds
)
"""The names of a limit's headers, beside the field that they fill."""
_UNITS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6}
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|us|d|h|m|s)")
_DURATION: Final = re.compile(rf"(?:{_PIECE.pattern})+")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_A_MOMENT: Final = 1e9
"""A plain number as large as this counts from 1970: as a duration it would be thirty years."""


def rate_limits(headers: Mapping[str, str], now: float) -> RateLimits | None:
    """
    Give what a reply says of its service's rate limits, or None if it says nothing.

    A value that is no number is taken as not said.

    Args:
        headers: Names in lower case.
        now: Seconds since the epoch, against which dates are read.

    Example:
        >>> said = {"x-ratelimit-limit-tokens": "30000", "x-ratelimit-reset-tokens": "1m30s"}
        >>> rate_limits(said, now=0.0).tokens
        RateWindow(limit=30000, remaining=None, reset_seconds=90.0)
        >>> rate_limits({"content-type": "application/json"}, now=0.0) is None
        True
    """
    if not any("ratelimit-" in name for name in headers):
        return None
    found: dict[str, RateWindow] = {}
    for field, names in _HEADERS:
        limit, remaining, reset = (headers.get(name, "").strip() for name in names)
        window = RateWindow(_count(limit), _count(remaining), seconds_until(reset, now))
        if window != RateWindow():
            found[field] = window
    return RateLimits(**found) if found else None


def seconds_until(text: str, now: float) -> float | None:
    """
    Read how long something takes: a duration, plain seconds, a date, or seconds of the epoch.

    Args:
        text: `1m30s`, `6ms`, `57`, `2026-01-27T12:00:30Z`.
        now: Seconds since the epoch, against which dates are read.

    Returns:
        Seconds, at least 0; None if the text is none of these.

    Example:
        >>> seconds_until("6ms", now=0.0), seconds_until("57", now=0.0)
        (0.006, 57.0)
        >>> seconds_until("1970-01-01T00:01:00Z", now=10.0)
        50.0
    """
    if _NUMBER.fullmatch(text):
        seconds = float(text)
        if seconds >= _A_MOMENT:
            # Milliseconds, if as seconds it would be the year 33,000.
            seconds = (seconds / 1_000 if seconds >= _A_MOMENT * 1_000 else seconds) - now
        return max(0.0, seconds)
    if _DURATION.fullmatch(text):
        return math.fsum(float(count) * _UNITS[unit] for count, unit in _PIECE.findall(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)


def _count(text: str) -> int | None:
    return int(float(text)) if _NUMBER.fullmatch(text) else None
