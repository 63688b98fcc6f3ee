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
        self._begun = False
        self._partial_line: list[str] = []
        """In pieces, because joining it for each of a million small chunks would take hours."""
        self._partial_size = 0
        self._data: list[str] = []
        self._data_size = 0

    def feed(self, chunk: bytes) -> list[str]:
        """
        Decode the next bytes and return the data of each event that they complete.

        Raises:
            WireError: An event exceeds four million characters.
        """
        text = self._decoder.decode(chunk)
        if not self._begun and text:
            self._begun = True
            text = text.removeprefix("\ufeff")  # a byte order mark, which the standard allows
        if self._partial_line:
            is_complete = "\n" in text or "\r" in text or self._partial_line[-1].endswith("\r")
            self._partial_line.append(text)
            if not is_complete:
                self._partial_size += len(text)
                self._check_size()
                return []
            text = "".join(self._partial_line)
        # The first case is the usual one, and several times as fast.
        lines = text.split("\n") if "\r" not in text else _LINE_END.split(text)
        rest = lines.pop()
        self._partial_line, self._partial_size = [rest] if rest else [], len(rest)
        events = self._read_lines(lines)
        self._check_size()
        return events

    def flush(self) -> list[str]:
        """Return the data of a last event that lacks its blank line."""
        return self._read_lines(["".join(self._partial_line).rstrip("\r"), ""])

    def _check_size(self) -> None:
        if self._partial_size + self._data_size > _MAX_EVENT_CHARS:
            raise WireError("an event of more than four million characters")

    def _read_lines(self, lines: list[str]) -> list[str]:
        events = []
        for line in lines:
            if line.startswith("data: "):
                self._data.append(line[6:])
                self._data_size += len(line)
            elif not line:
                if self._data:
                    events.append("\n".join(self._data))
                    self._data = []
                    self._data_size = 0
            # Some servers omit the space after the colon. Some name the field of a failure
            # `error`, as llama.cpp did for years.
            elif (name := line.partition(":")[0]) in ("data", "error"):
                self._data.append(line[len(name) + 1 :].removeprefix(" "))
                self._data_size += len(line)
        return events
