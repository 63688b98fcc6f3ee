"""
What is known of a run from its events: a tree of node runs, and what of it is worth a line.

How it is laid out is `layout.py`'s. Node runs inside of bodies are forgotten when they have ended
well, so that neither memory nor a look at the board grows with the items of a map.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Final

from dagorch.graph.plan import Plan
from dagorch.ids import NodePath
from dagorch.models.clean import one_line
from dagorch.models.events import NODE_ENDS, Event, EventType
from dagorch.nodes.container import Loop

__all__ = ["ENDS", "Board", "Row", "View"]

_TAIL: Final = 400
"""Characters kept of what a node run writes: more than a line of any terminal."""
_BYTES_PER_TOKEN: Final = 4
_KEPT: Final = 200
"""Node runs of one body that are kept after their end; more than a terminal is high."""
_MAX_SHOWN_FAILED: Final = 4
"""Rows for what failed that nothing that runs may take."""
_STATES: Final[dict[EventType, str]] = {
    EventType.NODE_READY: "ready",
    EventType.NODE_STARTED: "running",
    EventType.NODE_PARKED: "asking",
    **NODE_ENDS,
}
ENDS: Final = frozenset(NODE_ENDS.values())
_IDLE: Final = frozenset({"waiting", "ready"})


class _Line:
    """One node run, as far as events have told, and those in its body."""

    __slots__ = (
        "attempt", "cost_usd", "done", "ended", "ended_inside", "estimated", "failed", "frames",
        "idle", "inside", "kind", "label", "most", "parent", "place", "running", "size",
        "spent_inside", "started", "state", "tail", "tokens", "tokens_inside", "written",
    )  # fmt: skip

    def __init__(self, label: str, place: tuple[int, int], parent: _Line | None) -> None:
        self.label = label
        self.kind = ""
        self.place = place
        """Its pass or item, then when it became known; unique."""
        self.parent = parent
        self.state = "waiting"
        self.attempt = 0
        self.started: float | None = None
        """Seconds since the run's start."""
        self.ended: float | None = None
        self.tokens = 0
        self.estimated = True
        """The tokens are counted from the text that came, not told by the service."""
        self.cost_usd = 0.0
        self.tail = ""
        """The last of what it writes; then the error, if it failed."""
        self.written = 0
        """Bytes, in all attempts."""
        # Of what is in its body, by path; whatever is not to be shown is never walked.
        self.running: dict[str, _Line] = {}
        self.failed: dict[str, _Line] = {}
        """And whatever has something in it that failed."""
        self.idle: dict[str, _Line] = {}
        self.done: deque[_Line] = deque(maxlen=_KEPT)
        self.inside = 0
        self.ended_inside = 0
        self.tokens_inside = 0
        self.spent_inside = 0.0
        self.size = 0
        """Nodes in its body, where the plan tells."""
        self.frames = 0
        """Passes or items begun."""
        self.most: int | None = None
        """How many of them there will be at most."""


@dataclass(frozen=True, slots=True)
class Row:
    """A node run that is worth a line, at one moment."""

    depth: int
    label: str
    """Its id, with the item or pass in front."""
    kind: str
    count: str
    """How far its body has come, as `12/200`; empty where there is none."""
    state: str
    attempt: int
    started: float | None
    ended: float | None
    tokens: int
    estimated: bool
    cost_usd: float
    tail: str


@dataclass(frozen=True, slots=True)
class View:
    """A board at one moment."""

    progress: float
    """From 0 to 100."""
    counts: Mapping[str, int]
    """Node runs by state, those without a row included."""
    tokens: int
    cost_usd: float
    rows: Sequence[Row]
    """As many as were asked for: each before those in its body."""
    folded: Mapping[str, int]
    """By state, the nodes of the graph itself that have no row."""


