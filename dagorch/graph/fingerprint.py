"""
Fingerprints: a hash of what a graph or a node does, equal across processes.

When a node runs, and how often it is tried, is not part of it.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from dagorch.graph.collection import Collection
from dagorch.graph.edges import constants, resolve_edges
from dagorch.graph.plan import Plan
from dagorch.models.policy import NO_FALLBACK
from dagorch.models.ref import Ref
from dagorch.nodes.base import Node
from dagorch.nodes.llm import LLM

if TYPE_CHECKING:
    from dagorch.graph.definition import Definition

__all__ = ["describe_value", "fingerprint", "function_definition"]

_SKIPPED = frozenset({"policy", "body", "_signature"})


def fingerprint(graph: Definition) -> str:
    """
    Hash a graph's definition: nodes, edges, constants, inputs, outputs, and the graphs inside it.

    Ids are part of it. Graph names, timeouts, retries and priorities are not.

    Cost: O(V + E), plus reading the source of each function once.
    """
    known: dict[int, str] = {}
    stack: list[tuple[Definition, bool]] = [(graph, False)]
    while stack:
        current, inside_done = stack.pop()
        if id(current) in known:
            continue
        bodies = [body for node in current for body in _graphs_in(node)]
        if not inside_done:
            stack.append((current, True))
            stack.extend((body, False) for body in bodies)
            continue
        known[id(current)] = _hash(_definition(current, known))
    return known[id(graph)]


def _definition(graph: Definition, known: Mapping[int, str]) -> dict[str, Any]:
    edges = resolve_edges(graph).by_node()
    nodes = {}
    for id_, entry in graph.entries.items():
        body = getattr(entry.node, "body", None)
        nodes[id_] = {
            "node": _node(entry.node),
            "body": known[id(body)] if body is not None else None,
            "fallback": _fallback(entry.node, known),
            "edges": [[e.source, e.parameter, sorted(e.labels)] for e in edges[id_]],
            "joins": len(entry.sources),
            "constants": {k: describe_value(v) for k, v in constants(entry).items()},
        }
        collections = {
            name: _collection(source)
            for name, source in (entry.bindings or {}).items()
            if isinstance(source, Collection)
        }
        if collections:
            nodes[id_]["collections"] = collections
        if entry.after_end:
            nodes[id_]["after_end"] = len(entry.after_end)
    return {
        "nodes": nodes,
        "inputs": {
            i.name: [describe_value(i.annotation), describe_value(i.default)]
            for i in graph.inputs.values()
        },
        "outputs": [ref.id for ref in graph.outputs],
    }


def _collection(collection: Collection) -> list[Any]:
    """Describe a collection, so that a ref differs from every constant and a list from a tuple."""
    facts: list[Any] = [collection.kind.__name__]
    for key, item in zip(collection.keys, collection.items, strict=True):
        if isinstance(item, Collection):
            described = _collection(item)
        else:
            described = ["ref" if isinstance(item, Ref) else "value", describe_value(item)]
        facts.append([type(key).__name__, describe_value(key), described])
    return facts


def _graphs_in(node: Node[Any]) -> list[Any]:
    """Return the graphs that a node holds: its body, and its fallback if that is a graph."""
    held = (getattr(node, "body", None), node.policy.fallback)
    return [graph for graph in held if hasattr(graph, "entries")]


def _fallback(node: Node[Any], known: Mapping[int, str]) -> Any:
    """Describe what a node completes with after its last failure."""
    fallback = node.policy.fallback
    if fallback is NO_FALLBACK:
        return None
    if id(fallback) in known:
        return {"graph": known[id(fallback)]}
    if isinstance(fallback, Node):
        return {"node": _node(fallback)}
    return {"value": describe_value(fallback)}


def _node(node: Node[Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {"class": describe_value(type(node))}
    for name in node.__dataclass_fields__:
        if name not in _SKIPPED:
            facts[name] = describe_value(getattr(node, name))
    if isinstance(node, LLM):
        facts["schema"] = node.settings().json_schema  # `output` itself is hashed by name only
    if node.policy.fallback_models:
        facts["fallback_models"] = list(node.policy.fallback_models)
    if node.policy.version is not None:
        facts.pop("fn", None)
        facts["version"] = node.policy.version
    return facts


def describe_value(value: Any) -> Any:
    """
    Return plain JSON that differs for different values: functions by definition, types by name.

    Example:
        >>> describe_value({"a": (1, None)})
        {'a': [1, None]}
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(k): describe_value(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe_value(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(json.dumps(describe_value(v), sort_keys=True) for v in value)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, Ref):
        return {"ref": value.id, "labels": sorted(value.labels)}
    origin = get_origin(value)
    if origin is not None:  # `list[str]` and `Literal["a"]` are callable, too
        origin = Union if origin is types.UnionType else origin
        return [describe_value(origin), *map(describe_value, get_args(value))]
    if callable(value):
        return function_definition(value)
    if hasattr(value, "__dataclass_fields__"):
        return _fields(value)
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return describe_value(dump(mode="json"))
    return f"{type(value).__module__}.{type(value).__qualname__}:{value!r}"


def function_definition(fn: Callable[..., Any]) -> dict[str, Any]:
    """
    Describe a function: module, name, source, defaults, and the values it closes over.

    A partial adds its arguments, a bound method the fields of its object.
    """
    if isinstance(fn, partial):
        return {
            "partial": function_definition(fn.func),
            "args": describe_value(fn.args),
            "keywords": describe_value(fn.keywords),
        }
    inner = inspect.unwrap(fn)
    facts: dict[str, Any] = {
        "module": getattr(inner, "__module__", ""),
        "name": getattr(inner, "__qualname__", type(inner).__qualname__),
    }
    code = getattr(inner, "__code__", None)
    if code is None:
        facts["fields"] = _fields(inner) or {  # a callable object
            name: _shallow(value) for name, value in getattr(inner, "__dict__", {}).items()
        }
        return facts
    if inspect.ismethod(inner):
        facts["self"] = _fields(inner.__self__)
    try:
        facts["source"] = inspect.getsource(inner)
    except (OSError, TypeError):
        facts["source"] = hashlib.sha256(code.co_code + repr(code.co_consts).encode()).hexdigest()
    facts["defaults"] = [
        _shallow(v) for v in (*(inner.__defaults__ or ()), *(inner.__kwdefaults__ or {}).values())
    ]
    cells = getattr(inner, "__closure__", None) or ()
    facts["closure"] = [_shallow(cell.cell_contents) for cell in cells if _filled(cell)]
    return facts


def _fields(value: Any) -> dict[str, Any]:
    """Describe the fields of a dataclass; empty for any other object."""
    names = getattr(value, "__dataclass_fields__", ())
    return {name: describe_value(getattr(value, name)) for name in names}


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  reading it is the test
    except ValueError:
        return False
    return True


def _shallow(value: Any) -> Any:
    """Describe a value; a function by its name, as functions may refer to each other."""
    if callable(value) and not isinstance(value, type):
        return getattr(value, "__qualname__", type(value).__qualname__)
    if hasattr(value, "entries") or isinstance(value, Plan):
        return type(value).__qualname__
    return describe_value(value)


def _hash(facts: dict[str, Any]) -> str:
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
