"""
Ctrl-C (SIGINT), SIGTERM and SIGHUP: the first stops the command in order, the next one at once.

It is loaded before everything else, so it imports nothing that takes time.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "RunStop", "leave_on_signals", "raise_on_signals"]

_HANGUPS = (signal.SIGHUP,) if sys.platform != "win32" else ()  # the terminal was closed
_SIGNALS = (signal.SIGINT, signal.SIGTERM, *_HANGUPS)
_SHOW_CURSOR = b"\x1b[?25h"


class Interrupted(KeyboardInterrupt):
    """
    A signal stopped the command.

    Attributes:
        code: The exit code, as shells report a signal: 130 for Ctrl-C, 143 for SIGTERM, 129
            for SIGHUP.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.code = 128 + number


def leave_on_signals() -> None:
    """
    End the process at the next signal, with one line.

    For imports, where a `KeyboardInterrupt` can be swallowed, and for exits, where it would wait
    for threads. Nothing may be left to save.
    """
    _handle_signals(_leave)


def raise_on_signals() -> None:
    """Raise `Interrupted` at the next signal, and end the process at the one after it."""
    _handle_signals(_raise)


class RunStop:
    """
    The handling of signals while a run goes on and its results are saved.

    Attributes:
        number: The signal that came; 0 if none has.
        on_signal: Called with no arguments at the first signal, inside any step of the program.
            The second signal ends the process, unless it is SIGHUP.
    """

    def __init__(self, on_signal: Callable[[], object]) -> None:
        self.number = 0
        self.on_signal = on_signal

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Handle signals inside the block."""
        previous = _handle_signals(self._handle)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        leave_on_signals()
        for hangup in _HANGUPS:  # a terminal that is closed sends it twice
            signal.signal(hangup, signal.SIG_IGN)
        self.number = number
        self.on_signal()


def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Set the handler of the signals that are not ignored; return the previous ones."""
    return {
        number: signal.signal(number, handler)
        for number in _SIGNALS
        if signal.getsignal(number) != signal.SIG_IGN  # as `nohup` and shell scripts set it
    }


def _raise(number: int, frame: FrameType | None) -> None:
    leave_on_signals()
    raise Interrupted(number)


def _leave(number: int, frame: FrameType | None) -> None:
    text = (_SHOW_CURSOR if os.isatty(2) else b"") + b"dagorch: interrupted\n"
    try:
        os.write(2, text)
    finally:
        os._exit(128 + number)
