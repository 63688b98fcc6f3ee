"""
The checks of a graph, apart from cycles: they report every problem at once.

Each problem has its node, the line that added the node, and the nearest right name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from inspect import CO_ASYNC_GENERATOR
from types import GenericAlias, UnionType
from typing import TYPE_CHECKING, Any, get_origin

from dagorch.errors import DefinitionError, Problem, did_you_mean
from dagorch.graph.collection import Collection
from dagorch.models.policy import DEFAULT_POLICY
from dagorch.models.ref import Ref
from dagorch.models.unawaited import unawaited
from dagorch.nodes.ask import Ask
from dagorch.nodes.base import ATTEMPTING_KINDS, Kind, Node
from dagorch.nodes.branch import Branch
from dagorch.nodes.conditions import pick
from dagorch.nodes.container import Loop, Map, items_problem
from dagorch.nodes.fields import field_type, get_field
from dagorch.nodes.function import Function, context_parameter
from dagorch.nodes.llm import LLM
from dagorch.nodes.merge import Merge
from dagorch.nodes.reducers import joined_kind
from dagorch.nodes.signature import signature_of
from dagorch.nodes.types import can_flow, type_name

if TYPE_CHECKING:
    from dagorch.graph.definition import Definition, Entry
    from dagorch.graph.edges import EdgeTable
    from dagorch.nodes.signature import ParameterSpec

__all__ = ["MAX_PROBLEMS", "check", "cycle_problem"]

MAX_PROBLEMS = 50
"""Problems that are reported of one graph; each of them searches for the nearest name."""
_IDLE_OPTIONS = {
    Kind.BRANCH: ("timeout_seconds", "priority"),
    Kind.MERGE: ("timeout_seconds", "priority"),
    Kind.ASK: ("priority",),
}
"""Options of a policy that have no effect on nodes of a kind."""


def check(
    graph: Definition, table: EdgeTable, fallbacks: Mapping[str, Definition]
) -> list[Problem]:
    """Check one graph; the graphs inside it are checked on their own."""
    problems = list(graph.problems)
    if not graph.entries:
        problems.append(Problem(f"graph {graph.name!r} has no nodes"))
    problems += _check_nodes(graph, table, fallbacks)
    for ref in graph.outputs:
        if not isinstance(ref, Ref) or ref.graph is not graph:
            problems.append(
                Problem(
                    f"output {ref!r:.60} is not a ref of graph {graph.name!r}; pass "
                    "output(ref), or output(ref, other)"
                )
            )
        elif ref.id not in graph.entries:
            problems.append(
                Problem(f"output {ref.id!r} is an input; the value of a graph comes from its nodes")
            )
    return problems


def _check_nodes(
    graph: Definition, table: EdgeTable, fallbacks: Mapping[str, Definition]
) -> Iterator[Problem]:
    found = _Problems()
    reported = 0
    doubtful = _doubtful_edges(table)
    spans = zip(table.parameters_of, table.starts, table.starts[1:], strict=False)
    for (id, entry), (parameters, start, stop) in zip(graph.entries.items(), spans, strict=True):
        node = entry.node
        with found:
            if isinstance(node, Function):
                _check_function(node, found)
                if node.fn is pick:
                    _check_pick(graph, entry, found)
            if parameters or entry.bindings:
                _check_bindings(graph, entry, parameters, found)
            if start != stop:
                _check_refs(graph, entry, found)
                if 1 in doubtful[start:stop]:
                    _check_edges(graph, entry, table, range(start, stop), found)
            if node.kind is not Kind.FUNCTION:
                _check_kind(graph, entry, found)
            if node.policy is not DEFAULT_POLICY:
                _check_policy(entry, fallbacks.get(id), found)
        if found:
            yield from [Problem(text, id, entry.where) for text in found]
            reported += len(found)
            if reported >= MAX_PROBLEMS:
                yield Problem(
                    f"the nodes after {id!r} were not checked and may have more problems",
                    id,
                    entry.where,
                )
                return
            found.clear()


class _TooManyProblemsError(Exception):
    """A node has `MAX_PROBLEMS` problems."""


class _Problems(list[str]):
    """The problems of a node; as a context manager, it ends the checks when it is full."""

    def append(self, text: str) -> None:
        super().append(text)
        if len(self) == MAX_PROBLEMS:
            raise _TooManyProblemsError

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is _TooManyProblemsError


def _doubtful_edges(table: EdgeTable) -> bytearray:
    """Return per edge 1 if it does more than put one known node after another."""
    marks = bytearray(
        [
            parameter is not None or not 0 <= slot < table.size
            for parameter, slot in zip(table.parameters, table.slots, strict=True)
        ]
    )
    for place in table.labels:
        marks[place] = 1
    return marks


def cycle_problem(graph: Definition, cycle: tuple[str, ...]) -> Problem:
    """Return the problem of a cycle whose first id is also its last."""
    return Problem(
        f"the nodes {' -> '.join(cycle)} form a cycle; to repeat steps use graph.loop(...)",
        cycle[0],
        graph.entries[cycle[0]].where,
    )


def _check_function(node: Function, found: _Problems) -> None:
    if problem := node.signature.problem:
        found.append(f"function node {node.id!r}: {problem}")
    code = getattr(node.fn, "__code__", None)
    if code is not None and code.co_flags & CO_ASYNC_GENERATOR:
        found.append(
            f"function node {node.id!r}: {node.fn.__name__!r} is an async generator; collect its "
            "items in a list and return that"
        )


def _check_bindings(
    graph: Definition, entry: Entry, parameters: tuple[ParameterSpec, ...], found: _Problems
) -> None:
    """Check that every parameter has a source, and every binding a parameter."""
    node = entry.node
    id = node.id
    bindings = entry.bindings
    if bindings:
        names = [spec.name for spec in parameters]
        open_ended = isinstance(node, Function) and node.signature.accepts_any_keyword
        for name, source in bindings.items():
            if name not in names and not open_ended:
                known = did_you_mean(name, names) or (
                    f"; it takes {', '.join(names)}" if names else "; it takes none"
                )
                found.append(f"node {id!r} has no input {name!r}{known}")
            _check_ref(graph, id, name, source, found)
            if what := unawaited(source):
                found.append(f"input {name!r} of node {id!r} is {what}")
            if isinstance(source, Node):
                found.append(
                    f"input {name!r} of node {id!r} is bound to the node {source.id!r} itself; "
                    "bind the ref that graph.add(...) returns"
                )
    for spec in parameters:
        name = spec.name
        if bindings is not None and name in bindings:
            if not isinstance(bindings[name], Ref):
                _check_constant(graph, node, spec, bindings[name], found)
        elif spec.required and not graph.binds_by_name(name, id):
            found.append(
                f"input {name!r} of node {id!r} is not bound: no input or node of that "
                f"name{_binding_hint(graph, node, name)}"
            )


def _binding_hint(graph: Definition, node: Node[Any], name: str) -> str:
    """Return what to do about a parameter that nothing feeds."""
    if isinstance(node, Function) and name == "self":
        return "; pass the method of an object, not of its class"
    if isinstance(node, Function) and name in node.signature.unresolved:
        note = getattr(node.fn, "__annotations__", {}).get(name)
        return f"; its annotation {note!r:.60} is not defined where the function is"
    if isinstance(node, Function) and name in ("context", "ctx"):
        return f"; annotate it as Context, or bind it with {name}=..."
    names = [*graph.inputs, *(other for other in graph.entries if other != node.id)]
    return did_you_mean(name, names) or f"; bind it with {name}=..."


def _check_constant(
    graph: Definition, node: Node[Any], spec: ParameterSpec, source: Any, found: _Problems
) -> None:
    if isinstance(source, Collection):
        _check_collection(graph, node, spec, source, found)
    elif isinstance(node, Map) and spec.name == node.parameter:
        if problem := items_problem(source):
            found.append(f"map {node.id!r}: over={source!r:.60} {problem}")
    elif not _fits(source, spec.annotation):
        found.append(
            f"input {spec.name!r} of node {node.id!r} takes {type_name(spec.annotation)}, "
            f"but is bound to the constant {source!r:.60}"
        )


def _check_collection(
    graph: Definition,
    node: Node[Any],
    spec: ParameterSpec,
    collection: Collection,
    found: _Problems,
) -> None:
    """Check each item against the parameter's annotation."""
    wanted, what = spec.annotation, f"input {spec.name!r} of node {node.id!r} takes"
    if isinstance(node, Map) and spec.name == node.parameter:
        wanted, what = _sequence_of_items(node), f"map {node.id!r} runs over"
        if collection.kind is dict:
            found.append(f"{what} a dict of refs, which is not a sequence; pass a list")
            return
    if wanted is Any or isinstance(wanted, str):
        return
    kind: Any = collection.kind
    if not can_flow(kind, wanted):
        found.append(f"{what} {type_name(wanted)}, but is bound to a {kind.__name__} of refs")
        return
    if kind is tuple:
        produced = _type_of(graph, collection)
        if not can_flow(produced, wanted):
            found.append(f"{what} {type_name(wanted)}, but its items give {type_name(produced)}")
        return
    for key, item in zip(collection.keys, collection.items, strict=True):
        produced = _type_of(graph, item)
        arguments = (produced,) if kind is list else (type(key), produced)
        if not can_flow(GenericAlias(kind, arguments), wanted):
            place = f"{spec.name}[{key}]"
            if isinstance(item, Ref):
                text = f"but {item.id!r} at {place} gives {type_name(produced)}"
            else:
                text = f"but {place} is {item!r:.60}"
            found.append(f"{what} {type_name(wanted)}, {text}")


