"""Classifies a `BaseException` of user code: own or foreign cancellation, or interrupt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import anyio

__all__ = ["interrupt_in", "is_foreign_cancellation", "single_error"]


def is_foreign_cancellation(error: BaseException) -> bool:
    """
    Return whether a cancellation was meant for something that a node awaits, not for this task.

    On asyncio, awaiting a cancelled task and being cancelled raise the same error. On trio, an
    error of asyncio's is never this task's cancellation.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(isinstance(e, Exception) or is_foreign_cancellation(e) for e in error.exceptions)
    if not isinstance(error, asyncio.CancelledError):
        return False
    if not issubclass(asyncio.CancelledError, anyio.get_cancelled_exc_class()):
        return True
    task = asyncio.current_task()
    own = task is None or task.cancelling() > 0
    return not own and anyio.current_effective_deadline() != float("-inf")


def interrupt_in(error: BaseException) -> BaseException | None:
    """Return the `KeyboardInterrupt` or `SystemExit` that an error is or contains."""
    found = (e for e in _leaves(error) if isinstance(e, KeyboardInterrupt | SystemExit))
    return next(found, None)


def single_error(group: BaseExceptionGroup) -> BaseException:
    """Return the one error behind a group, rather than the cancellations that it caused."""
    errors = list(_leaves(group))
    return next(
        (e for e in errors if not isinstance(e, anyio.get_cancelled_exc_class())), errors[0]
    )


def _leaves(error: BaseException) -> Iterator[BaseException]:
    stack = [error]
    while stack:
        current = stack.pop()
        if isinstance(current, BaseExceptionGroup):
            stack.extend(current.exceptions)
        else:
            yield current
