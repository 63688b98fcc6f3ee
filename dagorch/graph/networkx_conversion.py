"""
A graph as a `networkx.DiGraph`, and a graph made from one.

networkx is imported when a conversion is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagorch.errors import DefinitionError, Problem
from dagorch.graph.collection import MAX_DEPTH, Collection, collect, refs_in
from dagorch.graph.compiler import compile_graph
from dagorch.graph.definition import NO_DEFAULT, Definition, Entry, Input
from dagorch.graph.edges import resolve_edges
from dagorch.graph.plan import EdgeRule
from dagorch.models.ref import Ref
from dagorch.nodes.base import Node
from dagorch.nodes.function import Function

if TYPE_CHECKING:
    import networkx

__all__ = ["from_networkx", "to_networkx"]

_PLACE = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_KEY = re.compile(r"\[([^\]]*)\]")


def to_networkx(graph: Definition) -> networkx.DiGraph[str]:
    """
    Return a graph as a frozen `networkx.DiGraph`, from which `from_networkx` makes an equal graph.

    Inputs of the graph are not nodes. All edges between two nodes are one edge.

    - A node has `node`, `kind`, and what it is bound to: `bindings`, `after`, `after_end` and
      `sources` as in `Entry`, with the bindings by name too.
    - An edge has `bindings`, the parameters it feeds, such as `("text", "texts[0]")`, and
      `labels`. An edge without bindings carries order, or is joined by a merge. If it only waits
      for the end of its source, `any_end` is true.
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
            after_end=entry.after_end,
            sources=entry.sources,
        )
    for id, edges in resolve_edges(graph).by_node().items():
        bindings: dict[str, list[str]] = {}
        labels: dict[str, frozenset[str]] = {}
        needed: set[str] = set()
        for edge in edges:
            if edge.is_node:
                if edge.rule is not EdgeRule.ANY_END:
                    needed.add(edge.source)
                names = bindings.setdefault(edge.source, [])
                if edge.parameter is not None:
                    names.append(edge.item or edge.parameter)
                labels[edge.source] = labels.get(edge.source, frozenset()) | edge.labels
        for source, names in bindings.items():
            converted.add_edge(
                source,
                id,
                bindings=tuple(names),
                labels=labels[source],
                any_end=source not in needed,
            )
    return networkx.freeze(converted)


def _bindings(graph: Definition, id: str, entry: Entry) -> dict[str, Any]:
    bindings = dict(entry.bindings or {})
    for spec in entry.node.parameters():
        if spec.name not in bindings and graph.binds_by_name(spec.name, id):
            bindings[spec.name] = Ref(graph, spec.name)
    return bindings


def from_networkx(graph: Definition, source: Any) -> None:
    """
    Add the name, inputs, nodes, edges and outputs of a `networkx.DiGraph` to an empty graph.

    See `Graph.from_networkx` for the attributes that are read.

    Cost: O(V + E).
    """
    import networkx

    if not isinstance(source, networkx.DiGraph):
        raise DefinitionError(f"{source!r:.60} is not a directed networkx graph")
    name = source.graph.get("name") or graph.name
    inputs = source.graph.get("inputs", {})
    outputs = _elements(source.graph.get("outputs", ()), str)
    wrong: list[str] = []
    if not isinstance(name, str):
        wrong.append(_wrong("name", name, "a string"))
    if not isinstance(inputs, Mapping):
        wrong.append(_wrong("inputs", inputs, "a dict of annotations by name"))
    if outputs is None:
        wrong.append(_wrong("outputs", source.graph["outputs"], "a list of ids"))
    if wrong:
        raise DefinitionError([Problem(f"the graph {text}") for text in wrong])
    graph.name = name
    problems: list[Problem] = []
    for name, spec in inputs.items():
        declared = spec if isinstance(spec, Input) else Input(name, spec, NO_DEFAULT)
        graph.input(name, declared.annotation, declared.default)
    for id in source:
        _Reader(graph, source, id, problems).add()
    if problems:
        raise DefinitionError(problems, subject=f"graph {graph.name!r}")
    graph.output(*(Ref(graph, id) for id in outputs or ()))
    compile_graph(graph)


def _elements(value: Any, *kinds: type) -> tuple[Any, ...] | None:
    """Return the elements of a value, or a single element; None if one is not of the kinds."""
    if isinstance(value, kinds):
        return (value,)
    found = tuple(value) if isinstance(value, Iterable) else (value,)
    return found if all(isinstance(element, kinds) for element in found) else None