def _type_of(graph: Definition, item: Any) -> Any:
    """Return the type of a bound value; `Any` if it is not known or mixed."""
    if isinstance(item, Ref):
        if item.id in graph.inputs:
            return graph.inputs[item.id].annotation
        return graph.entries[item.id].node.output_type() if item.id in graph.entries else Any
    if not isinstance(item, Collection):
        return Any if item is None else type(item)
    types = [_type_of(graph, inner) for inner in item.items]
    if item.kind is tuple:
        return GenericAlias(tuple, tuple(types))
    produced = types[0] if all(other == types[0] for other in types) else Any
    return GenericAlias(item.kind, (produced,) if item.kind is list else (Any, produced))


def _fits(value: object, annotation: Any) -> bool:
    return (
        value is None
        or isinstance(annotation, str)
        or can_flow(type(value), annotation)
        or _literal(annotation)
    )


def _literal(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is not None


def _check_ref(graph: Definition, id: str, name: str, source: Any, found: _Problems) -> None:
    """Refuse a ref of another graph, alone or in a collection."""
    if isinstance(source, Ref):
        if source.graph is not graph:
            found.append(
                f"input {name!r} of node {id!r} reads {source.id!r} of graph "
                f"{source.graph.name!r}; a graph sees its own nodes and inputs only: declare "
                f"graph.input({source.id!r}) and bind it where the body is used"
            )
    elif isinstance(source, Collection) and any(ref.graph is not graph for ref in source.refs):
        for place, ref in zip(source.labels(name), source.refs, strict=True):
            _check_ref(graph, id, place, ref, found)


def _check_refs(graph: Definition, entry: Entry, found: _Problems) -> None:
    """Check that what a node comes after, or joins, belongs to this graph."""
    id = entry.node.id
    for option, refs in (("after", entry.after), ("after_end", entry.after_end)):
        for ref in refs:
            if not isinstance(ref, Ref):
                continue  # the id of a ref of this graph
            _check_ref(graph, id, option, ref, found)
            if ref.labels and option == "after_end":
                found.append(
                    f"node {id!r}: after_end={ref.id!r} with a label; it waits for the end of "
                    f"the branch, whatever label is picked: write after_end={ref.id}, or "
                    "after= for the label"
                )
    for ref in entry.sources:
        _check_ref(graph, id, "sources", ref, found)


def _check_edges(
    graph: Definition, entry: Entry, table: EdgeTable, places: range, found: _Problems
) -> None:
    """Check that sources exist, that labels are a branch's, and that types can match."""
    id, inputs, entries = entry.node.id, graph.inputs, graph.entries
    wanted_types: dict[str, Any] | None = None
    collected = table.collected(table.slot_of[id]) if table.collections else ()
    for place in places:
        source, parameter = table.sources[place], table.parameters[place]
        if source in inputs:
            if parameter is None:
                found.append(
                    f"node {id!r} comes after {source!r}, which is an input; only nodes have an "
                    "order"
                )
                continue
            if place in collected:
                continue
            produced = inputs[source].annotation
        elif source not in entries:
            known = did_you_mean(source, entries)
            found.append(
                f"node {id!r} depends on {source!r}, which is not in graph {graph.name!r}{known}"
            )
            continue
        else:
            if table.labels and place in table.labels:
                _check_labels(id, entries[source].node, table.labels[place], found)
            if parameter is None or place in collected:
                continue
            produced = entries[source].node.output_type()
        if produced is Any:
            continue
        if wanted_types is None:
            wanted_types = {spec.name: spec.annotation for spec in entry.node.parameters()}
        wanted = wanted_types.get(parameter, Any)
        if isinstance(entry.node, Map) and parameter == entry.node.parameter:
            _check_items(entry.node, source, produced, found)
        elif wanted is not Any and not can_flow(produced, wanted):
            found.append(
                f"input {parameter!r} of node {id!r} takes {type_name(wanted)}, "
                f"but {source!r} gives {type_name(produced)}"
            )


def _sequence_of_items(node: Map) -> Any:
    """Return the annotation that a map's input has: a body that takes T is fed an iterable of T."""
    for spec in node.body.parameters():
        if spec.name == node.parameter and spec.annotation is not Any:
            return GenericAlias(Iterable, (spec.annotation,))
    return Iterable


def _check_items(node: Map, source: str, produced: Any, found: _Problems) -> None:
    wanted = _sequence_of_items(node)
    origin = get_origin(produced) or produced
    if produced is str or (isinstance(origin, type) and issubclass(origin, Mapping)):
        found.append(
            f"map {node.id!r} runs over {source!r}, which gives {type_name(produced)}, "
            "not a sequence"
        )
    elif not can_flow(produced, wanted):
        found.append(
            f"map {node.id!r} needs a sequence of "
            f"{type_name(wanted.__args__[0]) if wanted is not Iterable else 'items'}, "
            f"but {source!r} gives {type_name(produced)}"
        )


def _check_labels(id: str, source: Any, labels: frozenset[str], found: _Problems) -> None:
    if not isinstance(source, Branch):
        found.append(
            f"node {id!r} waits for label {min(labels)!r} of {source.id!r}, which is not a branch"
        )
        return
    for label in sorted(labels - set(source.labels)):
        known = did_you_mean(label, source.labels) or f"; its labels are {', '.join(source.labels)}"
        found.append(
            f"node {id!r} waits for label {label!r}, which branch {source.id!r} does not "
            f"have{known}"
        )


def _check_merge(graph: Definition, entry: Entry, node: Merge, found: _Problems) -> None:
    """Check that a merge can fire, and that its reducer can fold values of the known types."""
    joined = len(entry.sources)  # `after` is waited for but not joined
    if not joined:
        found.append(f"merge {node.id!r} joins nothing, so it can never fire; pass sources")
    elif node.quorum > joined:
        found.append(
            f"merge {node.id!r} waits for {node.quorum} of {joined} sources, so it can never fire"
        )
    if not isinstance(node.reducer, str):
        return
    for ref in entry.sources:
        produced = _type_of(graph, ref)
        kind = get_origin(produced) or produced
        is_one_class = isinstance(kind, type) and kind not in (Any, UnionType)
        joins = joined_kind(node.reducer, kind) if is_one_class else ""
        if joins:
            found.append(
                f"merge {node.id!r}: the reducer {node.reducer!r} joins {joins}, but {ref.id!r} "
                f"gives {type_name(produced)}; use 'list', or a function of the list of values"
            )


def _check_kind(graph: Definition, entry: Entry, found: _Problems) -> None:
    node = entry.node
    id = node.id
    if isinstance(node, Branch):
        if problem := signature_of(node.select).problem:
            found.append(f"branch {id!r}: its select: {problem}")
    elif isinstance(node, Merge):
        _check_merge(graph, entry, node, found)
    elif isinstance(node, Loop):
        if node.max_iterations is None:
            found.append(f"loop {id!r} has no bound; pass max_iterations=")
        _check_parameter(node, "state", found)
        wanted = {spec.name: spec.annotation for spec in node.body.parameters()}.get(
            node.parameter, Any
        )
        produced = node.body.output_type()
        if not can_flow(produced, wanted):
            found.append(
                f"loop {id!r}: the body gives {type_name(produced)}, but its state "
                f"{node.parameter!r} is {type_name(wanted)}; one pass feeds the next, so they must "
                "be the same"
            )
    elif isinstance(node, Map):
        _check_parameter(node, "item", found)
    elif isinstance(node, LLM):
        try:
            node.check_output()
        except DefinitionError as error:
            found.append(f"LLM node {id!r}: {error}")
    if isinstance(node, LLM | Ask):
        _check_template(graph, entry, node, found)


def _check_template(
    graph: Definition, entry: Entry, node: LLM[Any] | Ask, found: _Problems
) -> None:
    """Check that inputs whose types are known have the fields that a template takes of them."""
    for part in node.template_parts():
        name, _, field = part.partition(".")
        source = (entry.bindings or {}).get(name, Ref(graph, name))
        if field and (missing := _missing_field(graph, source, field)):
            found.append(f"node {node.id!r}: the template has '{{{part}}}', but {missing}")


def _check_pick(graph: Definition, entry: Entry, found: _Problems) -> None:
    """Check that a value whose type is known has the field that is picked."""
    bound = entry.bindings or {}
    source, field = bound.get("value"), bound.get("field")
    if isinstance(field, str) and (missing := _missing_field(graph, source, field)):
        found.append(f"node {entry.node.id!r} picks {field!r}, but {missing}")


def _missing_field(graph: Definition, source: Any, field: str) -> str:
    """Return why a bound value certainly has no such field; empty if it may have it."""
    try:
        while field and isinstance(source, Collection) and source.kind is dict:
            key, _, field = field.partition(".")
            source = get_field(dict(zip(source.keys, source.items, strict=True)), key)
        if isinstance(source, Ref | Collection):
            field_type(_type_of(graph, source), field)
        else:
            get_field(source, field)
    except LookupError as error:
        return str(error.args[0])
    return ""


def _check_parameter(node: Loop | Map, what: str, found: _Problems) -> None:
    names = [spec.name for spec in node.body.parameters()]
    if node.parameter not in names:
        known = did_you_mean(node.parameter, names) or (
            f"; it has {', '.join(names)}" if names else ""
        )
        found.append(
            f"{node.kind.value} {node.id!r}: the body {node.body.name!r} has no input "
            f"{node.parameter!r} for the {what}{known or '; declare one with graph.input(...)'}"
        )


def _check_policy(entry: Entry, fallback: Definition | None, found: _Problems) -> None:
    node, policy = entry.node, entry.node.policy
    if node.kind not in ATTEMPTING_KINDS:
        for name in ("retry", "fallback_models", "attempt_timeout_seconds", "resources"):
            if getattr(policy, name):
                found.append(
                    f"{node.kind.value} {node.id!r} makes no attempts, so {name}= would do "
                    "nothing; set it on the nodes inside"
                )
    if (
        policy.fallback_models
        and isinstance(node, Function)
        and context_parameter(node.signature) is None
    ):
        found.append(
            f"function {node.id!r} has no Context to call a model through, so fallback_models= "
            "would do nothing"
        )
    if policy.hedge_after is not None and node.kind is not Kind.LLM:
        found.append(
            f"{node.kind.value} {node.id!r} asks no model by itself, so hedge_after= would do "
            "nothing; set it on LLM nodes"
        )
    if policy.reserve and (
        node.kind not in ATTEMPTING_KINDS
        or (isinstance(node, LLM) and node.tools)
        or (isinstance(node, Function) and context_parameter(node.signature) is None)
    ):
        found.append(
            f"{node.kind.value} {node.id!r} makes no single call to a model, so reserve= would do "
            "nothing; set it on an LLM node without tools, or on a function with a Context"
        )
    for name in _IDLE_OPTIONS.get(node.kind, ()):
        if getattr(policy, name) is not None:
            found.append(
                f"{node.kind.value} {node.id!r} waits for no slot and takes no time, "
                f"so {name}= would do nothing"
            )
    if fallback is not None:
        names = {spec.name for spec in node.parameters()}
        for spec in fallback.parameters():
            if spec.required and spec.name not in names:
                found.append(
                    f"fallback {fallback.name!r} of node {node.id!r} needs {spec.name!r}; "
                    f"a fallback gets the node's own inputs only{did_you_mean(spec.name, names)}"
                )
