"""The rate limits that a service reports in its responses."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RateLimits", "RateWindow"]


@dataclass(frozen=True, slots=True)
class RateWindow:
    """
    One rate limit of a service, as a response reports it.

    Services do not report the length of the window: a minute for most, a day for Groq's requests.
    """

    limit: int | None = None
    """The allowance of one window."""
    remaining: int | None = None
    """What is left of it in this window; at least 0."""
    reset_seconds: float | None = None
    """Seconds from the response until the allowance is full again; at least 0."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """
    The rate limits in one response; None for each that it does not report.

    Example:
        >>> limits = RateLimits(requests=RateWindow(limit=60, remaining=0, reset_seconds=2.5))
        >>> limits.requests.remaining, limits.tokens
        (0, None)
    """

    requests: RateWindow | None = None
    tokens: RateWindow | None = None
    """Input and output tokens together."""
    input_tokens: RateWindow | None = None
    output_tokens: RateWindow | None = None