def _wrong(name: str, value: Any, wanted: str) -> str:
    return f"has the attribute {name}={value!r:.60}, which is not {wanted}"


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
            self._bindings(),
            self._read(self.facts, "after", "a list of ids and refs", str, Ref),
            self._read(self.facts, "after_end", "a list of ids and refs", str, Ref),
            self._read(self.facts, "sources", "a list of refs", Ref),
            "",
            0,
        )
        before = self.source.pred[self.id]
        for other in dict.fromkeys(own.sources_named()):
            if other in self.source and other not in before:
                self._problem(f"is bound to {other!r}, but there is no edge from it")
        bindings, after, after_end = self._read_edges(own)
        sources = tuple(map(self._moved, own.sources))
        self.graph.insert(node, bindings, after, after_end, sources)

    def _bindings(self) -> dict[str, Any]:
        """Return what the node's attribute binds."""
        bindings = self.facts.get("bindings", {})
        if not isinstance(bindings, Mapping) or not all(isinstance(name, str) for name in bindings):
            self._problem(_wrong("bindings", bindings, "a dict by parameter"))
            return {}
        found: dict[str, Any] = {}
        for name, value in bindings.items():
            try:
                found[name] = collect(value)
            except DefinitionError as error:
                self._problem(f"has a wrong input {name!r}: {error}")
        return found

    def _read(
        self, facts: Mapping[str, Any], name: str, wanted: str, *kinds: type
    ) -> tuple[Any, ...]:
        """Return the elements of an attribute of the node, or of an edge into it."""
        found = _elements(facts.get(name, ()), *kinds)
        if found is None:
            self._problem(_wrong(name, facts[name], wanted))
        return found or ()

    def _read_edges(self, own: Entry) -> tuple[dict[str, Any], list[Any], list[Any]]:
        """Return the bindings and the order: those of the node's attributes, then of its edges."""
        bound = own.bindings or {}
        labels = _labels_by_source(own)
        feeds = _sources_by_place(bound)
        bindings = {name: self._moved(value) for name, value in bound.items()}
        after = [self._ordered(other) for other in own.after]
        after_end = [self._ordered(other) for other in own.after_end]
        places: dict[str, dict[tuple[str, ...], Ref[Any]]] = {}
        for other, _, facts in self.source.in_edges(self.id, data=True):
            names = self._read(facts, "bindings", "a list of parameters", str)
            chosen = frozenset(self._read(facts, "labels", "a list of labels", str))
            ref: Ref[Any] = Ref(self.graph, other, chosen)
            if "labels" in facts and chosen != labels.get(other, chosen):
                self._problem(
                    f"has an edge from {other!r} with the labels {sorted(chosen)}, but its "
                    f"attributes have {sorted(labels[other])}; make them equal"
                )
            for name in names:
                if other not in feeds.get(name, ()):
                    self._place(name, ref, bound, places)
            if not names and other not in labels:
                (after_end if facts.get("any_end") else after).append(ref)
        for parameter, refs in places.items():
            bindings[parameter] = self._assembled(parameter, refs)
        return bindings, after, after_end

    def _place(
        self,
        name: str,
        ref: Ref[Any],
        bound: Mapping[str, Any],
        places: dict[str, dict[tuple[str, ...], Ref[Any]]],
    ) -> None:
        """Add a ref to `places` by its parameter, and by the keys in the collection there."""
        found = _PLACE.fullmatch(name)
        if found is None:
            self._problem(f"has an edge with the binding {name!r:.60}; write 'texts[0]'")
            return
        parameter, keys = found[1], tuple(_KEY.findall(found[2]))
        if parameter in bound:
            self._problem(f"binds {parameter!r} twice: in its attribute and by an edge")
            return
        refs = places.setdefault(parameter, {})
        if keys in refs:
            self._problem(f"binds {name!r} twice: from {refs[keys].id!r} and from {ref.id!r}")
        elif len(keys) > MAX_DEPTH:
            self._problem(f"nests {parameter!r} more than {MAX_DEPTH} deep")
        else:
            refs[keys] = ref

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
        indices = [str(index) for index in range(len(items))]
        if set(items) != set(indices):
            shown = ", ".join(sorted(items))
            self._problem(f"has gaps in {place!r}: its edges bind {shown:.60}")
            return []
        return [items[index] for index in indices]

    def _ordered(self, other: Any) -> Ref[Any]:
        """Return the ref of what a node comes after, which is an id or a ref."""
        return Ref(self.graph, other) if isinstance(other, str) else self._moved(other)

    def _moved(self, value: Any) -> Any:
        """Return the value with its refs made refs of the new graph."""
        if isinstance(value, Ref):
            return Ref(self.graph, value.id, value.labels)
        return value.map(self._moved) if isinstance(value, Collection) else value

    def _problem(self, text: str) -> None:
        self.problems.append(Problem(f"node {self.id!r} {text}", str(self.id)))


def _labels_by_source(entry: Entry) -> dict[str, frozenset[str]]:
    """Return the labels of all refs to each node that an entry names."""
    found: dict[str, frozenset[str]] = {}
    bound = (ref for value in (entry.bindings or {}).values() for ref in refs_in(value))
    for other in (*bound, *entry.after, *entry.after_end, *entry.sources):
        id, labels = (other.id, other.labels) if isinstance(other, Ref) else (other, frozenset())
        found[id] = found.get(id, frozenset()) | labels
    return found


def _sources_by_place(bindings: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return what feeds each place, spelled as `to_networkx` spells the bindings of its edges."""
    found: dict[str, set[str]] = {}
    for name, value in bindings.items():
        labels = value.labels(name) if isinstance(value, Collection) else [name]
        for place, ref in zip(labels, refs_in(value), strict=False):
            found.setdefault(place, set()).add(ref.id)
    return found
