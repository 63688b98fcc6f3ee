"""
Frames: one activation of a plan, its node runs as flat arrays.

What moves them is in `core.py` and beside it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from dagorch.graph.plan import Plan
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.scheduler.deadlines import Due
from dagorch.scheduler.states import State

if TYPE_CHECKING:
    from dagorch.scheduler.commands import Evaluate, Prepared, StartAttempt

__all__ = ["FREED", "MISSING", "Closed", "Container", "Facts", "Frame", "Group"]

FREED: Final = type("Freed", (), {"__slots__": (), "__repr__": lambda _: "FREED"})()
"""What stands for a value that was let go after its last reader."""
MISSING: Final = type("Missing", (), {"__slots__": (), "__repr__": lambda _: "MISSING"})()
"""The value of a node run that has none."""
_COMPLETED: Final = int(State.COMPLETED)


class Facts:
    """What is remembered of the few node runs that did more than start once and complete."""

    __slots__ = (
        "bills",
        "due",
        "error",
        "failures",
        "model",
        "model_failures",
        "picked",
        "prepared",
        "recovered_from",
        "retries",
        "usage",
    )

    def __init__(self) -> None:
        self.failures = 0
        """Attempts that failed."""
        self.model = 0
        """Which model is asked: 0 the node's own, then its fallback models."""
        self.model_failures = 0
        """Attempts that failed with that model."""
        self.retries: list[str] = []
        """A line for each, for the story."""
        self.usage: Usage = NOTHING_USED
        """The sum of its bills."""
        self.bills: list[tuple[int, int, Usage]] = []
        """Of each exchange the attempt, the number of the model in `RunState.models`, the usage."""
        self.error: BaseException | None = None
        """Why it failed, or why its last attempt did."""
        self.recovered_from: BaseException | None = None
        self.picked: tuple[str, ...] = ()
        """Of a branch: its labels."""
        self.prepared: Prepared | None = None
        self.due: Due | None = None
        """Its own deadline."""


class Group:
    """The closed frames of one plan under a node run."""

    __slots__ = ("converged", "given", "history", "indexed", "left", "plan", "records")

    def __init__(self, plan: Plan, indexed: bool) -> None:
        self.plan = plan
        self.indexed = indexed
        """Whether their addresses carry a number: `refine[2]/...`."""
        self.records: list[Closed | None] = []
        """By label; None where a frame of a higher one closed first."""
        self.history: tuple[Any, ...] | None = None
        """Of a loop that completed: the state after each pass."""
        self.converged = False
        self.left: dict[int, dict[int, Any]] | None = None
        """Of frames that broke, by label: the values of what had completed, by index."""
        self.given: Sequence[Any] = ()
        """Of a loop or map that did not complete, by label: what its frames had given."""

    def leave(self, frame: Frame) -> None:
        """Keep what had completed in a frame that gives nothing itself."""
        values = frame.completed
        if values:
            if self.left is None:
                self.left = {}
            self.left[frame.label or 0] = values

    def keep(self, label: int | None, record: Closed) -> None:
        """Keep the record of a frame that has closed."""
        place = label or 0
        while len(self.records) <= place:
            self.records.append(None)
        self.records[place] = record

    def kept(self) -> Iterator[tuple[str, Closed]]:
        """Each record, and the number that its address carries, in brackets or empty."""
        for label, record in enumerate(self.records):
            if record is not None:
                yield self.number(label), record

    def number(self, label: int) -> str:
        """What the address of that frame carries, in brackets or empty."""
        return f"[{label}]" if self.indexed else ""


Closed = bytes | tuple[Any, ...]
"""
A closed frame: packed states and times.

Where there is more, a tuple of these, the facts by node or None, and each group, laid out flat.
"""


class Container:
    """An open node run: the frames under it, and how far its loop or map has come."""

    __slots__ = (
        "body", "converged", "frames", "group", "history", "inputs", "items", "iteration", "limit",
        "next_item", "recovering", "results", "stop_error", "stopping",
    )  # fmt: skip

    def __init__(self, body: Plan | None, inputs: dict[str, Any], indexed: bool) -> None:
        self.body = body
        self.inputs = inputs
        self.frames: dict[int, Frame] = {}
        self.group = Group(body, indexed) if body is not None else None
        self.stopping = False
        """Its frames were told to stop; it ends when the last has."""
        self.stop_error: BaseException | None = None
        """It then fails with this; None: it is cancelled."""
        self.recovering: BaseException | None = None
        """Its frame is a fallback for this error."""
        self.iteration = 0
        self.history: list[Any] = []
        self.converged = False
        self.items: Any = ()
        self.next_item = 0
        self.limit = 0
        self.results: list[Any] = []

    def leave(self) -> None:
        """Keep what its frames gave, since it will not complete with it."""
        if self.group is not None:
            self.group.given = self.results or self.history


