"""Server-sent events out of bytes that are cut anywhere; what an event means is not known here."""

from __future__ import annotations

import codecs
import re
from typing import Final

from dagorch.providers.wire import WireError

__all__ = ["EventLines"]

_MAX_EVENT_CHARS = 4_000_000
"""No single event is that long; a service that sends one without end must not fill the memory."""
_LINE_END: Final = re.compile(r"\r\n|\n|\r(?=.)", re.DOTALL)


class EventLines:
    """
    Gives each event's data.

    Names of events are passed over: all three dialects say in the data what it is.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[str]:
        """
        Take the next bytes and give the data of each event that they complete.

        Raises:
            WireError: An event is too long to be one.
        """
        text = self._rest + self._decoder.decode(chunk)
        # The first is the usual case, and several times as fast.
        lines = text.split("\n") if "\r" not in text else _LINE_END.split(text)
        self._rest = lines.pop()
        events = self._events(lines)
        if len(self._rest) + sum(map(len, self._data)) > _MAX_EVENT_CHARS:
            raise WireError("an event of more than four million characters")
        return events

    def end(self) -> list[str]:
        """Give the data of a last event that lacks its empty line."""
        return self._events([self._rest.rstrip("\r"), ""])

    def _events(self, lines: list[str]) -> list[str]:
        """Take whole lines and give the data of the events that they end."""
        events = []
        for line in lines:
            if line.startswith("data: "):
                self._data.append(line[6:])
            elif not line:
                if self._data:
                    events.append("\n".join(self._data))
                    self._data = []
            # Some servers leave the blank out, and some name a failure's field `error`, as
            # llama.cpp did for years.
            elif (name := line.partition(":")[0]) in ("data", "error"):
                self._data.append(line[len(name) + 1 :].removeprefix(" "))
        return events
