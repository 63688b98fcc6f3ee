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
    from dagorch.graph.graph import Graph

__all__ = ["Edge", "resolve"]

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


def resolve(graph: Graph) -> dict[str, list[Edge]]:  # noqa: C901  one pass over the nodes
    """
    Give the edges into each node, in the order of its parameters, then of its `after`.

    An edge of a label is required: a node put behind `branch["yes"]` is not run on another
    label merely because its other inputs are there.
    """
    entries, inputs = graph.entries, graph.inputs
    found: dict[str, list[Edge]] = {}
    for id, entry in entries.items():
        edges: list[Edge] = []
        bindings = entry.bindings
        parameters = entry.node.parameters()
        for spec in parameters:
            name = spec.name
            if bindings is not None and name in bindings:
                source = bindings[name]
                if isinstance(source, Ref):
                    edges.append(
                        Edge(
                            source.id,
                            name,
                            source.labels,
                            spec.required or bool(source.labels),
                            source.id not in inputs,
                        )
                    )
            elif name in inputs:
                edges.append(Edge(name, name, _NO_LABELS, spec.required, False))
            elif name in entries and name != id:
                edges.append(Edge(name, name, _NO_LABELS, spec.required, True))
        if bindings is not None and _takes_any(entry.node):
            named = {spec.name for spec in parameters}
            for name, source in bindings.items():
                if isinstance(source, Ref) and name not in named:
                    edges.append(
                        Edge(source.id, name, source.labels, True, source.id not in inputs)
                    )
        for ref in entry.sources:
            edges.append(Edge(ref.id, None, ref.labels, False, ref.id not in inputs))
        for ref in entry.after:
            if isinstance(ref, Ref):
                edges.append(Edge(ref.id, None, ref.labels, bool(ref.labels), ref.id not in inputs))
            else:
                edges.append(Edge(str(ref), None, _NO_LABELS, False, str(ref) not in inputs))
        found[id] = edges
    return found


def _takes_any(node: Node[Any]) -> bool:
    return type(node) is Function and node.signature.accepts_any_keyword


def constants(graph: Graph, id: str) -> dict[str, Any]:
    """The parameters of a node that are bound to plain values."""
    bindings = graph.entries[id].bindings
    return {k: v for k, v in bindings.items() if not isinstance(v, Ref)} if bindings else {}
