"""
Which node feeds which.

Every parameter of every node resolved to its source, by name where none was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dagorch.graph.collection import Collection
from dagorch.models.ref import Ref
from dagorch.nodes.base import Node
from dagorch.nodes.function import Function

if TYPE_CHECKING:
    from dagorch.graph.definition import Definition, Entry
    from dagorch.nodes.signature import ParameterSpec

__all__ = ["UNKNOWN", "CollectionEdges", "Edge", "Wiring", "constants", "resolve"]

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
    item: str = ""
    """The place of the value in a collection, such as `texts[0]`; empty outside collections."""


class CollectionEdges(NamedTuple):
    """The edges of one collection."""

    parameter: str
    collection: Collection
    places: range
    """Of its refs, in their order."""


class Wiring:
    """
    All edges of a graph in columns, grouped by the node they lead into.

    An edge's place is its index in the columns; those into node `i` have the places
    `range(starts[i], starts[i + 1])`. Columns, not a record for each edge: of a big graph,
    records cost more in the cycle collector than in the making.
    """

    __slots__ = (
        "collections", "labels", "parameters", "required", "size", "slot_of", "slots", "sources",
        "starts", "takes",
    )  # fmt: skip

    def __init__(self, graph: Definition) -> None:
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
        self.collections: dict[int, list[CollectionEdges]] = {}
        """By node, of those nodes that have any."""

    def add(self, source: str, parameter: str | None, required: bool) -> None:
        self.sources.append(source)
        self.parameters.append(parameter)
        self.required.append(required)

    def add_ref(self, ref: Ref[Any], parameter: str | None, required: bool) -> None:
        if ref.labels:
            self.labels[len(self.sources)] = ref.labels
        self.add(ref.id, parameter, required)

    def bind(self, parameter: str, source: Any, required: bool) -> None:
        """Add the edges of one binding of the latest node: none for a constant."""
        if isinstance(source, Ref):
            self.add_ref(source, parameter, required or bool(source.labels))
        elif isinstance(source, Collection):
            first = len(self.sources)
            for ref in source.refs:
                self.add_ref(ref, parameter, required or bool(ref.labels))
            edges = CollectionEdges(parameter, source, range(first, len(self.sources)))
            self.collections.setdefault(len(self.takes) - 1, []).append(edges)

    def collected(self, node: int) -> set[int]:
        """Return the places of the edges that lead into a collection of that node."""
        return {place for edges in self.collections.get(node, ()) for place in edges.places}

    def by_node(self) -> dict[str, list[Edge]]:
        """Give the edges as records, by the id of the node they lead into."""
        found: dict[str, list[Edge]] = {}
        items = {
            place: label
            for inside in self.collections.values()
            for parameter, collection, places in inside
            for place, label in zip(places, collection.labels(parameter), strict=True)
        }
        for number, id in zip(range(self.size), self.slot_of, strict=False):
            found[id] = [
                Edge(
                    self.sources[place],
                    self.parameters[place],
                    self.labels.get(place, _NO_LABELS),
                    bool(self.required[place]),
                    self.slots[place] < self.size,
                    items.get(place, ""),
                )
                for place in range(self.starts[number], self.starts[number + 1])
            ]
        return found


def resolve(graph: Definition) -> Wiring:
    """
    Give the edges into each node, in the order of its parameters, then of its `after`.

    An edge of a label is required: a node put behind `branch["yes"]` is not run on another
    label merely because its other inputs are there.
    """
    wiring = Wiring(graph)
    for id, entry in graph.entries.items():
        bindings = entry.bindings
        parameters = entry.node.parameters()
        wiring.takes.append(parameters)
        for spec in parameters:
            name = spec.name
            if bindings is not None and name in bindings:
                wiring.bind(name, bindings[name], spec.required)
            elif graph.binds_by_name(name, id):
                wiring.add(name, name, spec.required)
        if bindings is not None and _takes_any(entry.node):
            named = {spec.name for spec in parameters}
            for name, source in bindings.items():
                if name not in named:
                    wiring.bind(name, source, True)
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
    if not bindings:
        return {}
    return {k: v for k, v in bindings.items() if not isinstance(v, (Ref, Collection))}
