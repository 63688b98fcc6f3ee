"""Whether a failed attempt is followed by another, and after how long. Pure arithmetic."""

from __future__ import annotations

import random

from dagorch.errors import ProviderError, SourceError
from dagorch.models.policy import Retry
from dagorch.models.user_objects import error_flag

__all__ = ["next_delay"]


def next_delay(
    retry: Retry, failures: int, error: BaseException, rng: random.Random
) -> float | None:
    """
    Return the seconds to wait before the next attempt, or None if there is none.

    A service's `Retry-After` overrides the random delay; one longer than `max_delay_seconds`
    means no further attempt. A reply that did not parse is retried at once.

    Args:
        retry: The node's rule.
        failures: Failed attempts with this model, this one included.
        error: Why the attempt failed.
        rng: Draws the jitter.

    Example:
        >>> next_delay(Retry(attempts=1), 1, OSError(), random.Random(0)) is None
        True
    """
    if failures >= retry.attempts or not retry.covers(error):
        return None
    if isinstance(error, ProviderError | SourceError):
        wait = error.retry_after_seconds
        if isinstance(wait, int | float):  # an error of a user's provider may have anything
            return max(wait, 0.0) if wait <= retry.max_delay_seconds else None
    if error_flag(error, "retry_at_once", default=False):
        return 0.0
    return rng.uniform(0.0, retry.ceiling_seconds(failures))
