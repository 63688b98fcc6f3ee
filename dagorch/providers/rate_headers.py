"""The services' rate limit headers, read into one record; pure: nothing is kept, nobody waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dagorch.http.retry_after import NUMBER, seconds_until
from dagorch.models.rates import RateLimits, RateWindow

__all__ = ["rate_limits"]

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


def _count(text: str) -> int | None:
    return int(float(text)) if NUMBER.fullmatch(text) else None
