"""
A worker's contexts: every attempt sees the context variables of the run.

A variable that an attempt sets is visible only to the tasks and threads that it starts. A task for
each attempt would cost more than a plain step takes.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from types import coroutine
from typing import Any, Final

__all__ = ["equality_shows_changes", "fresh_context", "in_own_context"]

_FRESH: Final = object()
"""A worker yields this to request a new context; it never reaches the event loop."""


_COMPARES_IDENTITY: Final[Any] = object.__eq__


@coroutine
def in_own_context(
    worker: Coroutine[Any, Any, None],
    context_of_run: Context,
    before_suspension: Callable[[], object],
) -> Generator[Any, Any, None]:
    """
    Run a worker's coroutine in copies of the run's context, in the task that awaits this.

    Costs nothing between two suspensions of the worker.

    Args:
        worker: The coroutine.
        context_of_run: What every attempt sees.
        before_suspension: Called each time before the event loop runs others.
    """
    context = context_of_run.copy()
    step: Callable[[Any], Any] = worker.send
    argument: Any = None
    while True:
        try:
            request = context.run(step, argument)
        except StopIteration:
            return
        step = worker.send
        if request is _FRESH:
            context = argument = context_of_run.copy()
            continue
        before_suspension()
        try:
            argument = yield request
        except BaseException as error:  # a cancellation, say: it belongs to the worker
            step, argument = worker.throw, error


def equality_shows_changes(context: Context) -> bool:
    """
    Return whether a copy of a context in which a variable was set differs from the context.

    Contexts compare their values with `==`. An equal list in place of a list does not show, so
    every attempt then needs a new copy, which costs a plain step a sixth more.
    """
    return all(
        type(value) is str or type(value).__eq__ is _COMPARES_IDENTITY for value in context.values()
    )


@coroutine
def fresh_context() -> Generator[Any, Any, Context]:
    """Continue in a new copy of the run's context, and return it; only within a worker."""
    context: Context = yield _FRESH
    return context
