"""Standard output and standard error, when their reader is gone or their disk is full."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, TextIO

from dagorch.errors import DefinitionError, RunError
from dagorch.models.clean import one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["LossyStream", "note", "prepare_streams", "print_err", "print_out", "render"]


def prepare_streams() -> None:
    """
    Prepare both streams for any text.

    Raises:
        DefinitionError: Standard output is closed.
    """
    if sys.stderr is None:  # else what is printed there goes to standard output
        sys.stderr = _null()
    if sys.stdout is None:
        sys.stdout = _null()
        raise DefinitionError(
            "standard output is closed; redirect it to /dev/null if you do not need it"
        )
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # the terminal's encoding may lack characters
            stream.reconfigure(errors="replace")


def print_out(text: str = "", end: str = "\n") -> None:
    """
    Print text on standard output, and see that it is written.

    Raises:
        RunError: It cannot be written. Later output is dropped, so that there is one error.
    """
    try:
        print(text, end=end, flush=True)
    except OSError as error:
        _silence(sys.stdout)
        reason = error.strerror or error
        raise RunError(f"cannot write to standard output: {reason}") from error


def print_err(text: str, end: str = "\n") -> None:
    """Print text on standard error; if its reader is gone, the text is dropped."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except OSError:
        _silence(sys.stderr)


class LossyStream:
    """
    A stream that drops what it cannot write: the terminal of a live display may be closed.

    Args:
        stream: The stream. After the first error it is sent to nowhere.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        try:
            return self._stream.write(text)
        except OSError:
            _silence(self._stream)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered, or drop it."""
        try:
            self._stream.flush()
        except OSError:
            _silence(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def render(console: Console, *renderables: RenderableType, soft_wrap: bool = False) -> str:
    """Return what a console would print. If it printed that, it would end at a closed pipe."""
    stream, memory = console.file, _Memory(console.file)
    console.file = memory
    try:
        for renderable in renderables:
            console.print(renderable, soft_wrap=soft_wrap)
    finally:
        console.file = stream
    return memory.getvalue()


class _Memory(io.TextIOWrapper):
    """Keeps text that is formatted for another stream."""

    def __init__(self, stream: IO[str]) -> None:
        self._bytes = io.BytesIO()
        encoding = getattr(stream, "encoding", None) or "utf-8"
        super().__init__(self._bytes, encoding, errors="replace", newline="")
        self._is_terminal = stream.isatty()

    def isatty(self) -> bool:
        return self._is_terminal

    def getvalue(self) -> str:
        """Return all text."""
        self.flush()
        return self._bytes.getvalue().decode(self.encoding)


def note(text: str) -> None:
    """Print a line for the user on standard error."""
    print_err(f"dagorch: {one_line(text)}")


def _silence(stream: TextIO) -> None:
    """Send a stream to nowhere: what it still holds cannot fail when Python exits."""
    with suppress(OSError, ValueError), _null() as null:  # a stream may have no file
        os.dup2(null.fileno(), stream.fileno())


def _null() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - kept open
