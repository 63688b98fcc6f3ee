"""
A graph as a `networkx.DiGraph`, and a graph made from one.

networkx is imported when a conversion is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagorch.errors import DefinitionError, Problem
from dagorch.graph.collection import Collection, collect, refs_in
from dagorch.graph.compiler import compile_graph
from dagorch.graph.definition import NO_DEFAULT, Definition, Entry, Input
from dagorch.graph.edges import resolve_edges
from dagorch.models.ref import Ref
from dagorch.nodes.base import Node
from dagorch.nodes.function import Function

if TYPE_CHECKING:
    import networkx

__all__ = ["from_networkx", "to_networkx"]

_PLACE = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


def to_networkx(graph: Definition) -> networkx.DiGraph[str]:
    """
    Return a graph as a frozen `networkx.DiGraph`, from which `from_networkx` makes an equal graph.

    Inputs of the graph are not nodes. All edges between two nodes are one edge.

    - A node has `node`, `kind`, and what it is bound to: `bindings`, `after` and `sources` as in
      `Entry`, with the bindings by name too.
    - An edge has `bindings`, the parameters it feeds, such as `("text", "texts[0]")`, and
      `labels`. An edge without bindings carries order, or is joined by a merge.
    - The graph has `name`, `inputs` and `outputs`.

    Cost: O(V + E).
    """
    import networkx

    converted: networkx.DiGraph[str] = networkx.DiGraph(
        name=graph.name,
        inputs=dict(graph.inputs),
        outputs=tuple(ref.id for ref in graph.outputs),
    )
    for id, entry in graph.entries.items():
        converted.add_node(
            id,
            node=entry.node,
            kind=entry.node.kind.value,
            bindings=_bindings(graph, id, entry),
            after=entry.after,
            sources=entry.sources,
        )
    for id, edges in resolve_edges(graph).by_node().items():
        bindings: dict[str, list[str]] = {}
        labels: dict[str, frozenset[str]] = {}
        for edge in edges:
            if edge.is_node:
                names = bindings.setdefault(edge.source, [])
                if edge.parameter is not None:
                    names.append(edge.item or edge.parameter)
                labels[edge.source] = labels.get(edge.source, frozenset()) | edge.labels
        for source, names in bindings.items():
            converted.add_edge(source, id, bindings=tuple(names), labels=labels[source])
    return networkx.freeze(converted)


def _bindings(graph: Definition, id: str, entry: Entry) -> dict[str, Any]:
    bindings = dict(entry.bindings or {})
    for spec in entry.node.parameters():
        if spec.name not in bindings and graph.binds_by_name(spec.name, id):
            bindings[spec.name] = Ref(graph, spec.name)
    return bindings


def from_networkx(graph: Definition, source: Any) -> None:
    """
    Add the inputs, nodes, edges and outputs of a `networkx.DiGraph` to an empty graph.

    See `Graph.from_networkx` for the attributes that are read.
    """
    if not getattr(source, "is_directed", lambda: False)():
        raise DefinitionError(f"{source!r:.60} is not a directed networkx graph")
    problems: list[Problem] = []
    for name, spec in source.graph.get("inputs", {}).items():
        declared = spec if isinstance(spec, Input) else Input(name, spec, NO_DEFAULT)
        graph.input(name, declared.annotation, declared.default)
    for id in source:
        _Reader(graph, source, id, problems).add()
    if problems:
        raise DefinitionError(problems, subject=f"graph {graph.name!r}")
    graph.output(*(Ref(graph, id) for id in source.graph.get("outputs", ())))
    compile_graph(graph)


class _Reader:
    """Adds one node of a networkx graph: what its own attributes bind, then what its edges do."""

    def __init__(self, graph: Definition, source: Any, id: Any, problems: list[Problem]) -> None:
        self.graph = graph
        self.source = source
        self.id = id
        self.problems = problems
        self.facts: Mapping[str, Any] = source.nodes[id]

    def add(self) -> None:
        node = self.facts.get("node")
        if callable(node) and not isinstance(node, Node):
            node = Function(self.id, node)
        if not isinstance(node, Node):
            self._problem(
                f"has no attribute 'node': set nodes[{self.id!r}]['node'] to a node or a function"
            )
            return
        if node.id != self.id:
            self._problem(f"has a node of another id, {node.id!r}; the two must be equal")
            return
        own = Entry(
            node,
            {name: collect(value) for name, value in self.facts.get("bindings", {}).items()},
            tuple(self.facts.get("after", ())),
            tuple(self.facts.get("sources", ())),
            "",
            0,
        )
        named = set(own.sources_named())
        for other in sorted(named & set(self.source) - set(self.source.pred[self.id])):
            self._problem(f"is bound to {other!r}, but there is no edge from it")
        bindings, after = self._read_edges(own, named)
        self.graph.insert(node, bindings, after, tuple(map(self._moved, own.sources)))

    def _read_edges(self, own: Entry, named: set[str]) -> tuple[dict[str, Any], list[Any]]:
        """Return the bindings and the order: those of the node's attributes, then of its edges."""
        bound = own.bindings or {}
        ids = {name: {ref.id for ref in refs_in(value)} for name, value in bound.items()}
        bindings = {name: self._moved(value) for name, value in bound.items()}
        after = [self._moved(other) for other in own.after]
        places: dict[str, dict[tuple[str, ...], Ref[Any]]] = {}
        for other, _, facts in self.source.in_edges(self.id, data=True):
            names = facts.get("bindings", ())
            names = (names,) if isinstance(names, str) else tuple(names)
            ref: Ref[Any] = Ref(self.graph, other, frozenset(facts.get("labels", ())))
            for name in names:
                found = _PLACE.fullmatch(name)
                if found is None:
                    self._problem(f"has an edge with the binding {name!r}; write 'texts[0]'")
                    continue
                parameter, keys = found[1], tuple(re.findall(r"\[(.*?)\]", found[2]))
                if parameter not in ids:
                    places.setdefault(parameter, {})[keys] = ref
                elif other not in ids[parameter]:
                    self._problem(f"binds {parameter!r} twice: in its attribute and by an edge")
            if not names and other not in named:
                after.append(ref)
        for parameter, refs in places.items():
            bindings[parameter] = self._assembled(parameter, refs)
        return bindings, after

    def _assembled(self, place: str, refs: dict[tuple[str, ...], Ref[Any]]) -> Any:
        """Put the refs of a parameter together: one ref, or a list or dict of them."""
        if () in refs:
            if len(refs) > 1:
                self._problem(f"binds {place!r} as a whole and in parts")
            return refs[()]
        parts: dict[str, dict[tuple[str, ...], Ref[Any]]] = {}
        for (key, *rest), ref in refs.items():
            parts.setdefault(key, {})[tuple(rest)] = ref
        items = {key: self._assembled(f"{place}[{key}]", inner) for key, inner in parts.items()}
        if not all(key.isdecimal() for key in items):
            return items
        if {int(key) for key in items} != set(range(len(items))):
            self._problem(f"has gaps in {place!r}: its edges bind {', '.join(sorted(items))}")
        return [items[key] for key in sorted(items, key=int)]

    def _moved(self, value: Any) -> Any:
        """Return the value with its refs made refs of the new graph."""
        if isinstance(value, Ref):
            return Ref(self.graph, value.id, value.labels)
        return value.map(self._moved) if isinstance(value, Collection) else value

    def _problem(self, text: str) -> None:
        self.problems.append(Problem(f"node {self.id!r} {text}", str(self.id)))
