"""
The state of a run, collected from its events: a tree of node runs, and the rows worth showing.

`layout.py` formats the rows. The children of a container are forgotten when they complete, so
neither memory nor the cost of a snapshot grows with the items of a map.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import Final

from dagorch.graph.plan import Plan
from dagorch.ids import NodePath
from dagorch.models.clean import one_line
from dagorch.models.events import NODE_ENDS, Event, EventType
from dagorch.nodes.container import Loop

__all__ = ["ENDS", "Row", "RunView", "Snapshot"]

_MAX_TEXT_CHARACTERS: Final = 400
"""Characters of a node run's output that are kept; wider than any terminal."""
_BYTES_PER_TOKEN: Final = 4
_MAX_ENDED: Final = 200
"""Ended children of one container that are kept; more than a terminal has lines."""
_MAX_RESERVED_FOR_FAILED: Final = 4
"""Rows that show failures even if there are enough running nodes to fill the screen."""
_STATES: Final[dict[EventType, str]] = {
    EventType.NODE_READY: "ready",
    EventType.NODE_STARTED: "running",
    EventType.NODE_PARKED: "asking",
    **NODE_ENDS,
}
ENDS: Final = frozenset(NODE_ENDS.values())
_IDLE: Final = frozenset({"waiting", "ready"})


