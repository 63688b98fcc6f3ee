"""`retry_async`: the engine's retry policy for a coroutine function outside a graph."""

from __future__ import annotations

import functools
import inspect
import math
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import anyio

from dagorch.errors import DefinitionError
from dagorch.models.policy import Retry
from dagorch.scheduler.retry import next_delay

__all__ = ["retry_async"]

P = ParamSpec("P")
T = TypeVar("T")


def retry_async(
    max_retries: int = 3,
    base_delay: float = 1.0,
    *,
    max_delay: float = 60.0,
    seed: int | None = None,
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """
    Decorate a coroutine function so that it is retried when it fails.

    The rules are those of a node. Every error is retried unless it has `retryable = False`. The
    backoff is exponential with full jitter: a random delay between 0 and a limit that doubles. A
    service's `Retry-After` overrides the backoff. Cancellation is not an error.

    Args:
        max_retries: Attempts after the first, at least 0: 3 means at most 4 attempts.
        base_delay: The upper limit of the first delay, in seconds.
        max_delay: The upper limit of every delay, in seconds. A service that asks for a longer one
            is not called again.
        seed: The seed of the jitter; None is a different one for each call.

    Raises:
        DefinitionError: An argument is out of range, or the function is not async.
        Exception: The error of the last attempt.

    Example:
        >>> import anyio
        >>> tries = []
        >>> @retry_async(max_retries=3, base_delay=0)
        ... async def flaky() -> str:
        ...     tries.append(1)
        ...     if len(tries) < 3:
        ...         raise OSError("not yet")
        ...     return "done"
        >>> anyio.run(flaky), len(tries)
        ('done', 3)
    """
    if callable(max_retries):
        raise DefinitionError("retry_async needs parentheses when it decorates: @retry_async()")
    if not isinstance(max_retries, int) or max_retries < 0:
        raise DefinitionError(f"max_retries={max_retries!r} must be a whole number and at least 0")
    for name, seconds in (("base_delay", base_delay), ("max_delay", max_delay)):
        if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise DefinitionError(
                f"{name}={seconds!r} must be a finite number of seconds, at least 0"
            )
    policy = Retry(max_retries + 1, base_delay, max_delay_seconds=max_delay)

    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        if not inspect.iscoroutinefunction(function):
            raise DefinitionError(f"retry_async decorates async functions, not {function!r}")

        @functools.wraps(function)
        async def with_retries(*args: P.args, **kwargs: P.kwargs) -> T:
            jitter = random.Random(seed)
            failures = 0
            while True:
                try:
                    return await function(*args, **kwargs)
                except Exception as error:  # retried, or raised unchanged
                    failures += 1
                    delay = next_delay(policy, failures, error, jitter)
                    if delay is None:
                        raise
                await anyio.sleep(delay)

        return with_retries

    return decorate
