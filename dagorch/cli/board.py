"""What is known of a run from its events, ready to be shown; how it is shown is `display.py`'s."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Final

from dagorch.models.clean import one_line
from dagorch.models.events import Event, EventType

__all__ = ["ENDS", "Board", "Line", "View"]

_TAIL: Final = 400
"""Characters kept of what a node run writes: more than a line of any terminal."""
_BYTES_PER_TOKEN: Final = 4
_RECENT: Final = 200
"""Lines that ended, kept at hand; more than a terminal is high."""
_STATES: Final = {
    EventType.NODE_READY: "ready",
    EventType.NODE_STARTED: "running",
    EventType.NODE_PARKED: "asking",
    EventType.NODE_COMPLETED: "completed",
    EventType.NODE_FAILED: "failed",
    EventType.NODE_SKIPPED: "skipped",
    EventType.NODE_BLOCKED: "blocked",
    EventType.NODE_CANCELLED: "cancelled",
}
ENDS: Final = frozenset({"completed", "failed", "skipped", "blocked", "cancelled"})


@dataclass(slots=True)
class Line:
    """One node run, as far as events have told."""

    path: str
    kind: str = ""
    state: str = "waiting"
    attempt: int = 0
    started: float | None = None
    """Seconds since the run's start."""
    ended: float | None = None
    tokens: int = 0
    estimated: bool = True
    """The tokens are counted from the text that came, not told by the service."""
    cost_usd: float = 0.0
    tail: str = ""
    """The last of what it writes; then the error, if it failed."""
    written: int = 0
    """Bytes, in all attempts."""
    number: int = 0
    """Its place among the lines."""


@dataclass(frozen=True, slots=True)
class View:
    """A board at one moment."""

    seconds: float
    """Of the latest event, since the run's start."""
    counts: Mapping[str, int]
    """Node runs by state."""
    tokens: int
    cost_usd: float
    lines: Sequence[Line]
    """As many as were asked for, in the order in which they became known."""
    unseen: int
    """Lines beyond those."""


class Board:
    """
    Takes a run's events in one thread and is read in another.

    Args:
        planned: Paths and kinds of the node runs that are known before the run, in order.
    """

    def __init__(self, planned: Iterable[tuple[str, str]] = ()) -> None:
        self._lock = Lock()
        self._lines: dict[str, Line] = {}
        self._counts: Counter[str] = Counter()
        self._active: dict[str, Line] = {}
        self._recent: deque[Line] = deque(maxlen=_RECENT)
        self._tokens = 0
        self._cost = 0.0
        self._seconds = 0.0
        for path, kind in planned:
            self._line(path).kind = kind

    def _line(self, path: str) -> Line:
        line = self._lines.get(path)
        if line is None:
            line = self._lines[path] = Line(path, number=len(self._lines))
            self._counts[line.state] += 1
        return line

    def take(self, event: Event) -> Line | None:
        """Note an event; give the line that it changed. Cheap: it is called on the event loop."""
        with self._lock:
            self._seconds = event.seconds
            if not event.path:
                return None
            line = self._line(event.path)
            before, tokens, cost = line.state, line.tokens, line.cost_usd
            _note(line, event)
            self._tokens += line.tokens - tokens
            self._cost += line.cost_usd - cost
            if line.state != before:
                self._counts[before] -= 1
                self._counts[line.state] += 1
                if line.state in ENDS:
                    self._active.pop(line.path, None)
                    self._recent.append(line)
                else:
                    self._active[line.path] = line
            return line

    def view(self, most: int) -> View:
        """Give what is known now; of many lines those under way, then the latest to end."""
        with self._lock:
            if len(self._lines) <= most:
                chosen = list(self._lines.values())
            else:
                chosen = list(islice(self._active.values(), most))
                chosen += list(islice(reversed(self._recent), most - len(chosen)))
                waiting = (line for line in self._lines.values() if line.state == "waiting")
                chosen += list(islice(waiting, most - len(chosen)))
            lines = [copy(line) for line in chosen]
            counts, unseen = dict(self._counts), len(self._lines) - len(lines)
            seconds, tokens, cost = self._seconds, self._tokens, self._cost
        lines.sort(key=lambda line: line.number)
        for line in lines:
            line.tail = one_line(line.tail)
        return View(seconds, counts, tokens, cost, lines, unseen)


def _note(line: Line, event: Event) -> None:
    """Write into a line what an event says."""
    data = event.data
    kind = event.type
    line.kind = str(data.get("kind", line.kind))
    if kind is EventType.NODE_TOKENS:
        text = str(data.get("text", ""))
        if data.get("instead"):
            line.tail, line.written = "", 0
        line.tail = (line.tail + text)[-_TAIL:]
        line.written += len(text.encode("utf-8", "replace"))
        line.tokens = max(1, line.written // _BYTES_PER_TOKEN)
        return
    line.state = _STATES.get(kind, line.state)
    if kind is EventType.NODE_STARTED:
        line.attempt = event.attempt
        line.tail = ""
        if line.started is None:
            line.started = event.seconds
    elif kind is EventType.ATTEMPT_FAILED:
        line.tail = str(data.get("error", ""))
    elif kind is EventType.NODE_RETRYING:
        line.state = f"in {data.get('delay_seconds', 0.0):.0f} s again"
    elif line.state in ENDS:
        line.ended = event.seconds
        if "input_tokens" in data:
            line.tokens = data["input_tokens"] + data["output_tokens"]
            line.estimated = False
            line.cost_usd = data["cost_usd"]
        line.tail = str(data.get("error", ""))
