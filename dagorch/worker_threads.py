"""
Sync functions in daemon threads, which may use `anyio.from_thread`.

A few threads are kept for reuse. A thread that hangs never keeps the process alive; those of
`anyio.to_thread` do on asyncio.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import os
import threading
from collections.abc import Callable, Coroutine
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

import anyio
from anyio import from_thread
from anyio.abc import AsyncBackend
from anyio.lowlevel import RunVar, checkpoint, current_token

try:
    import sniffio
except ModuleNotFoundError:  # newer versions of anyio do without it
    sniffio = None  # type: ignore[assignment]  # the name stands for an optional module

try:
    # Private, but the only way to make `anyio.from_thread` work in a thread; see ADR 0041.
    from anyio._core._eventloop import claim_worker_thread
except ImportError:  # `anyio.from_thread` then says that the thread is not one of anyio's
    claim_worker_thread = contextlib.nullcontext  # type: ignore[assignment]  # takes its place

__all__ = [
    "Job", "LoopThreads", "name_event_loop", "release_loop", "run_in_thread", "threads_of_loop",
]  # fmt: skip

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_IDLE_SECONDS: Final = 5.0
_GRACE_SECONDS: Final = 0.1
"""How long a thread may take to notice that its call was cancelled, before it is abandoned."""
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


class LoopThreads:
    """
    What the threads that work for one event loop share.

    Attributes:
        schedule: Calls a function on the loop, from any thread.
        token: The loop for `anyio.from_thread`.
        at_work: Sync functions that run in a thread right now; virtual time does not jump then.
        wait_seconds: How long the loop blocks for a sync function; virtual time only, for a
            fixed order.
    """

    def __init__(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio

            trio_token = trio.lowlevel.current_trio_token()
            self.schedule: Callable[[Callable[[], object]], object] = trio_token.run_sync_soon
        else:
            self.schedule = loop.call_soon_threadsafe
        self.token = current_token()
        self.at_work = 0
        self.wait_seconds = 0.0


_OF_LOOP: RunVar[LoopThreads] = RunVar("dagorch_threads")


def threads_of_loop() -> LoopThreads:
    """Return what the threads of the running event loop share."""
    try:
        return _OF_LOOP.get()
    except LookupError:
        made = LoopThreads()
        _OF_LOOP.set(made)
        return made


class Job:
    """One call in a thread."""

    __slots__ = (
        "_callers_context", "_loop_calls", "_of_loop", "call", "closed", "context", "done", "error",
        "finished", "loop_is_free", "on_end", "value",
    )  # fmt: skip

    def __init__(self, call: Callable[[], Any], of_loop: LoopThreads) -> None:
        self.call = call
        self._callers_context = contextvars.copy_context()
        self.context = contextvars.copy_context()
        if sniffio is not None:  # no event loop runs in the thread; the function may start one
            self.context.run(sniffio.current_async_library_cvar.set, None)
        self._of_loop = of_loop
        self._loop_calls: dict[anyio.CancelScope, anyio.Event] = {}
        """Per function that the loop runs for the thread: its scope, and an event for its end."""
        self.finished = anyio.Event()
        self.on_end: Callable[[], None] = _nothing
        """Called on the event loop when the function has returned."""
        self.loop_is_free = threading.Event() if of_loop.wait_seconds else None
        """Set when the function returns or needs the loop; None if the loop does not block."""
        self.done = False
        """Set when the function has returned, even if its caller was cancelled."""
        self.closed = False
        """Set when the caller waits no more; the loop then awaits nothing for the thread."""
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
            self._of_loop.schedule(functools.partial(self._callers_context.run, self._ended))

    def _ended(self) -> None:
        self.finished.set()
        self.on_end()

    async def wait(self) -> None:
        """
        Wait until the function has returned, and allow no more calls of the loop.

        If the caller is cancelled, so are they. Most threads then end by themselves.
        """
        try:
            if self.loop_is_free is not None:
                self.loop_is_free.wait(self._of_loop.wait_seconds)
            if not self.done:
                await self.finished.wait()
        finally:
            self.closed = True
            if self._loop_calls:
                await self._cancel_loop_calls()

    async def _cancel_loop_calls(self) -> None:
        with anyio.CancelScope(shield=True):
            calls = dict(self._loop_calls)
            for scope in calls:
                scope.cancel()
            for ended in calls.values():
                await ended.wait()
        with anyio.move_on_after(_GRACE_SECONDS, shield=True):
            await self.finished.wait()

    # -- what `anyio.from_thread` does in the thread ----------------------------------------

    def run_async(
        self, function: Callable[[Unpack[Ts]], Coroutine[Any, Any, T]], args: tuple[*Ts]
    ) -> T:
        """Await an async function on the event loop; called in the thread."""
        release_loop()
        return from_thread.run(self.serve, function, args, token=self._of_loop.token)

    def run_sync(self, function: Callable[[Unpack[Ts]], T], args: tuple[*Ts]) -> T:
        """Call a function on the event loop; called in the thread."""
        release_loop()
        return from_thread.run_sync(function, *args, token=self._of_loop.token)

    def check_cancelled(self) -> None:
        """Raise the cancellation of the caller, if it was cancelled; called in the thread."""
        if self.closed:
            raise from_thread.run(_cancellation, token=self._of_loop.token)

    async def serve(
        self, function: Callable[[Unpack[Ts]], Coroutine[Any, Any, T]], args: tuple[*Ts]
    ) -> T:
        """
        Await a function for the thread, in a scope that is cancelled with the job.

        Raises:
            BaseException: The event loop's cancellation, if the job was closed.
        """
        if self.closed:
            raise await _cancellation()
        scope = anyio.CancelScope()  # its task belongs to no task group
        self._loop_calls[scope] = ended = anyio.Event()
        self._of_loop.at_work -= 1  # the thread waits for the loop, not the loop for it
        try:
            with scope:
                return await function(*args)
            raise await _cancellation()
        finally:
            self._of_loop.at_work += 1
            del self._loop_calls[scope]
            ended.set()


async def _cancellation() -> BaseException:
    """Return a new cancellation of the event loop that runs."""
    with anyio.CancelScope(shield=True) as scope:
        scope.cancel()
        try:
            await checkpoint()
        except BaseException as error:
            cancellation = error
            raise
    return cancellation.with_traceback(None)


class _JobBackend(AsyncBackend):
    """The backend of `anyio.from_thread` in our threads: it hands each call to the thread's job."""

    @classmethod
    def run_async_from_thread(
        cls,
        func: Callable[[Unpack[Ts]], Coroutine[Any, Any, T]],
        args: tuple[*Ts],
        token: object,
    ) -> T:
        job: Job = _current.job
        return job.run_async(func, args)

    @classmethod
    def run_sync_from_thread(
        cls, func: Callable[[Unpack[Ts]], T], args: tuple[*Ts], token: object
    ) -> T:
        job: Job = _current.job
        return job.run_sync(func, args)

    @classmethod
    def check_cancelled(cls) -> None:
        _current.job.check_cancelled()


