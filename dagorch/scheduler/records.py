"""
Records: frames, attempts, evaluations, calls and timers, as the core keeps them.

They hold data and answer questions about it; decisions are made elsewhere. The types refer to each
other (a frame knows its running attempts, an attempt its frame), so they share one file.

Who may write to a frame:

        core.py, fast_path.py   states, times, values, running attempts, `pending`
    core.py                 evaluations, node details, containers, `stopping`, `needs_slow_path`
    edges.py                counts of edges: `pending`, `edge_counts`, `closed_edges`, ...
    containers.py           containers, and the groups of closed frames
    attempts.py             running attempts (rivals), node details (failures)
    records.py              a frame's own methods: readers, and the values that they release

Nothing outside the scheduler writes to a frame.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum, StrEnum, auto
from typing import Any, Final, NamedTuple

from dagorch.errors import BudgetExceededError, ItemError
from dagorch.graph.plan import Plan
from dagorch.models.limits import NO_DEMAND, Demand
from dagorch.models.llm import LLMResponse
from dagorch.models.usage import NO_AMOUNT, NOTHING_USED, Amount, Usage
from dagorch.scheduler.resource_queues import Permit, Resource
from dagorch.scheduler.states import State

__all__ = [
    "MISSING", "NO_SERVICE_MODEL", "RELEASED", "Call", "ClosedFrame", "Container", "EdgeCounts",
    "Evaluate", "Frame", "FrameGroup", "ModelChoice", "NodeDetails", "Prepared", "Purpose",
    "ServiceModel", "StartAttempt", "Timer", "TimerKind",
]  # fmt: skip

RELEASED: Final = type("Released", (), {"__slots__": (), "__repr__": lambda _: "RELEASED"})()
"""Replaces a value that was released after its last reader had ended."""
MISSING: Final = type("Missing", (), {"__slots__": (), "__repr__": lambda _: "MISSING"})()
"""The value of a node run that has none."""
_COMPLETED: Final = int(State.COMPLETED)

ServiceModel = tuple[str, str]
"""The names of a service and of its model."""
NO_SERVICE_MODEL: ServiceModel = ("", "")


# -- exchanges and attempts -------------------------------------------------------------------


class Prepared:
    """
    An exchange that is ready to be sent.

    Args:
        request: What to send. Only the runner reads it.
        provider: Answers the request. Only the runner reads it.
        resource: What the exchange holds; None holds nothing.
        worst: The most that it can use up, as far as there are ceilings.
        demand: What it takes of the service's rates.
        source: Who is paid.
        cheaper: The same exchange with a cheaper model, used before a ceiling stops the run.
        shorter: The same exchange with ever shorter replies, for a smaller share of the budget.
        is_shortened: Whether it is such a version.
    """

    __slots__ = (
        "cheaper", "demand", "is_shortened", "provider", "request", "resource", "shorter",
        "source", "worst",
    )  # fmt: skip

    def __init__(
        self,
        request: Any,
        provider: Any,
        resource: Resource | None,
        worst: Amount = NO_AMOUNT,
        demand: Demand = NO_DEMAND,
        source: ServiceModel = NO_SERVICE_MODEL,
        cheaper: Prepared | None = None,
        shorter: tuple[Prepared, ...] = (),
        *,
        is_shortened: bool = False,
    ) -> None:
        self.request = request
        self.provider = provider
        self.resource = resource
        self.worst = worst
        self.demand = demand
        self.source = source
        self.cheaper = cheaper
        self.shorter = shorter
        self.is_shortened = is_shortened

    @property
    def least(self) -> Prepared:
        """The version that may cost least."""
        return self.shorter[-1] if self.shorter else self


class StartAttempt:
    """
    One attempt of a node run, and the command to start it; its end is reported with this object.

    One is made per attempt on the slow path; `fast_path.py` reuses its own. It has no `__slots__`,
    so that defaults stand on the class and cost nothing.
    """

    number: int = 1
    model: int = 0
    """The model to ask: 0 is the node's own, then come its fallback models."""
    prepared: Prepared | None = None
    resources: tuple[Resource, ...] = ()
    permit: Permit | None = None
    """What it holds of the resources."""
    reserved: Amount | None = None
    set_aside: Amount = NO_AMOUNT
    """The amount that was set aside for it; its node run gets the unused part back."""
    cancelling: bool = False
    stop_error: BaseException | None = None
    """Why it was asked to stop, if that is a failure (a timeout); None if it was cancelled."""
    timer: Timer | None = None
    """Its deadline."""
    sent_at: float = 0.0
    """When its exchange was sent at the earliest, if it makes one."""
    response: LLMResponse | str | None = None
    """The response, or the error text; None until the exchange ends, or if it was cancelled."""
    is_final: bool = False
    """Whether no other attempt may follow: the node run's own deadline has passed."""
    hedge_timer: Timer | None = None
    """Fires when the attempt has taken long enough to be hedged."""
    hedge_after_seconds: float = 0.0
    is_hedge: bool = False
    rival: StartAttempt | None = None
    """The other of two attempts at the same answer, while both run."""
    winning_value: Any = MISSING
    """The value of the rival that succeeded first; it counts once this attempt has ended."""
    emits_text: bool = False
    """Whether listeners have received its text."""
    suppressed_text: str = ""
    """Its text so far, while listeners receive its rival's."""
    keeps_slot: bool = False
    """Whether it keeps its slot when it ends: its thread goes on, until `ThreadEnded`."""
    worker: Any = None
    """The cancel scope it runs in. Only the runner uses it."""

    def __init__(self, frame: Frame, index: int, inputs: Mapping[str, Any]) -> None:
        self.frame = frame
        self.index = index
        self.inputs = inputs

    @property
    def is_running(self) -> bool:
        running = self.frame.running.get(self.index)
        return running is self or (running is not None and running.rival is self)

    @property
    def path(self) -> str:
        return self.frame.path_of(self.index)

    def __repr__(self) -> str:
        return f"StartAttempt({self.path!r}, {self.number})"


