"""Events as text: console lines, JSON lines in a file, server-sent events."""

from __future__ import annotations

import json
import sys
from os import PathLike
from typing import TYPE_CHECKING, TextIO

from dagorch.models.clean import one_line
from dagorch.models.events import Event, EventType
from dagorch.private_files import private_append

if TYPE_CHECKING:
    from dagorch.models.orchestration import StreamEvent

__all__ = ["ConsoleLines", "JsonLines", "to_json", "to_sse"]


def to_json(event: Event | StreamEvent) -> str:
    """
    Write an event as one line of ASCII JSON, without a newline.

    Args:
        event: An engine event, from `on_event` or `stream`, or an orchestrator's event, from its
            `stream_callback`.

    Example:
        >>> to_json(Event(1, 0.0, EventType.RUN_STARTED, "r"))  # doctest: +ELLIPSIS
        '{"number": 1, "seconds": 0.0, "type": "run_started", "run_id": "r", "path": "", ...}'
    """
    if not isinstance(event, Event):
        return json.dumps(event.model_dump(mode="json"))
    return json.dumps(event._asdict() | {"data": dict(event.data)})


def to_sse(event: Event | StreamEvent) -> str:
    r"""
    Write an event as a server-sent event, for the `EventSource` of a web page.

    `event` is the type, and `data` is the JSON. An engine event also has its number as `id`, so
    that a page can resume after its last event.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html

    Example:
        >>> to_sse(Event(1, 0.0, EventType.RUN_STARTED, "r"))  # doctest: +ELLIPSIS
        'id: 1\nevent: run_started\ndata: {"number": 1, ...}\n\n'
    """
    if isinstance(event, Event):
        return f"id: {event.number}\nevent: {event.type}\ndata: {to_json(event)}\n\n"
    return f"event: {event.event_type}\ndata: {to_json(event)}\n\n"


class JsonLines:
    """
    A listener that appends each event to a file, as one line of JSON.

    Every line is written immediately and in full, so that the file survives if the run is killed.

    Args:
        path: The file. An existing file is appended to; only you may read a new one.

    Raises:
        DefinitionError: The file cannot be written.

    Example:
        >>> import os
        >>> with JsonLines(os.devnull) as listener:
        ...     listener(Event(1, 0.0, EventType.RUN_STARTED, "r"))
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._file = private_append(path)

    def __call__(self, event: Event | StreamEvent) -> None:
        self._file.write(to_json(event) + "\n")

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


class ConsoleLines:
    """
    A listener that prints each event except tokens, without control characters.

    Args:
        file: Where to print; None is standard error.

    Example:
        >>> ConsoleLines(sys.stdout)(Event(3, 1.25, EventType.NODE_STARTED, "r", "ask", 1, 12.5))
          1.25 s   12 %  node_started ask
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file

    def __call__(self, event: Event | StreamEvent) -> None:
        if isinstance(event, Event):
            kind, text = event.type, event.path
            if "error" in event.data:
                text += f" ({event.data['error']})"
            time = f"{event.seconds:6.2f} s"
        else:
            kind, text = event.event_type, event.message
            time = f"{event.timestamp:%H:%M:%S}"
        if kind is EventType.NODE_TOKENS:
            return
        progress = "" if event.progress is None else f"{event.progress:.0f} %"
        line = f"{time}  {progress:>5}  {kind} {one_line(text)}".rstrip()
        print(line, file=self._file or sys.stderr, flush=True)
