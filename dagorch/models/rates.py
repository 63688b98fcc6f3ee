"""What a service said of its own rate limits, as numbers; who keeps them is not told here."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RateLimits", "RateWindow"]


@dataclass(frozen=True, slots=True)
class RateWindow:
    """
    One limit of a service, as a reply described it.

    How long the window is, no service says: a minute with most, a day for Groq's requests.
    """

    limit: int | None = None
    """How many the service allows in one window."""
    remaining: int | None = None
    """How many are left in this window, never less than 0."""
    reset_seconds: float | None = None
    """From the reply's arrival until the window is full again, never less than 0."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """
    The limits that one reply told of; each is None where it said nothing of it.

    Example:
        >>> limits = RateLimits(requests=RateWindow(limit=60, remaining=0, reset_seconds=2.5))
        >>> limits.requests.remaining, limits.tokens
        (0, None)
    """

    requests: RateWindow | None = None
    tokens: RateWindow | None = None
    """Of input and output together."""
    input_tokens: RateWindow | None = None
    output_tokens: RateWindow | None = None
