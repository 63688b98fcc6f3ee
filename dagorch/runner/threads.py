"""
Sync functions in daemon threads.

A few threads are kept for reuse. A thread that hangs never keeps the process alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final

import anyio

from dagorch.runner.loop_state import shared

try:
    import sniffio
except ModuleNotFoundError:  # newer versions of anyio do without it
    sniffio = None  # type: ignore[assignment]  # the name stands for an optional module

__all__ = ["Job", "name_event_loop", "release_loop", "run_in_thread"]

_IDLE_SECONDS: Final = 5.0
_idle: list[SimpleQueue[Job]] = []
_lock = threading.Lock()
_current = threading.local()


def _after_fork() -> None:
    """Forget the threads: a forked process has none of them."""
    global _lock
    _lock = threading.Lock()  # another thread may have held it
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _nothing() -> None:
    """Nobody waits for the end of a function whose caller was not cancelled."""


def name_event_loop() -> None:
    """
    Name a running asyncio loop in the current context.

    Without the name, sniffio finds the loop only inside a task, not in a plain callback.
    """
    if sniffio is not None:
        with contextlib.suppress(RuntimeError):  # trio names itself
            asyncio.get_running_loop()
            sniffio.current_async_library_cvar.set("asyncio")


class Job:
    """One call in a thread."""

    __slots__ = (
        "_callers_context", "_schedule", "call", "context", "done", "error", "finished",
        "loop_is_free", "on_end", "value",
    )  # fmt: skip

    def __init__(self, call: Callable[[], Any], loop_is_free: threading.Event | None) -> None:
        self.call = call
        self._callers_context = contextvars.copy_context()
        self.context = contextvars.copy_context()
        if sniffio is not None:  # no event loop runs in the thread; the function may start one
            self.context.run(sniffio.current_async_library_cvar.set, None)
        self._schedule = shared().schedule
        self.finished = anyio.Event()
        self.on_end: Callable[[], None] = _nothing
        """Called on the event loop when the function has returned."""
        self.loop_is_free = loop_is_free
        """Set when the function returns or needs the loop; None if the loop does not block."""
        self.done = False
        """Set when the function has returned, even if its caller was cancelled."""
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Call the function; runs in the thread."""
        _current.job = self
        try:
            self.value = self.context.run(self.call)
        except BaseException as error:
            self.error = error
        self.done = True
        release_loop()
        with contextlib.suppress(RuntimeError):  # the loop is closed, and its tasks with it
            # In the caller's context: the thread's does not say which event loop runs.
            self._schedule(functools.partial(self._callers_context.run, self._ended))

    def _ended(self) -> None:
        self.finished.set()
        self.on_end()


async def run_in_thread(
    call: Callable[[], Any], on_start: Callable[[Job], None], block_seconds: float = 0.0
) -> Any:
    """
    Call a sync function in a daemon thread.

    Args:
        call: The function, its arguments bound.
        on_start: Receives the job, to follow it after its caller was cancelled.
        block_seconds: Block the event loop until the function has returned or needs the loop,
            at most this long. Virtual time does so, to give threads a fixed order.

    Raises:
        BaseException: The error that the function raised.
    """
    loop_is_free = threading.Event() if block_seconds else None
    job = Job(call, loop_is_free)
    on_start(job)
    with _lock:
        queue = _idle.pop() if _idle else None
    if queue is None:
        queue = SimpleQueue()
        threading.Thread(target=_work, args=(queue,), name="dagorch-worker", daemon=True).start()
    queue.put(job)
    if loop_is_free is not None:
        loop_is_free.wait(block_seconds)
    if not job.done:
        await job.finished.wait()
    if job.error is not None:
        raise job.error
    return job.value


def release_loop() -> None:
    """Let the event loop go on if it blocks for this thread's function."""
    job: Job | None = getattr(_current, "job", None)
    if job is not None and job.loop_is_free is not None:
        job.loop_is_free.set()


def _work(queue: SimpleQueue[Job]) -> None:
    while True:
        try:
            job = queue.get(timeout=_IDLE_SECONDS)
        except Empty:
            with _lock:
                if queue not in _idle:
                    continue  # just taken from the idle list: its job is on the way
                _idle.remove(queue)
            return
        job.run()
        del job
        _current.job = None
        with _lock:
            _idle.append(queue)