class Call:
    """
    A call that a function node makes through its provider.

    Args:
        attempt: The attempt that makes the call.
        prepared: The exchange; once granted, the one to send.
        wait: False refuses a call that cannot go ahead at once: its caller blocks the event loop.
    """

    __slots__ = (
        "attempt", "on_answer", "permit", "prepared", "reserved", "response", "sent_at",
        "set_aside", "wait",
    )  # fmt: skip

    def __init__(self, attempt: StartAttempt, prepared: Prepared, *, wait: bool) -> None:
        self.attempt = attempt
        self.prepared = prepared
        self.wait = wait
        self.permit: Permit | None = None
        """What it holds, once granted."""
        self.reserved: Amount | None = None
        """What is reserved for it; None until it is granted."""
        self.set_aside: Amount = NO_AMOUNT
        """The amount that was set aside for it; its node run gets the unused part back."""
        self.sent_at = 0.0
        self.response: LLMResponse | str | None = None
        """The response, or the error text; None until the call ends, or if it was cancelled."""
        self.on_answer: Any = None
        """Called when a waiting call is granted or refused. Only the runner uses it."""

    @property
    def path(self) -> str:
        return self.attempt.path


class Purpose(StrEnum):
    """What the core needs an evaluation for."""

    PREPARE = "prepare"
    """Build an LLM node's request."""
    SELECT = "select"
    """Pick a branch's labels."""
    REDUCE = "reduce"
    """Fold a merge's values."""
    UNTIL = "until"
    """Decide whether a loop is done."""
    ITEMS = "items"
    """Make a list of a map's input."""
    QUESTION = "question"
    """Render the question for a person."""


class ModelChoice(NamedTuple):
    """The model that a request is prepared for: 0 is the node's own, then its fallback models."""

    model: int
    last_error: BaseException | None
    """Why the attempt before failed with that model; None for the first."""


