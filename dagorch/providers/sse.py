"""Decoding of server-sent events from chunks of bytes that may be split anywhere."""

from __future__ import annotations

import codecs
import re
from typing import Final

from dagorch.providers.wire import WireError

__all__ = ["SSEDecoder"]

_MAX_EVENT_CHARS: Final = 4_000_000
"""Longer than any real event; bounds the memory that an endless one can take."""
_LINE_END: Final = re.compile(r"\r\n|\n|\r(?=.)", re.DOTALL)


class SSEDecoder:
    """
    Returns the data of each event.

    Ignores event names: in all three dialects the data itself says what the event is.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._partial_line = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[str]:
        """
        Decode the next bytes and return the data of each event that they complete.

        Raises:
            WireError: An event exceeds four million characters.
        """
        text = self._partial_line + self._decoder.decode(chunk)
        # The first case is the usual one, and several times as fast.
        lines = text.split("\n") if "\r" not in text else _LINE_END.split(text)
        self._partial_line = lines.pop()
        events = self._read_lines(lines)
        if len(self._partial_line) + sum(map(len, self._data)) > _MAX_EVENT_CHARS:
            raise WireError("an event of more than four million characters")
        return events

    def flush(self) -> list[str]:
        """Return the data of a last event that lacks its blank line."""
        return self._read_lines([self._partial_line.rstrip("\r"), ""])

    def _read_lines(self, lines: list[str]) -> list[str]:
        events = []
        for line in lines:
            if line.startswith("data: "):
                self._data.append(line[6:])
            elif not line:
                if self._data:
                    events.append("\n".join(self._data))
                    self._data = []
            # Some servers omit the space after the colon. Some name the field of a failure
            # `error`, as llama.cpp did for years.
            elif (name := line.partition(":")[0]) in ("data", "error"):
                self._data.append(line[len(name) + 1 :].removeprefix(" "))
        return events
