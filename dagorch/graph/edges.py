"""
The edges of a graph: every parameter of every node resolved to its source.

A parameter without a binding is resolved by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dagorch.graph.collection import Collection
from dagorch.graph.plan import EdgeRule
from dagorch.models.ref import Ref
from dagorch.nodes.base import Node
from dagorch.nodes.function import Function

if TYPE_CHECKING:
    from dagorch.graph.definition import Definition, Entry
    from dagorch.nodes.signature import ParameterSpec

__all__ = ["UNKNOWN", "CollectionEdges", "Edge", "EdgeTable", "constants", "resolve_edges"]

UNKNOWN = -1
"""The slot of a source that is not in the graph."""

_NO_LABELS: frozenset[str] = frozenset()


class Edge(NamedTuple):
    """A dependency of a node."""

    source: str
    """The id of a node or an input; validation reports ids that do not exist."""
    parameter: str | None
    """The parameter it feeds; None if it carries order only, or leads into a merge."""
    labels: frozenset[str]
    """The labels of a branch on which the edge is live; empty: live if the source completes."""
    rule: EdgeRule
    is_node: bool
    """Whether the source is a node; a node does not wait for an input of the graph."""
    item: str = ""
    """The place of the value in a collection, such as `texts[0]`; empty outside collections."""


class CollectionEdges(NamedTuple):
    """The edges of one collection."""

    parameter: str
    collection: Collection
    places: range
    """The places of its refs, in their order."""


class EdgeTable:
    """
    All edges of a graph in columns, grouped by the node they lead into.

    An edge's place is its index in the columns. The edges into node `i` have the places
    `range(starts[i], starts[i + 1])`. There is no record per edge: in a big graph, the cycle
    collector would spend more time on the records than it takes to make them.
    """

    __slots__ = (
        "collections", "labels", "parameters", "parameters_of", "rules", "size", "slot_of",
        "slots", "sources", "starts",
    )  # fmt: skip

    def __init__(self, graph: Definition) -> None:
        self.size = len(graph.entries)
        self.slot_of = {id: number for number, id in enumerate(graph.entries)}
        """The slot of each id: nodes in the order added, then inputs."""
        for number, name in enumerate(graph.inputs, self.size):
            self.slot_of[name] = number
        self.parameters_of: list[tuple[ParameterSpec, ...]] = []
        """Per node, its parameters."""
        self.starts = [0]
        self.sources: list[str] = []
        self.slots: list[int] = []
        """The slots of the sources; `UNKNOWN` for an id that is not in the graph."""
        self.parameters: list[str | None] = []
        self.rules = bytearray()
        """Of type `EdgeRule`."""
        self.labels: dict[int, frozenset[str]] = {}
        """By place, for edges with labels. See `Edge` for the columns."""
        self.collections: dict[int, list[CollectionEdges]] = {}
        """By node, for nodes that take collections."""

    def add(self, source: Any, parameter: str | None, rule: int) -> None:
        """Add an edge from a ref or an id into the latest node."""
        if isinstance(source, Ref):
            if source.labels:
                self.labels[len(self.sources)] = source.labels
            source = source.id
        self.sources.append(source if isinstance(source, str) else str(source))
        self.parameters.append(parameter)
        self.rules.append(rule)

    def bind(self, parameter: str, source: Any, required: bool) -> None:
        """Add the edges of one binding of the latest node: none for a constant."""
        if isinstance(source, Ref):
            self.add(source, parameter, required or bool(source.labels))
        elif isinstance(source, Collection):
            first = len(self.sources)
            for ref in source.refs:
                self.add(ref, parameter, required or bool(ref.labels))
            edges = CollectionEdges(parameter, source, range(first, len(self.sources)))
            self.collections.setdefault(len(self.parameters_of) - 1, []).append(edges)

    def collected(self, node: int) -> set[int]:
        """Return the places of the edges that lead into a collection of that node."""
        return {place for edges in self.collections.get(node, ()) for place in edges.places}

    def by_node(self) -> dict[str, list[Edge]]:
        """Return the edges as records, by the id of the node they lead into."""
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
                    EdgeRule(self.rules[place]),
                    self.slots[place] < self.size,
                    items.get(place, ""),
                )
                for place in range(self.starts[number], self.starts[number + 1])
            ]
        return found


def resolve_edges(graph: Definition) -> EdgeTable:
    """
    Return the edges into each node: of its parameters, its `after`, then its `after_end`.

    An edge that carries order only is required, and so is one from a label: a node behind
    `branch["yes"]` does not run on another label because its other inputs are available. The
    edges that a merge joins are optional.

    Cost: O(V + E).
    """
    table = EdgeTable(graph)
    for id, entry in graph.entries.items():
        bindings = entry.bindings
        parameters = entry.node.parameters()
        table.parameters_of.append(parameters)
        for spec in parameters:
            name = spec.name
            if bindings is not None and name in bindings:
                table.bind(name, bindings[name], spec.required)
            elif graph.binds_by_name(name, id):
                table.add(name, name, spec.required)
        if bindings is not None and _accepts_any_keyword(entry.node):
            named = {spec.name for spec in parameters}
            for name, source in bindings.items():
                if name not in named:
                    table.bind(name, source, True)
        for ref in entry.sources:
            table.add(ref, None, EdgeRule.OPTIONAL)
        for other in entry.after:
            table.add(other, None, EdgeRule.REQUIRED)
        for other in entry.after_end:
            table.add(other, None, EdgeRule.ANY_END)
        table.starts.append(len(table.sources))
    slot_of = table.slot_of
    table.slots = [slot_of.get(source, UNKNOWN) for source in table.sources]
    return table


def _accepts_any_keyword(node: Node[Any]) -> bool:
    return type(node) is Function and node.signature.accepts_any_keyword


def constants(entry: Entry) -> dict[str, Any]:
    """Return the parameters of a node that are bound to constants."""
    bindings = entry.bindings
    if not bindings:
        return {}
    return {k: v for k, v in bindings.items() if not isinstance(v, (Ref, Collection))}
