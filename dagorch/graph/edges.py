"""
Which node feeds which.

Every parameter of every node resolved to its source, by name where none was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dagorch.models.ref import Ref
from dagorch.nodes.base import Node
from dagorch.nodes.function import Function

if TYPE_CHECKING:
    from dagorch.graph.graph import Entry, Graph
    from dagorch.nodes.signature import ParameterSpec

__all__ = ["UNKNOWN", "Edge", "Wiring", "constants", "resolve"]

UNKNOWN = -1
"""The slot of a source that is not in the graph."""

_NO_LABELS: frozenset[str] = frozenset()


class Edge(NamedTuple):
    """One thing that a node depends on."""

    source: str
    """A node's or an input's id; it need not exist, validation says so."""
    parameter: str | None
    """The parameter it feeds; None for order only, or for a merge."""
    labels: frozenset[str]
    """Of a branch: the edge lives if one of them is picked. Empty: if the source completes."""
    required: bool
    """Whether the node is skipped if this edge dies."""
    is_node: bool
    """False where the source is an input of the graph, which is no edge to wait for."""


class Wiring:
    """
    All edges of a graph in columns, grouped by the node they lead into.

    An edge's place is its index in the columns; those into node `i` have the places
    `range(starts[i], starts[i + 1])`. Columns, not a record for each edge: of a big graph,
    records cost more in the cycle collector than in the making.
    """

    __slots__ = (
        "labels", "parameters", "required", "size", "slot_of", "slots", "sources",
        "starts", "takes",
    )  # fmt: skip

    def __init__(self, graph: Graph) -> None:
        self.size = len(graph.entries)
        self.slot_of = {id: number for number, id in enumerate(graph.entries)}
        """The slots of all ids: of nodes in the order added, then of inputs."""
        for number, name in enumerate(graph.inputs, self.size):
            self.slot_of[name] = number
        self.takes: list[tuple[ParameterSpec, ...]] = []
        """Per node, its parameters."""
        self.starts = [0]
        self.sources: list[str] = []
        self.slots: list[int] = []
        """Of the sources; `UNKNOWN` where there is none of that id."""
        self.parameters: list[str | None] = []
        self.required = bytearray()
        self.labels: dict[int, frozenset[str]] = {}
        """By place, of those edges that have any. See `Edge` for the columns."""

    def add(self, source: str, parameter: str | None, required: bool) -> None:
        self.sources.append(source)
        self.parameters.append(parameter)
        self.required.append(required)

    def add_ref(self, ref: Ref[Any], parameter: str | None, required: bool) -> None:
        if ref.labels:
            self.labels[len(self.sources)] = ref.labels
        self.add(ref.id, parameter, required)

    def by_node(self) -> dict[str, list[Edge]]:
        """Give the edges as records, by the id of the node they lead into."""
        found: dict[str, list[Edge]] = {}
        for number, id in zip(range(self.size), self.slot_of, strict=False):
            found[id] = [
                Edge(
                    self.sources[place],
                    self.parameters[place],
                    self.labels.get(place, _NO_LABELS),
                    bool(self.required[place]),
                    self.slots[place] < self.size,
                )
                for place in range(self.starts[number], self.starts[number + 1])
            ]
        return found


def resolve(graph: Graph) -> Wiring:
    """
    Give the edges into each node, in the order of its parameters, then of its `after`.

    An edge of a label is required: a node put behind `branch["yes"]` is not run on another
    label merely because its other inputs are there.
    """
    entries, inputs = graph.entries, graph.inputs
    wiring = Wiring(graph)
    for id, entry in entries.items():
        bindings = entry.bindings
        parameters = entry.node.parameters()
        wiring.takes.append(parameters)
        for spec in parameters:
            name = spec.name
            if bindings is not None and name in bindings:
                source = bindings[name]
                if isinstance(source, Ref):
                    wiring.add_ref(source, name, spec.required or bool(source.labels))
            elif name in inputs or (name in entries and name != id):
                wiring.add(name, name, spec.required)
        if bindings is not None and _takes_any(entry.node):
            named = {spec.name for spec in parameters}
            for name, source in bindings.items():
                if isinstance(source, Ref) and name not in named:
                    wiring.add_ref(source, name, True)
        for ref in entry.sources:
            wiring.add_ref(ref, None, False)
        for other in entry.after:
            if isinstance(other, Ref):
                wiring.add_ref(other, None, bool(other.labels))
            else:
                wiring.add(str(other), None, False)
        wiring.starts.append(len(wiring.sources))
    slot_of = wiring.slot_of
    wiring.slots = [slot_of.get(source, UNKNOWN) for source in wiring.sources]
    return wiring


def _takes_any(node: Node[Any]) -> bool:
    return type(node) is Function and node.signature.accepts_any_keyword


def constants(entry: Entry) -> dict[str, Any]:
    """The parameters of a node that are bound to plain values."""
    bindings = entry.bindings
    return {k: v for k, v in bindings.items() if not isinstance(v, Ref)} if bindings else {}
