"""What the reference keeps: node runs, edges, frames as plain objects. Its rules are elsewhere."""

from __future__ import annotations

from typing import Any

from tests.property.spec import GraphSpec, NodeSpec, Place


class Edge:
    """One dependency; its state is computed at each access."""

    def __init__(
        self, place: Place, target: Run, role: str, parameter: str, required: bool
    ) -> None:
        self.source_id, self.labels = place
        self.target = target
        self.role = role
        """`data`, `order`, `end` or `join`."""
        self.parameter = parameter
        self.required = required or role == "order" or (bool(self.labels) and role != "join")
        self.closed = False
        self.source: Run = target

    @property
    def state(self) -> str:
        source = self.source
        if source.end is None:
            return "pending"
        if self.role == "end":
            return "live"
        if source.end == "completed":
            return "live" if not self.labels or set(self.labels) & set(source.picked) else "dead"
        return "dead" if source.end == "skipped" else "broken"


class Run:
    """One node run."""

    def __init__(self, frame: Frame, spec: NodeSpec, index: int) -> None:
        self.frame = frame
        self.spec = spec
        self.index = index
        self.path = frame.prefix + spec.id
        self.state = "pending"
        self.end: str | None = None
        self.ended = 0.0
        self.order = 0
        """The position of this end among all ends."""
        self.value: Any = None
        self.error: BaseException | None = None
        self.picked: tuple[str, ...] = ()
        self.inputs: dict[str, Any] = {}
        self.edges: list[Edge] = []
        self.out: list[Edge] = []
        """The edges out of it, those of other nodes' `after_end` included."""
        self.failures = 0
        self.deadline: float | None = None
        self.ticket = 0
        """Increases whenever everything scheduled for this node run becomes void."""
        self.attempt: Attempt | None = None
        self.box: Box | None = None
        self.abandoned = False
        self.unwanted_since: float | None = None
        """When it was cancelled; it may take a while to end."""

    @property
    def needed_by(self) -> list[Edge]:
        return [edge for edge in self.out if edge.role != "end"]


class Attempt:
    """One try: it holds a slot until it has ended."""

    def __init__(self, number: int, started: float) -> None:
        self.number = number
        self.started = started
        self.cancelling = False
        self.cause: BaseException | None = None
        self.last = False
        self.ticket = 0


class Box:
    """What an open node run waits for: frames, one after another or several at once."""

    def __init__(
        self, body: GraphSpec, inputs: dict[str, Any], kind: str, recovering: BaseException | None
    ) -> None:
        self.body = body
        self.inputs = inputs
        self.kind = kind
        self.recovering = recovering
        self.frames: list[Frame] = []
        self.stopping = False
        self.error: BaseException | None = None
        self.passes: list[Any] = []
        self.items: list[Any] = []
        self.next_item = 0
        self.results: dict[int, Any] = {}


class Frame:
    """One activation of a graph."""

    def __init__(
        self, spec: GraphSpec, prefix: str, inputs: dict[str, Any], owner: Run | None, label: int
    ) -> None:
        self.spec = spec
        self.prefix = prefix
        self.inputs = {**spec.inputs, **inputs}
        self.owner = owner
        self.label = label
        self.stopping = False
        self.cleaning = False
        """Whether nodes with `after_end` run although it stops."""
        self.error: BaseException | None = None
        self.closed = False
        self.instants: set[float] = set()
        """When something here was asked to stop; at these times, before and after are the same."""
        self.runs = {node.id: Run(self, node, place) for place, node in enumerate(spec.nodes)}
        for run in self.runs.values():
            node = run.spec
            run.edges = [
                Edge(p.source, run, "data", param.name, param.required)
                for param in node.params
                for p in param.parts()
                if p.source is not None and p.source[0] in self.runs
            ]
            run.edges += [Edge(place, run, "join", "", False) for place in node.sources]
            run.edges += [Edge(place, run, "order", "", True) for place in node.after]
            run.edges += [Edge((id, ()), run, "end", "", False) for id in node.after_end]
            for edge in run.edges:
                edge.source = self.runs[edge.source_id]
                edge.source.out.append(edge)
        sinks = [id for id, run in self.runs.items() if not run.needed_by]
        self.outputs = spec.outputs or sinks
        self.protected = {*sinks, *spec.outputs, *(n.id for n in spec.nodes if n.keep)}
        if owner is None:
            self.priority, self.tail = 0, 0.0
        else:
            self.priority = (
                owner.frame.priority if owner.spec.priority is None else owner.spec.priority
            )
            self.tail = owner.frame.tail + length(owner) - weight(owner.spec)

    def stops(self, run: Run) -> bool:
        return self.stopping and not (self.cleaning and bool(run.spec.after_end))


def weight(spec: NodeSpec) -> float:
    """Estimated seconds of a node: one, or the longest path through its body."""
    if spec.kind not in ("loop", "map", "subgraph"):
        return 1.0
    assert spec.body is not None
    bare = Frame(spec.body, "", {}, None, 0)
    return max((length(run) for run in bare.runs.values()), default=0.0)


def length(run: Run) -> float:
    """The longest path from here to the end of the frame, this node included."""
    return weight(run.spec) + max((length(edge.target) for edge in run.out), default=0.0)