class Evaluate:
    """
    The command to call a short sync function of the user's; its end is reported with this object.

    Args:
        frame: Where the node run is.
        index: Its node.
        purpose: What the value is for.
        function: What to call; None if the purpose says it.
        inputs: The node's inputs by parameter (SELECT, PREPARE and QUESTION).
        argument: What to pass instead: a `ModelChoice` for PREPARE, the function's one argument
            for the others.
    """

    __slots__ = ("argument", "frame", "function", "index", "inputs", "purpose")

    def __init__(
        self,
        frame: Frame,
        index: int,
        purpose: Purpose,
        function: Callable[..., Any] | None,
        inputs: Mapping[str, Any],
        argument: Any = None,
    ) -> None:
        self.frame = frame
        self.index = index
        self.purpose = purpose
        self.function = function
        self.inputs = inputs
        self.argument = argument

    @property
    def path(self) -> str:
        return self.frame.path_of(self.index)

    def __repr__(self) -> str:
        return f"Evaluate({self.path!r}, {self.purpose.value!r})"


# -- timers -----------------------------------------------------------------------------------


class TimerKind(Enum):
    """What a timer is for."""

    ATTEMPT = auto()
    """The deadline of an attempt."""
    NODE = auto()
    """The deadline of a node run."""
    RUN = auto()
    """The deadline of the run."""
    RETRY = auto()
    """The end of the delay before the next attempt."""
    ADMISSION = auto()
    """When to ask again for a resource that only lacks time."""
    HEDGE = auto()
    """When an attempt has taken long enough to be hedged."""


class Timer:
    """Something that happens at a time, unless it is dropped before."""

    __slots__ = ("attempt", "dropped", "failures", "frame", "index", "kind", "when")

    def __init__(
        self,
        when: float,
        kind: TimerKind,
        frame: Frame,
        index: int = 0,
        attempt: StartAttempt | None = None,
        failures: int = 0,
    ) -> None:
        self.when = when
        self.kind = kind
        self.frame = frame
        self.index = index
        self.attempt = attempt
        """Of ATTEMPT and HEDGE."""
        self.failures = failures
        """Of RETRY: the failures before it, so that a timer of an earlier delay does nothing."""
        self.dropped = False


# -- frames -----------------------------------------------------------------------------------


class NodeDetails:
    """What is kept of the few node runs that did more than start once and complete."""

    __slots__ = (
        "bills", "error", "failures", "model", "model_failures", "picked_labels",
        "prepared", "question", "recovered_from", "set_aside", "story_lines", "timer", "usage",
        "was_cut_short",
    )  # fmt: skip

    def __init__(self) -> None:
        self.failures = 0
        """Attempts that failed."""
        self.was_cut_short = False
        """Whether a last attempt was cancelled."""
        self.model = 0
        """The model to ask: 0 is the node's own, then come its fallback models."""
        self.model_failures = 0
        """Attempts that failed with that model."""
        self.story_lines: list[str] = []
        """A line per failure and hedge, for the story."""
        self.usage: Usage = NOTHING_USED
        """The sum of its bills."""
        self.bills: list[tuple[int, int, Usage]] = []
        """Per exchange: the attempt, the number of the model in `Core.models`, and the usage."""
        self.error: BaseException | None = None
        """The error of the node run or its last attempt; of a skipped one, the budget's refusal."""
        self.recovered_from: BaseException | None = None
        self.picked_labels: tuple[str, ...] = ()
        self.question = ""
        """Of an ask node: the question, once it is asked."""
        self.prepared: Prepared | None = None
        self.set_aside: Amount = NO_AMOUNT
        """The amount set aside for its next attempt; see `Policy.reserve`."""
        self.timer: Timer | None = None
        """Its own deadline."""

    @property
    def refusal(self) -> BudgetExceededError | None:
        """The budget's refusal for which the node run was skipped, if any."""
        return self.error if isinstance(self.error, BudgetExceededError) else None


class EdgeCounts:
    """The edges into one node run that are resolved, other than by counting down."""

    __slots__ = ("broken", "dead", "live", "required_dead")

    def __init__(self) -> None:
        self.dead = 0
        self.required_dead = 0
        """Those of the dead edges that are required."""
        self.broken = 0
        self.live: list[int] = []
        """Of a merge, the edges that came alive, in that order."""


ClosedFrame = bytes | tuple[Any, ...]
"""A frame that has closed, packed by `closed_frames.py`."""


