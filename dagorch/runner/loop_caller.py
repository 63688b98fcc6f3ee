"""Call functions on the event loop of a run, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from dagorch.errors import DefinitionError
from dagorch.runner.loop_state import shared
from dagorch.worker_threads import release_loop

__all__ = ["LoopCaller"]

T = TypeVar("T")


class LoopCaller:
    """Calls functions on the event loop that was running when it was made."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._schedule = shared().schedule
        self._context = copy_context()

    def call(self, function: Callable[[], T]) -> T:
        """
        Call a function on the loop; from another thread, block until it has returned.

        Raises:
            DefinitionError: The loop is closed, and every run on it has ended.
            Exception: What the function raises.
        """
        if threading.get_ident() == self._thread:
            return function()
        outcome: Future[T] = Future()

        def call() -> None:
            try:
                outcome.set_result(function())
            except BaseException as error:
                outcome.set_exception(error)

        release_loop()  # virtual time blocks its loop for the thread of a sync node
        try:
            # In the loop's context: the thread's does not say which event loop runs.
            self._schedule(partial(self._context.copy().run, call))
        except RuntimeError:
            raise DefinitionError("the run has ended, and its event loop with it") from None
        return outcome.result()