class _Chosen:
    """The lines to be shown, by place, and how many more there may be."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.lines: dict[tuple[int, int], _Line] = {}

    def add(self, line: _Line) -> bool:
        """Take a line, unless there is no room for it."""
        if line.place in self.lines:
            return True
        if self.room < 1:
            return False
        self.room -= 1
        self.lines[line.place] = line
        return True

    def descend(self, root: _Line, group: Callable[[_Line], Iterable[_Line]]) -> None:
        """Take what is in a group of the root, then what is in that of each, level by level."""
        queue = [root]
        for around in queue:
            for line in group(around):
                if not self.add(line):
                    return
                queue.append(line)

    def fill(self, around: _Line) -> None:
        """Take of one body the latest of what is done and the first of what waits."""
        done, idle = around.done, around.idle.values()
        for line in islice(idle, max(self.room // 2, self.room - len(done))):
            self.add(line)
        for line in islice(reversed(done), self.room):
            self.add(line)
        for line in islice(idle, self.room + len(self.lines)):
            self.add(line)


class Board:
    """
    Takes a run's events in one thread and is read in another.

    Args:
        plan: What will be run.
    """

    def __init__(self, plan: Plan) -> None:
        self._lock = Lock()
        self._root = _Line("", (-1, -1), None)
        self._lines: dict[str, _Line] = {}
        self._known = 0
        self._planned: dict[str, tuple[str, int, int | None]] = {}
        """By path without numbers: kind, nodes in the body, passes that there may be."""
        self._counts: Counter[str] = Counter()
        self._top: Counter[str] = Counter()
        """The same of the graph's own nodes."""
        self._progress = 0.0
        self._tokens = 0
        self._cost = 0.0
        todo = [(plan, "")]
        for inner, prefix in todo:
            for index, node in enumerate(inner.nodes):
                body = inner.bodies.get(index)
                passes = node.max_iterations if isinstance(node, Loop) else None
                size = 0 if body is None else body.size
                self._planned[prefix + node.id] = node.kind.value, size, passes
                if body is not None:
                    todo.append((body, f"{prefix}{node.id}/"))
        for node in plan.nodes:
            self._line(node.id)

    def _line(self, path: str) -> _Line:
        line = self._lines.get(path)
        if line is not None:
            return line
        run = NodePath(path)
        number = run.frame_number
        parent = self._lines.get(run.container, self._root)
        label = one_line(run.node_id if number is None else f"[{number}] {run.node_id}")
        place = (-1 if number is None else number, self._known)
        line = self._lines[path] = _Line(label, place, parent)
        planned = self._planned.get(run.in_plan, ("", 0, None))
        line.kind, line.size, line.most = planned
        self._known += 1
        parent.inside += 1
        parent.idle[path] = line
        if number is not None:
            parent.frames = max(parent.frames, number + 1)
        self._counts["waiting"] += 1
        if parent is self._root:
            self._top["waiting"] += 1
        return line

    # -- taking -------------------------------------------------------------------------------

    def take(self, event: Event) -> None:
        """Note an event. Cheap: it is called on the event loop."""
        with self._lock:
            self._progress = event.progress
            if event.path not in self._lines and event.type not in _STATES:
                return  # of the run itself, or the bill of something that has ended before
            line = self._line(event.path)
            before, tokens, cost = line.state, line.tokens, line.cost_usd
            _note(line, event)
            self._spend(line, line.tokens - tokens, line.cost_usd - cost)
            if line.state != before:
                self._move(event.path, line, before)

    def _spend(self, line: _Line, tokens: int, cost_usd: float) -> None:
        self._tokens += tokens
        self._cost += cost_usd
        around = line.parent
        while around is not None:
            around.tokens_inside += tokens
            around.spent_inside += cost_usd
            around = around.parent

    def _move(self, path: str, line: _Line, before: str) -> None:
        parent = line.parent
        assert parent is not None
        for counts in (self._counts, self._top) if parent is self._root else (self._counts,):
            counts[before] -= 1
            counts[line.state] += 1
        parent.running.pop(path, None)
        parent.idle.pop(path, None)
        if line.state not in ENDS:
            (parent.idle if line.state in _IDLE else parent.running)[path] = line
            return
        parent.ended_inside += 1
        if line.state == "failed":
            _keep_in_sight(path, line)
        elif path not in parent.failed and not line.label.startswith("["):
            parent.done.append(line)
        if parent is not self._root:
            del self._lines[path]

    # -- looking ------------------------------------------------------------------------------

    def view(self, most: int) -> View:
        """
        Give what is known now, in at most so many rows.

        What runs comes first, and what failed, each with what it is in; if there is room, the
        latest of what is done and the first of what waits.

        Cost: that of the rows, however large the run is.
        """
        with self._lock:
            lines = self._chosen(most)
            shown = Counter(line.state for line in lines if line.parent is self._root)
            folded = {state: n - shown[state] for state, n in self._top.items() if n > shown[state]}
            rows = [_row(depth, line) for depth, line in _in_order(self._root, lines)]
            counts = {state: n for state, n in self._counts.items() if n}
            return View(self._progress, counts, self._tokens, self._cost, rows, folded)

    def _chosen(self, most: int) -> Collection[_Line]:
        few = _Chosen(min(_MAX_SHOWN_FAILED, most))
        few.descend(self._root, lambda line: line.failed.values())
        chosen = _Chosen(most)
        for line in few.lines.values():
            chosen.add(line)
        chosen.descend(self._root, lambda line: line.running.values())
        chosen.descend(self._root, lambda line: line.failed.values())
        under_way = [line for line in chosen.lines.values() if line.state not in ENDS]
        for around in [self._root, *under_way]:
            chosen.fill(around)
        return chosen.lines.values()


