"""Parsing of rate limit headers into `RateLimits`; pure."""

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
        # OpenAI's, adopted by Groq, xAI and many more.
        ("x-ratelimit-{part}-{kind}", _KINDS[:2]),
        ("anthropic-ratelimit-{kind}-{part}", _KINDS),
    )
    for kind in kinds
)
"""The `RateLimits` field, and its three headers."""


def rate_limits(headers: Mapping[str, str], now: float) -> RateLimits | None:
    """
    Return the rate limits in the headers of a reply, or None if there are none.

    Ignores a value that is not a number.

    Args:
        headers: With lower-case names.
        now: The current Unix time; dates are relative to it.

    Example:
        >>> headers = {"x-ratelimit-limit-tokens": "30000", "x-ratelimit-reset-tokens": "1m30s"}
        >>> rate_limits(headers, now=0.0).tokens
        RateWindow(limit=30000, remaining=None, reset_seconds=90.0)
        >>> rate_limits({"content-type": "application/json"}, now=0.0) is None
        True
    """
    if not any("ratelimit-" in name for name in headers):
        return None
    windows: dict[str, RateWindow] = {}
    for field, names in _HEADERS:
        limit, remaining, reset = (headers.get(name, "").strip() for name in names)
        window = RateWindow(_integer(limit), _integer(remaining), seconds_until(reset, now))
        if window != RateWindow():
            windows[field] = window
    return RateLimits(**windows) if windows else None


def _integer(text: str) -> int | None:
    return int(float(text)) if NUMBER.fullmatch(text) else None
