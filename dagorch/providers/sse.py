"""Server-sent events out of bytes that are cut anywhere; what an event means is not known here."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from dagorch.providers.wire import WireError

__all__ = ["EventLines"]

_MOST_EVENT_CHARS = 4_000_000
"""No single event is that long; a service that sends one without end must not fill the memory."""


class EventLines:
    """
    Gives each event's data.

    Names of events are passed over: all three dialects say in the data what it is.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[str]:
        """
        Take the next bytes and give the data of each event that they complete.

        Raises:
            WireError: An event is too long to be one.
        """
        self._rest += self._decoder.decode(chunk)
        *lines, self._rest = re.split(r"\r\n|\n|\r(?=.)", self._rest, flags=re.DOTALL)
        for line in lines:
            yield from self._line(line)
        if len(self._rest) + sum(map(len, self._data)) > _MOST_EVENT_CHARS:
            raise WireError("an event of more than four million characters")

    def end(self) -> Iterator[str]:
        """Give the data of a last event that lacks its empty line."""
        yield from self._line(self._rest.rstrip("\r"))
        yield from self._line("")

    def _line(self, line: str) -> Iterator[str]:
        if not line:
            if self._data:
                yield "\n".join(self._data)
            self._data = []
        # Some servers name a failure's field `error`, as llama.cpp did for years.
        elif (name := line.partition(":")[0]) in ("data", "error"):
            self._data.append(line[len(name) + 1 :].removeprefix(" "))