@dataclass(slots=True, eq=False)
class _NodeRun:
    """One node run, as far as its events say, and its children."""

    label: str
    order: tuple[int, int]
    """The pass or item, then the number in which it became known; unique."""
    parent: _NodeRun | None
    kind: str = ""
    state: str = "waiting"
    attempt: int = 0
    started: float | None = None
    """Seconds since the start of the run."""
    ended: float | None = None
    tokens: int = 0
    estimated: bool = True
    """The tokens are estimated from the text so far; the service has not reported them."""
    cost_usd: float = 0.0
    text: str = ""
    """The end of its output, or the error if it failed."""
    output_bytes: int = 0
    """UTF-8 bytes of output, over all attempts."""
    # Its children by path, so that a snapshot only visits those it shows.
    running: dict[str, _NodeRun] = field(default_factory=dict)
    failed: dict[str, _NodeRun] = field(default_factory=dict)
    """Children that failed or contain a failure."""
    idle: dict[str, _NodeRun] = field(default_factory=dict)
    done: deque[_NodeRun] = field(default_factory=lambda: deque(maxlen=_MAX_ENDED))
    child_count: int = 0
    ended_count: int = 0
    child_tokens: int = 0
    child_cost_usd: float = 0.0
    body_size: int = 0
    """Nodes in the body, if the plan knows them."""
    frame_count: int = 0
    """Passes or items that have started."""
    max_frames: int | None = None

    def progress(self) -> str:
        """Return how far the body is, such as `12/200`; empty without a body."""
        if self.kind == "llm" or not (self.body_size or self.child_count):
            return ""
        if self.kind == "loop":
            passes = f"{self.frame_count:,}"
            return f"{passes}/{self.max_frames:,}" if self.max_frames else passes
        if self.kind == "map":
            items = self.ended_count // max(1, self.body_size)
            return f"{items:,}/{self.max_frames:,}" if self.max_frames is not None else ""
        return f"{self.ended_count:,}/{max(self.body_size, self.child_count):,}"

    def apply(self, event: Event) -> None:
        """Update the fields from an event of this node run."""
        data, type = event.data, event.type
        self.kind = str(data.get("kind", self.kind))
        if type is EventType.NODE_TOKENS:
            text = str(data.get("text", ""))
            if data.get("replaces_text"):
                self.text, self.output_bytes = "", 0
            self.text = (self.text + text)[-_MAX_TEXT_CHARACTERS:]
            self.output_bytes += len(text.encode("utf-8", "replace"))
            self.tokens = max(1, self.output_bytes // _BYTES_PER_TOKEN)
            return
        self.state = _STATES.get(type, self.state)
        if type is EventType.NODE_STARTED:
            if not event.attempt:
                self.state = "open"
            self.attempt = event.attempt
            self.text = ""
            if self.started is None:
                self.started = event.seconds
        elif type is EventType.MAP_OPENED:
            self.max_frames = int(data["items"])
        elif type is EventType.ATTEMPT_FAILED:
            self.text = str(data.get("error", ""))
        elif type is EventType.NODE_RETRYING:
            self.state = f"retry {data.get('delay_seconds', 0.0):.0f} s"
        elif self.state in ENDS:
            self.ended = event.seconds
            if "input_tokens" in data:
                self.tokens = data["input_tokens"] + data["output_tokens"]
                self.estimated = False
                self.cost_usd = data["cost_usd"]
            self.text = str(data.get("error", ""))

    def row(self, depth: int) -> Row:
        return Row(
            depth,
            self.label,
            self.kind,
            self.progress(),
            self.state,
            self.attempt,
            self.started,
            self.ended,
            self.tokens + self.child_tokens,
            self.estimated and not self.child_tokens,
            self.cost_usd + self.child_cost_usd,
            one_line(self.text),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A node run at one moment."""

    depth: int
    label: str
    """The node id, after the number of the item or pass."""
    kind: str
    progress: str
    """How far its body is, such as `12/200`; empty without a body."""
    state: str
    attempt: int
    started: float | None
    ended: float | None
    tokens: int
    estimated: bool
    cost_usd: float
    text: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment."""

    progress: float
    """From 0 to 100."""
    counts: Mapping[str, int]
    """All node runs by state."""
    tokens: int
    cost_usd: float
    rows: Sequence[Row]
    """A container comes before its children."""
    hidden: Mapping[str, int]
    """The nodes of the graph itself that have no row, by state."""


class RunView:
    """
    Applies a run's events in one thread, and is read in another.

    Args:
        plan: The plan of the run.
    """

    def __init__(self, plan: Plan) -> None:
        self._lock = Lock()
        self._root = _NodeRun("", (-1, -1), None)
        self._runs: dict[str, _NodeRun] = {}
        self._known = 0
        self._planned: dict[str, tuple[str, int, int | None]] = {}
        """Kind, body size and most passes, by path without frame numbers."""
        self._counts: Counter[str] = Counter()
        self._root_counts: Counter[str] = Counter()
        """The counts of the graph's own nodes."""
        self._progress = 0.0
        self._tokens = 0
        self._cost_usd = 0.0
        plans = [(plan, "")]
        for inner, prefix in plans:
            for index, node in enumerate(inner.nodes):
                body = inner.bodies.get(index)
                passes = node.max_iterations if isinstance(node, Loop) else None
                size = 0 if body is None else body.size
                self._planned[prefix + node.id] = node.kind.value, size, passes
                if body is not None:
                    plans.append((body, f"{prefix}{node.id}/"))
        for node in plan.nodes:
            self._find_or_add(node.id)

    def _find_or_add(self, name: str) -> _NodeRun:
        run = self._runs.get(name)
        if run is not None:
            return run
        path = NodePath(name)
        container, number, node_id = path.parts
        parent = self._runs.get(container, self._root)
        label = one_line(node_id if number is None else f"[{number}] {node_id}")
        run = _NodeRun(label, (-1 if number is None else number, self._known), parent)
        run.kind, run.body_size, run.max_frames = self._planned.get(path.in_plan, ("", 0, None))
        self._runs[name] = parent.idle[name] = run
        self._known += 1
        parent.child_count += 1
        if number is not None:
            parent.frame_count = max(parent.frame_count, number + 1)
        self._counts["waiting"] += 1
        if parent is self._root:
            self._root_counts["waiting"] += 1
        return run

    def apply(self, event: Event) -> None:
        """Apply an event."""
        with self._lock:
            self._progress = event.progress
            if event.path not in self._runs and event.type not in _STATES:
                return  # of the run itself, or a late bill of a forgotten node run
            run = self._find_or_add(event.path)
            state, tokens, cost_usd = run.state, run.tokens, run.cost_usd
            run.apply(event)
            self._add_usage(run, run.tokens - tokens, run.cost_usd - cost_usd)
            if run.state != state:
                self._change_state(event.path, run, state)

    def _add_usage(self, run: _NodeRun, tokens: int, cost_usd: float) -> None:
        self._tokens += tokens
        self._cost_usd += cost_usd
        container = run.parent
        while container is not None:
            container.child_tokens += tokens
            container.child_cost_usd += cost_usd
            container = container.parent

    def _change_state(self, path: str, run: _NodeRun, old_state: str) -> None:
        parent = run.parent
        assert parent is not None
        is_root_node = parent is self._root
        for counts in (self._counts, self._root_counts) if is_root_node else (self._counts,):
            counts[old_state] -= 1
            counts[run.state] += 1
        parent.running.pop(path, None)
        parent.idle.pop(path, None)
        if run.state not in ENDS:
            (parent.idle if run.state in _IDLE else parent.running)[path] = run
            return
        parent.ended_count += 1
        if run.state == "failed":
            _keep_failure(path, run)
        elif path not in parent.failed and not run.label.startswith("["):
            parent.done.append(run)
        if not is_root_node:
            del self._runs[path]

    def snapshot(self, max_rows: int) -> Snapshot:
        """
        Return the current state, with at most `max_rows` rows.

        Running node runs come first, then failures, each with its containers. Remaining rows
        show the last that completed and the first that wait.

        Cost: proportional to the rows, whatever the size of the run.
        """
        with self._lock:
            runs = self._select(max_rows)
            shown = Counter(run.state for run in runs if run.parent is self._root)
            hidden = {
                state: count - shown[state]
                for state, count in self._root_counts.items()
                if count > shown[state]
            }
            rows = [run.row(depth) for depth, run in _in_tree_order(self._root, runs)]
            counts = {state: count for state, count in self._counts.items() if count}
            return Snapshot(self._progress, counts, self._tokens, self._cost_usd, rows, hidden)

    def _select(self, max_rows: int) -> Collection[_NodeRun]:
        failures = _Selection(min(_MAX_RESERVED_FOR_FAILED, max_rows))
        failures.add_descendants(self._root, lambda run: run.failed.values())
        selection = _Selection(max_rows)
        for run in failures.runs.values():
            selection.add(run)
        selection.add_descendants(self._root, lambda run: run.running.values())
        selection.add_descendants(self._root, lambda run: run.failed.values())
        unfinished = [run for run in selection.runs.values() if run.state not in ENDS]
        for container in [self._root, *unfinished]:
            selection.fill(container)
        return selection.runs.values()


class _Selection:
    """The node runs to show, by order; at most `room`."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.runs: dict[tuple[int, int], _NodeRun] = {}

    def add(self, run: _NodeRun) -> bool:
        """Add a node run; return False if there is no room."""
        if run.order in self.runs:
            return True
        if self.room < 1:
            return False
        self.room -= 1
        self.runs[run.order] = run
        return True

    def add_descendants(
        self, root: _NodeRun, children: Callable[[_NodeRun], Iterable[_NodeRun]]
    ) -> None:
        """Add the children of the root and theirs, level by level."""
        queue = [root]
        for container in queue:
            for run in children(container):
                if not self.add(run):
                    return
                queue.append(run)

    def fill(self, container: _NodeRun) -> None:
        """Add children of one container: the last that ended and the first that wait."""
        done, idle = container.done, container.idle.values()
        for run in islice(idle, max(self.room // 2, self.room - len(done))):
            self.add(run)
        for run in islice(reversed(done), self.room):
            self.add(run)
        for run in islice(idle, self.room + len(self.runs)):
            self.add(run)


def _keep_failure(path: str, run: _NodeRun) -> None:
    """Keep a failed node run and its containers, so that they stay visible."""
    while run.parent is not None and path not in run.parent.failed:
        if len(run.parent.failed) >= _MAX_ENDED:
            return
        run.parent.failed[path] = run
        run, path = run.parent, NodePath(path).container


def _in_tree_order(root: _NodeRun, runs: Collection[_NodeRun]) -> Iterator[tuple[int, _NodeRun]]:
    """Yield the node runs with their depth, each container before its children."""
    children: dict[_NodeRun | None, list[_NodeRun]] = {}
    for run in sorted(runs, key=lambda run: run.order, reverse=True):
        children.setdefault(run.parent, []).append(run)
    stack = [(0, run) for run in children.pop(root, ())]
    while stack:
        depth, run = stack.pop()
        yield depth, run
        stack += [(depth + 1, child) for child in children.get(run, ())]
