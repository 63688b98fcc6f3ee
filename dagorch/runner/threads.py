"""
Sync functions in daemon threads.

A few are kept for reuse, and one that hangs never keeps the process alive.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final

import anyio
from anyio import from_thread
from anyio.lowlevel import EventLoopToken, current_token

__all__ = ["Job", "run_in_thread"]

_IDLE_SECONDS: Final = 5.0
_idle: list[SimpleQueue[Job]] = []
_lock = threading.Lock()


class Job:
    """One call in a thread."""

    __slots__ = ("call", "context", "done", "error", "finished", "token", "value")

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.context = contextvars.copy_context()
        self.token: EventLoopToken = current_token()
        self.finished = anyio.Event()
        self.done = False
        """Set when the function has returned, whether or not anybody still waits for it."""
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Call the function; in the thread."""
        try:
            self.value = self.context.run(self.call)
        except BaseException as error:
            self.error = error
        self.done = True
        with contextlib.suppress(RuntimeError):  # the loop has gone, and with it whoever waited
            from_thread.run_sync(self.finished.set, token=self.token)


async def run_in_thread(call: Callable[[], Any], started: Callable[[Job], None]) -> Any:
    """
    Call a sync function in a daemon thread.

    Args:
        call: The function, its arguments bound.
        started: Told the job, so that one whose caller was cancelled can be followed.

    Raises:
        BaseException: What the function raised.
    """
    job = Job(call)
    started(job)
    with _lock:
        queue = _idle.pop() if _idle else None
    if queue is None:
        queue = SimpleQueue()
        threading.Thread(target=_work, args=(queue,), name="dagorch-worker", daemon=True).start()
    queue.put(job)
    await job.finished.wait()
    if job.error is not None:
        raise job.error
    return job.value


def _work(queue: SimpleQueue[Job]) -> None:
    while True:
        try:
            job = queue.get(timeout=_IDLE_SECONDS)
        except Empty:
            with _lock:
                if queue not in _idle:
                    continue  # taken this very moment: its job is on the way
                _idle.remove(queue)
            return
        job.run()
        del job
        with _lock:
            _idle.append(queue)
