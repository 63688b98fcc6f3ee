"""
A thread that notices when a node keeps the event loop from running.

A timer on the loop could not see it.
"""

from __future__ import annotations

import re
import sys
import threading
import time
import warnings
from types import FrameType
from typing import Any, Final

from dagorch.errors import BlockingCallWarning
from dagorch.runner.service_limits import Schedule

__all__ = ["BLOCKED_SECONDS", "Watchdog"]

BLOCKED_SECONDS: Final = 0.25
"""A node that holds the loop longer than this in one go is warned of."""
_POLL_SECONDS: Final = BLOCKED_SECONDS / 2
_NUMBER: Final = re.compile(r"\[\d+\]")
_LOOP_FILE: Final = __file__.replace("watchdog.py", "loop.py")
_CALLS_FILE: Final = __file__.replace("watchdog.py", "provider_calls.py")
_WORKING: Final = frozenset({"_run_commands", "_run_command"})
"""The runner's functions that call the user's; each has the command it obeys in `command`."""
_OURS: Final = (
    __file__[: -len("runner/watchdog.py")],
    threading.__file__[: -len("threading.py")],
    "<frozen",
)


_Seen = tuple[Any, Any, int]
"""A command, its frame and its node: on the fast path one attempt serves several node runs."""


class Watchdog:
    """
    Watches the runs of one event loop from a daemon thread, which lives while runs do.

    It reads the stack of the loop's thread now and then. Finding it twice inside the same attempt,
    it asks the loop for a sign of life; only if none comes is the node holding the loop up. So
    being watched costs the loop nothing.

    Args:
        schedule: Calls a function on the loop.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._runs = 0
        self._warned: set[str] = set()
        self._thread: threading.Thread | None = None
        self._loop_thread = threading.get_ident()
        self._schedule = schedule

    def enter(self) -> None:
        """A run begins; called on the loop's thread."""
        self._runs += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="dagorch-watchdog", daemon=True)
            self._thread.start()

    def leave(self) -> None:
        """A run has ended; the thread goes when it finds none."""
        self._runs -= 1

    def _look(self) -> None:
        suspect: _Seen | None = None
        while True:
            time.sleep(_POLL_SECONDS)
            if not self._runs:
                self._thread = None
                return
            found = self._inside()
            if found is None or found != suspect:
                suspect = found
                continue
            alive = threading.Event()
            try:
                self._schedule(alive.set)
            except RuntimeError:  # the loop has gone
                return
            if not alive.wait(_POLL_SECONDS) and self._inside() == suspect:
                self._warn(found[0])

    def _inside(self) -> _Seen | None:
        """The command whose user code the loop's thread is in, if any, and whose node run's."""
        frame = sys._current_frames().get(self._loop_thread)
        while frame is not None:
            code = frame.f_code
            if code.co_name == "_call_on_the_loop" and code.co_filename == _CALLS_FILE:
                return None  # it waits for its answer on purpose, and has already warned
            if code.co_name in _WORKING and code.co_filename == _LOOP_FILE:
                command: Any = frame.f_locals.get("command")
                return command, getattr(command, "frame", None), getattr(command, "index", 0)
            frame = frame.f_back
        return None

    def _warn(self, command: object) -> None:
        path = str(getattr(command, "path", command))
        place = _NUMBER.sub("", path)  # one warning for all items of a map
        if place in self._warned:
            return
        self._warned.add(place)
        where = _user_line(sys._current_frames().get(self._loop_thread))
        if where is None:
            return
        file, line = where
        message = (
            f"node {path!r} keeps the event loop from running ({file}:{line}); every other node "
            "waits. "
            "Use the async call, or make the node a plain def, which runs in a thread"
        )
        try:
            warnings.warn_explicit(message, BlockingCallWarning, file, line)
        except BlockingCallWarning:
            # Warnings are errors here, but nothing would report an error raised in this thread.
            sys.stderr.write(f"BlockingCallWarning: {message}\n")


def _user_line(frame: FrameType | None) -> tuple[str, int] | None:
    """
    Return the file and line of the node's innermost code; None if all frames are ours or Python's.

    The user's files come first, an installed library's second. A module import does not count:
    it happens once and cannot be made async.
    """
    library: tuple[str, int] | None = None
    while frame is not None and not _is_runner(frame):
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib"):
            return None
        if not file.startswith(_OURS):
            if "site-packages" not in file:
                return file, frame.f_lineno
            library = library or (file, frame.f_lineno)
        frame = frame.f_back
    return library


def _is_runner(frame: FrameType) -> bool:
    code = frame.f_code
    return code.co_name in _WORKING and code.co_filename == _LOOP_FILE