def _keep_in_sight(path: str, line: _Line) -> None:
    """Keep what failed, with all that it is in."""
    while line.parent is not None and path not in line.parent.failed:
        if len(line.parent.failed) >= _KEPT:
            return
        line.parent.failed[path] = line
        line, path = line.parent, NodePath(path).container


def _in_order(root: _Line, lines: Collection[_Line]) -> Iterator[tuple[int, _Line]]:
    """Give lines with how deep each is: each before those in its body, by their places."""
    inside: dict[_Line | None, list[_Line]] = {}
    for line in sorted(lines, key=lambda line: line.place, reverse=True):
        inside.setdefault(line.parent, []).append(line)
    stack = [(0, line) for line in inside.pop(root, ())]
    while stack:
        depth, line = stack.pop()
        yield depth, line
        stack += [(depth + 1, child) for child in inside.get(line, ())]


def _count(line: _Line) -> str:
    if line.kind == "llm" or not (line.size or line.inside):
        return ""
    if line.kind == "loop":
        return f"{line.frames:,}/{line.most:,}" if line.most else f"{line.frames:,}"
    if line.kind == "map":
        done = line.ended_inside // max(1, line.size)
        return f"{done:,}/{line.most:,}" if line.most is not None else ""
    return f"{line.ended_inside:,}/{max(line.size, line.inside):,}"


def _row(depth: int, line: _Line) -> Row:
    return Row(
        depth,
        line.label,
        line.kind,
        _count(line),
        line.state,
        line.attempt,
        line.started,
        line.ended,
        line.tokens + line.tokens_inside,
        line.estimated and not line.tokens_inside,
        line.cost_usd + line.spent_inside,
        one_line(line.tail),
    )


def _note(line: _Line, event: Event) -> None:
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
        if not event.attempt:
            line.state = "open"
        line.attempt = event.attempt
        line.tail = ""
        if line.started is None:
            line.started = event.seconds
    elif kind is EventType.MAP_OPENED:
        line.most = int(data["items"])
    elif kind is EventType.ATTEMPT_FAILED:
        line.tail = str(data.get("error", ""))
    elif kind is EventType.NODE_RETRYING:
        line.state = f"retry {data.get('delay_seconds', 0.0):.0f} s"
    elif line.state in ENDS:
        line.ended = event.seconds
        if "input_tokens" in data:
            line.tokens = data["input_tokens"] + data["output_tokens"]
            line.estimated = False
            line.cost_usd = data["cost_usd"]
        line.tail = str(data.get("error", ""))