async def run_in_thread(
    call: Callable[[], T], on_start: Callable[[Job], None] = lambda _job: None
) -> T:
    """
    Call a sync function in a daemon thread, which is left alone if the caller is cancelled.

    On virtual time the event loop blocks until the function has returned or needs the loop, to
    give threads a fixed order.

    Args:
        call: The function, its arguments bound.
        on_start: Receives the job, to follow it after its caller was cancelled.

    Raises:
        BaseException: The error that the function raised.
    """
    of_loop = threads_of_loop()
    job = Job(call, of_loop)
    on_start(job)
    with _lock:
        queue = _idle.pop() if _idle else None
    if queue is None:
        queue = SimpleQueue()
        threading.Thread(target=_work, args=(queue,), name="dagorch-worker", daemon=True).start()
    queue.put(job)
    of_loop.at_work += 1
    try:
        await job.wait()
    finally:
        of_loop.at_work -= 1
    if job.error is not None:
        raise job.error
    value: T = job.value
    return value


def release_loop() -> None:
    """Let the event loop go on if it blocks for this thread's function."""
    job: Job | None = getattr(_current, "job", None)
    if job is not None and job.loop_is_free is not None:
        job.loop_is_free.set()


def _work(queue: SimpleQueue[Job]) -> None:
    with claim_worker_thread(_JobBackend, None):  # type: ignore[type-abstract]  # never made
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