class FrameGroup:
    """The closed frames of one plan under a node run."""

    __slots__ = (
        "converged", "frames", "history", "item_errors", "plan", "results", "suffix", "values",
    )  # fmt: skip

    def __init__(self, plan: Plan, suffix: str | None) -> None:
        self.plan = plan
        self.suffix = suffix
        """The part of their paths after the node's id; None: a number, as in `refine[2]/...`."""
        self.frames: list[ClosedFrame | None] = []
        """By label; None while a frame with a higher label has closed first."""
        self.history: tuple[Any, ...] | None = None
        """Of a loop that completed: the state after each pass."""
        self.converged = False
        self.values: dict[int, dict[int, Any]] | None = None
        """Of frames that gave no value, by label: the values that had completed, by node."""
        self.item_errors: dict[int, ItemError] | None = None
        """Of a map that continued without items that failed: why, by label."""
        self.results: Sequence[Any] = ()
        """Of a loop or map that did not complete, by label: the values of its frames."""

    def keep(self, label: int | None, closed: ClosedFrame) -> None:
        """Keep a frame that has closed."""
        position = label or 0
        while len(self.frames) <= position:
            self.frames.append(None)
        self.frames[position] = closed

    def keep_values(self, frame: Frame) -> None:
        """Keep the values that had completed in a frame that gives no value itself."""
        values = frame.completed_values
        if values:
            self.values = self.values or {}
            self.values[frame.label or 0] = values

    def frames_with_suffix(self) -> Iterator[tuple[str, ClosedFrame]]:
        """Yield each closed frame with its suffix."""
        for label, closed in enumerate(self.frames):
            if closed is not None:
                yield self.suffix_of(label), closed

    def suffix_of(self, label: int | None) -> str:
        """Return the part of a frame's path after the node's id: `[2]`, `[fallback]` or empty."""
        return f"[{label}]" if self.suffix is None else self.suffix


class Container:
    """An open node run: the frames under it, and how far its loop or map has come."""

    __slots__ = (
        "body", "frames", "group", "history", "inputs", "items", "iteration", "max_open",
        "next_item", "over_budget", "parameter", "recovering", "results", "stop_error", "stopping",
    )  # fmt: skip

    def __init__(self, body: Plan, inputs: dict[str, Any], suffix: str | None) -> None:
        self.body = body
        self.inputs = inputs
        self.frames: dict[int, Frame] = {}
        """Its open frames, by serial."""
        self.group = FrameGroup(body, suffix)
        self.stopping = False
        """Whether its frames are being stopped; it ends when the last one has closed."""
        self.stop_error: BaseException | None = None
        """What it then fails with; None: it is cancelled."""
        self.recovering: BaseException | None = None
        """The error that its frame, a fallback, recovers from."""
        self.over_budget: BudgetExceededError | None = None
        """The budget's refusal for which the output of one of its frames was skipped, if any."""
        self.parameter = ""
        """The body's input that a loop's state or a map's item is bound to."""
        self.iteration = 0
        """Of a loop: passes that have ended."""
        self.history: list[Any] = []
        """Of a loop: the state after each pass."""
        self.items: Sequence[Any] = ()
        """Of a map."""
        self.next_item = 0
        """Of a map: the first item that is not opened."""
        self.max_open = 0
        """Of a map: how many items may be open at once."""
        self.results: list[Any] = []
        """Of a map: the value of each item, or `MISSING`."""

    @property
    def unopened_node_runs(self) -> int:
        """The node runs of a map's items that are not opened yet."""
        return (len(self.items) - self.next_item) * self.body.size

    def keep_results(self) -> None:
        """Keep the values of its frames, since it will not complete with them."""
        self.group.results = self.results or self.history