class Frame:
    """One activation of a plan inside a run."""

    __slots__ = (
        "_prefix",
        "arrived",
        "children",
        "closed_edges",
        "containers",
        "detour",
        "ended",
        "facts",
        "label",
        "marks",
        "minus_priority",
        "open_out",
        "parent",
        "parent_index",
        "pending",
        "plan",
        "priority", "readers",
        "running",
        "serial",
        "state",
        "stop_error",
        "stopping",
        "tail",
        "tickets",
        "times",
        "unended",
        "values",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        serial: int,
        inputs: list[Any],
        parent: Frame | None,
        parent_index: int,
        label: int | None,
        tail: float,
        priority: int,
    ) -> None:
        size = plan.size
        self.plan = plan
        self.serial = serial
        self.parent = parent
        self.parent_index = parent_index
        self.label = label
        self.tail = tail
        self.priority = priority
        self.minus_priority = -priority
        self.values: list[Any] = [MISSING] * size + inputs
        self.state = bytearray(size)
        self.pending = plan.in_degree.copy()
        self.times = array("d", (-1.0,)) * (3 * size)
        """Ready, first start, end: three a node run, in seconds of the run's clock; -1 is never."""
        self.unended = size
        self.ended = False
        self.stopping = False
        self.detour = False
        """
        Whether its steps go the long way.

        It stops, edges are closed, values are let go, or somebody listens.
        """
        self.stop_error: BaseException | None = None
        self.marks: dict[int, list[int]] = {}
        """Per target with an edge that is not live: dead, dead and required, broken."""
        self.arrived: dict[int, list[int]] = {}
        """Per quorum merge, the edges that came alive, as they came."""
        self.running: dict[int, StartAttempt] = {}
        self.tickets: dict[int, Evaluate] = {}
        self.containers: dict[int, Container] = {}
        self.facts: dict[int, Facts] = {}
        self.children: dict[int, list[Group]] = {}
        self.closed_edges: set[int] | None = None
        self.open_out: list[int] | None = None
        self.readers: list[int] | None = None
        """Per value, how many node runs will still read it; None if values are kept."""
        self._prefix: str | None = None

    @property
    def completed(self) -> dict[int, Any]:
        """The values of its node runs that have completed, where they were not let go."""
        return {
            index: self.values[index]
            for index, state in enumerate(self.state)
            if state == _COMPLETED and self.values[index] is not FREED
        }

    @property
    def prefix(self) -> str:
        """What comes before a node's id in its address."""
        if self._prefix is None:
            parts: list[str] = []
            frame: Frame = self
            while frame.parent is not None:
                if frame._prefix is not None:
                    parts.append(frame._prefix)
                    break
                number = "" if frame.label is None else f"[{frame.label}]"
                parts.append(f"{frame.parent.plan.nodes[frame.parent_index].id}{number}/")
                frame = frame.parent
            self._prefix = "".join(reversed(parts))
        return self._prefix

    def path_of(self, index: int) -> str:
        """The address of a node run in this frame."""
        return self.prefix + self.plan.nodes[index].id

    def count_readers(self) -> None:
        """Begin to let values go: count for each slot the node runs that will read it."""
        plan = self.plan
        self.detour = True
        self.readers = [0] * len(self.values)
        for index in range(plan.size):
            for slot in plan.slots_read(index):
                self.readers[slot] += 1
        for index in plan.outputs:
            self.readers[index] += 1  # whoever gets the frame's value

    def let_go(self, index: int) -> None:
        """Free what an ended node run was the last to read, and its own value if nobody will."""
        readers = self.readers
        assert readers is not None
        for slot in self.plan.slots_read(index):
            readers[slot] -= 1
            if not readers[slot] and self.values[slot] is not MISSING:
                self.values[slot] = FREED
        if not readers[index] and self.values[index] is not MISSING:
            self.values[index] = FREED

    def fact(self, index: int) -> Facts:
        """The facts of a node run, made when first needed."""
        found = self.facts.get(index)
        if found is None:
            found = self.facts[index] = Facts()
        return found

    def inputs_of(self, index: int) -> dict[str, Any]:
        """The values a node takes, by parameter; one whose source died is left to its default."""
        values = self.values
        plan = self.plan
        inputs = {
            name: value
            for name, slot in plan.binders[index]
            if (value := values[slot]) is not MISSING
        }
        if index in plan.constants:
            inputs.update(plan.constants[index])
        if index in plan.collections:
            for parameter, slots, collection in plan.collections[index]:
                found = [values[slot] for slot in slots]
                if not any(value is MISSING for value in found):
                    inputs[parameter] = collection.fill(found)
        return inputs
