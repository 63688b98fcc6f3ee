"""A thread that notices when a node keeps the event loop from running; a timer on the loop could not see it."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from types import FrameType
from typing import Final

from dagorch.errors import BlockingCallWarning

__all__ = ["BLOCKED_SECONDS", "Step", "Watchdog"]

BLOCKED_SECONDS: Final = 0.25
"""A node that holds the loop longer than this in one go is warned of."""
_POLL_SECONDS: Final = BLOCKED_SECONDS / 2
_OURS: Final = (__file__[: -len("runner/watchdog.py")], threading.__file__[: -len("threading.py")], "<frozen")


class Step:
    """What the loop's thread is doing for one run: the node run it is inside, and a count of steps."""

    __slots__ = ("attempt", "count", "warned")

    def __init__(self) -> None:
        self.attempt: object | None = None
        """The attempt whose code runs right now; None outside user code."""
        self.count = 0
        self.warned: set[str] = set()


class Watchdog:
    """
    Watches the runs of one event loop from a daemon thread, which lives while runs do.

    Reading what the loop does costs the loop nothing: it only notes which attempt it is in.
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self, step: Step) -> None:
        """Begin to watch a run; called on the loop's thread."""
        with self._lock:
            self._steps.append(step)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._look, args=(threading.get_ident(),), name="dagorch-watchdog", daemon=True
                )
                self._thread.start()

    def unwatch(self, step: Step) -> None:
        """Stop watching a run; the thread goes once there is none for a while."""
        with self._lock:
            self._steps.remove(step)

    def _look(self, loop_thread: int) -> None:
        seen: dict[int, tuple[int, float]] = {}
        while True:
            time.sleep(_POLL_SECONDS)
            with self._lock:
                steps = list(self._steps)
                if not steps:
                    self._thread = None
                    return
            now = time.monotonic()
            for step in steps:
                attempt, count = step.attempt, step.count
                key = id(step)
                if attempt is None:
                    seen.pop(key, None)
                elif seen.get(key, (None, 0.0))[0] != count:
                    seen[key] = (count, now)
                elif now - seen[key][1] >= BLOCKED_SECONDS - _POLL_SECONDS:
                    self._warn(step, attempt, loop_thread)

    def _warn(self, step: Step, attempt: object, loop_thread: int) -> None:
        path = str(getattr(attempt, "path", attempt))
        if path in step.warned:
            return
        step.warned.add(path)
        frame = sys._current_frames().get(loop_thread)
        where = _user_line(frame)
        if where is None or step.attempt is not attempt:
            return
        file, line = where
        message = (
            f"node {path!r} keeps the event loop from running ({file}:{line}); every other node waits. "
            "Use the async call, or make the node a plain def, which runs in a thread"
        )
        try:
            warnings.warn_explicit(message, BlockingCallWarning, file, line)
        except BlockingCallWarning:
            # Warnings are errors here, but an error in this thread would reach nobody.
            sys.stderr.write(f"BlockingCallWarning: {message}\n")


def _user_line(frame: FrameType | None) -> tuple[str, int] | None:
    """Where the innermost code outside this package and the standard library stands."""
    innermost: tuple[str, int] | None = None
    while frame is not None:
        file = frame.f_code.co_filename
        if innermost is None:
            innermost = (file, frame.f_lineno)
        if not file.startswith(_OURS) and "site-packages" not in file:
            return file, frame.f_lineno
        frame = frame.f_back
    return innermost
