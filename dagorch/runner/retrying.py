"""The engine's rule of retrying for a coroutine function of one's own, outside of any graph."""

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
    Decorate a coroutine function so that it is tried again when it fails.

    As a node is tried: any error is worth a retry unless it says `retryable = False` itself; the
    wait doubles, drawn evenly from 0 to its ceiling; a service's `Retry-After` wins over the draw.
    Cancellation is no error.

    Args:
        max_retries: Tries after the first, at least 0: 3 is at most 4 attempts.
        base_delay: The first wait's ceiling in seconds.
        max_delay: No wait is longer; a service that asks for a longer one is not tried again.
        seed: Of the draw; None is another each time.

    Raises:
        DefinitionError: An argument is out of range, or the function is not async.
        Exception: What the last attempt raised.

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
        raise DefinitionError("retry_async is called before it decorates: @retry_async()")
    if not isinstance(max_retries, int) or max_retries < 0:
        raise DefinitionError(f"max_retries={max_retries!r} must be a whole number of at least 0")
    for name, seconds in (("base_delay", base_delay), ("max_delay", max_delay)):
        if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise DefinitionError(f"{name}={seconds!r} must be seconds of at least 0")
    rule = Retry(max_retries + 1, base_delay, max_delay_seconds=max_delay)

    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        if not inspect.iscoroutinefunction(function):
            raise DefinitionError(f"retry_async decorates async functions, not {function!r}")

        @functools.wraps(function)
        async def tried(*args: P.args, **kwargs: P.kwargs) -> T:
            chance = random.Random(seed)
            failures = 0
            while True:
                try:
                    return await function(*args, **kwargs)
                except Exception as error:  # tried again, or raised as it is
                    failures += 1
                    delay = next_delay(rule, failures, error, chance)
                    if delay is None:
                        raise
                await anyio.sleep(delay)

        return tried

    return decorate