class Frame:
    """One activation of a plan inside a run; its node runs are flat arrays."""

    __slots__ = (
        "_prefix", "cleaning", "closed_edges", "closed_frames", "containers", "control_counts",
        "edge_counts", "evaluations", "group", "label", "minus_priority", "needs_slow_path",
        "node_details", "open_out_edges", "parent", "parent_index", "pending", "plan", "priority",
        "readers", "running", "serial", "state", "stop_error", "stopping", "tail", "times",
        "unended", "values",
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
        self.group = None if parent is None else parent.containers[parent_index].group
        """The closed frames that it will be one of."""
        self.tail = tail
        """The longest path that follows the container, in estimated seconds."""
        self.priority = priority
        self.minus_priority = -priority
        self.values: list[Any] = [MISSING] * size + inputs
        self.state = bytearray(size)
        self.times = array("d", (-1.0,)) * (3 * size)
        """Ready, first start, end: three a node run, in seconds of the run's clock; -1 is never."""
        self.unended = size
        self.stopping = False
        self.cleaning = False
        """Whether it stops because a node failed, and first runs the plan's `cleanups`."""
        self.stop_error: BaseException | None = None
        self.needs_slow_path = False
        """Set when it stops, edges are closed, values are released, or there is a listener."""
        self.running: dict[int, StartAttempt] = {}
        self.evaluations: dict[int, Evaluate] = {}
        """The evaluation that a node run waits for."""
        self.containers: dict[int, Container] = {}
        self.closed_frames: dict[int, list[FrameGroup]] = {}
        self.node_details: dict[int, NodeDetails] = {}
        self.pending = plan.in_degree.copy()
        """Per node run, how many edges into it are unresolved."""
        self.edge_counts: dict[int, EdgeCounts] = {}
        """Of node runs with an edge that is dead or broken, and of merges."""
        self.control_counts: dict[int, EdgeCounts] = {}
        """Of merges with an `after`: the edges that carry order only, counted apart."""
        self.closed_edges: set[int] | None = None
        """Edges that their target no longer needs."""
        self.open_out_edges: list[int] | None = None
        """Per node run, how many edges out of it are not closed."""
        self.readers: list[int] | None = None
        """Per value, how many node runs will still read it; None if values are kept."""
        self._prefix: str | None = None

    def is_stopping(self, index: int) -> bool:
        """Return whether a node run may not start any more, since its frame stops."""
        return self.stopping and not (self.cleaning and index in self.plan.cleanups)

    @property
    def completed_values(self) -> dict[int, Any]:
        """The values of the node runs that have completed, without released ones."""
        return {
            index: self.values[index]
            for index, state in enumerate(self.state)
            if state == _COMPLETED and self.values[index] is not RELEASED
        }

    @property
    def prefix(self) -> str:
        """What precedes a node's id in its path."""
        if self._prefix is None:
            parts: list[str] = []
            frame: Frame = self
            while frame.parent is not None:
                if frame._prefix is not None:
                    parts.append(frame._prefix)
                    break
                assert frame.group is not None
                suffix = frame.group.suffix_of(frame.label)
                parts.append(f"{frame.parent.plan.nodes[frame.parent_index].id}{suffix}/")
                frame = frame.parent
            self._prefix = "".join(reversed(parts))
        return self._prefix

    def path_of(self, index: int) -> str:
        """Return the path of a node run in this frame."""
        return self.prefix + self.plan.nodes[index].id

    def details(self, index: int) -> NodeDetails:
        """Return the details of a node run, made on first use."""
        found = self.node_details.get(index)
        if found is None:
            found = self.node_details[index] = NodeDetails()
        return found

    def inputs_of(self, index: int) -> dict[str, Any]:
        """
        Return a node's inputs by parameter, without those whose source has no value.

        A collection needs all of its values.
        """
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

    def count_readers(self) -> None:
        """Count the readers of each value, so that each is released after its last one."""
        plan = self.plan
        self.needs_slow_path = True
        self.readers = [0] * len(self.values)
        for index in range(plan.size):
            for slot in plan.slots_read(index):
                self.readers[slot] += 1
        for index in plan.outputs:
            self.readers[index] += 1  # read once more when the frame closes

    def release_inputs(self, index: int) -> None:
        """Release what an ended node run was the last to read, and its own value if unread."""
        readers = self.readers
        assert readers is not None
        for slot in self.plan.slots_read(index):
            readers[slot] -= 1
            if not readers[slot] and self.values[slot] is not MISSING:
                self.values[slot] = RELEASED
        if not readers[index] and self.values[index] is not MISSING:
            self.values[index] = RELEASED
