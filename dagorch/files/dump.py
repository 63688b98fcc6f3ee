"""
Graphs to files: the plain data of a graph, the shortest that reads back as the same graph.

What cannot be written is told, node by node, with what to do. Texts are made next door.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, Literal

from dagorch.errors import DefinitionError, Problem
from dagorch.files.fields import ERRORS, FORMAT, PLAIN_LLM, PLAIN_POLICY
from dagorch.files.plain import plain
from dagorch.files.references import named, written
from dagorch.files.syntax import CONTROL
from dagorch.files.tree import MAX_VALUES
from dagorch.files.type_names import write_type
from dagorch.files.validate import MAX_NODES, NEVER_ALONE
from dagorch.files.yaml_text import yaml_text
from dagorch.graph.builder import body_of
from dagorch.graph.graph import NO_DEFAULT, Entry, Graph
from dagorch.models.policy import DEFAULT_POLICY, NO_FALLBACK, Policy, Retry
from dagorch.models.ref import Ref
from dagorch.nodes.ask import Ask
from dagorch.nodes.base import Node
from dagorch.nodes.branch import Branch
from dagorch.nodes.conditions import Condition, Label, pick
from dagorch.nodes.container import Loop, Map, Subgraph
from dagorch.nodes.deciding import Deciding
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM
from dagorch.nodes.merge import Merge

__all__ = ["dump_graph"]

_YES_NO: Final = ("true", "false")
_MAX_DEPTH: Final = 20


def dump_graph(graph: Graph, format: Literal["yaml", "json"] = "yaml") -> str:
    """
    Give a graph as the text of a file, which `load_graph` reads back: same fingerprint, same runs.

    Functions and types are written by reference, `module:name`.

    Args:
        graph: Any graph that compiles.
        format: Of the text.

    Raises:
        DefinitionError: The graph is wrong, or a file cannot hold it (a lambda, an object, a
            class within a function); `.problems` names each node and what to do. Or there is no
            such format.

    Example:
        >>> from dagorch import LLM
        >>> graph = Graph("greeting")
        >>> name = graph.input("name", str)
        >>> hello = graph.add(LLM("hello", prompt="Greet {name}."))
        >>> print(dump_graph(graph), end="")
        dagorch: 1
        name: greeting
        inputs:
          name: str
        nodes:
          hello:
            prompt: Greet {name}.
    """
    if format not in ("yaml", "json"):
        raise DefinitionError(f"no format {format!r} of a graph's file; there are yaml and json")
    graph.compile()
    writing = _Writing()
    data = {"dagorch": FORMAT, **writing.graph(graph, 1)}
    if writing.nodes > MAX_NODES or _size(data) > MAX_VALUES:
        said = f"a file holds {MAX_NODES:,} nodes and {MAX_VALUES:,} values at most"
        writing.problems.append(Problem(said))
    if writing.problems:
        raise DefinitionError(writing.problems, subject=f"graph {graph.name!r} as a file")
    if format == "yaml":
        return yaml_text(data)
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _size(data: Any) -> int:
    """How many values there are, as `MAX_VALUES` counts them."""
    if isinstance(data, dict):
        return 2 + sum(1 + _size(value) for value in data.values())
    return 2 + sum(map(_size, data)) if isinstance(data, list) else 1


class _Writing:
    """Writes one graph with all that is in it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.nodes = 0

    def graph(self, graph: Graph, depth: int, name: str | None = None) -> dict[str, Any]:
        """Give a graph's data; its name is left out where it is this one anyway."""
        data: dict[str, Any] = {} if graph.name in (name, "") else {"name": graph.name}
        if depth > _MAX_DEPTH:
            self.problems.append(Problem(f"graphs nest more than {_MAX_DEPTH} deep", graph.name))
            return data
        if graph.inputs:
            data["inputs"] = self._inputs(graph)
        nodes: dict[str, Any] = {}
        for id, entry in graph.entries.items():
            self.nodes += 1
            try:
                nodes[id] = self._entry(graph, entry, depth)
            except DefinitionError as error:
                self.problems.append(Problem(str(error), id, entry.where))
        data["nodes"] = nodes
        if graph.outputs:
            data["outputs"] = _short([ref.id for ref in graph.outputs])
        return data

    def _inputs(self, graph: Graph) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, spec in graph.inputs.items():
            try:
                kind = write_type(spec.annotation)
                if spec.default is not NO_DEFAULT:
                    known = {} if kind == "Any" else {"type": kind}
                    data[name] = {**known, "default": plain(spec.default)}
                else:
                    data[name] = kind if isinstance(kind, str) else {"type": kind}
            except DefinitionError as error:
                self.problems.append(Problem(f"input {name!r}: {error}", name))
        return data

    def _entry(self, graph: Graph, entry: Entry, depth: int) -> dict[str, Any]:
        node = entry.node
        bound = dict(entry.bindings or {})
        for spec in node.parameters():  # of its own name, as a file would bind it, too
            source = bound.get(spec.name)
            if source == Ref(graph, spec.name) and spec.name != node.id:
                del bound[spec.name]
        data = self._node(node, depth)
        for key, parameter in _special(node, data).items():
            source = bound.pop(parameter, Ref(graph, parameter))
            if isinstance(source, Ref) == (key == "field"):
                raise DefinitionError(
                    f"{node.kind.value} {node.id!r} cannot be written, for {parameter!r}: a file "
                    f"has {'a constant' if key == 'field' else 'a node or an input'} there"
                )
            data[key] = source if key == "field" else _place(source)
        if isinstance(node, Map):
            over = bound.pop(node.parameter, Ref(graph, node.parameter))
            data["over"] = _place(over) if isinstance(over, Ref) else plain(over)
        if isinstance(node, Merge):
            data["merge"] = [_place(ref) for ref in entry.sources]
        inputs = {name: _place(ref) for name, ref in bound.items() if isinstance(ref, Ref)}
        values = {
            name: self._said(node, f"the constant of {name!r}", plain, value)
            for name, value in bound.items()
            if not isinstance(value, Ref)
        }
        wiring = {"inputs": inputs, "values": values, **_order(entry.after)}
        return (
            data | {name: said for name, said in wiring.items() if said} | self._policy(node, depth)
        )

    def _said(self, node: Node[Any], what: str, write: Callable[[Any], Any], value: Any) -> Any:
        try:
            return write(value)
        except DefinitionError as error:
            raise DefinitionError(
                f"{node.kind.value} {node.id!r} cannot be written, for {what}: {error}"
            ) from None

    # -- nodes ------------------------------------------------------------------------------

    def _node(self, node: Node[Any], depth: int) -> dict[str, Any]:
        if isinstance(node, LLM):
            return self._llm(node)
        kind = type(node)
        if kind is Function:
            return self._function(node)  # type: ignore[arg-type]  # it is one
        if kind is Branch:
            return self._branch(node)  # type: ignore[arg-type]  # it is one
        if isinstance(node, Merge) and kind is Merge:
            return self._merge(node)
        if isinstance(node, Ask) and kind is Ask:
            output = {} if node.output is str else self._output(node, node.output)
            return {"ask": node.question, **output}
        if isinstance(node, Loop | Map | Subgraph):
            return self._container(node, depth)
        raise DefinitionError(
            f"node {node.id!r} is of a class of its own, {kind.__qualname__}; only subclasses of "
            "LLM can be written"
        )

    def _llm(self, node: LLM[Any]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        if node.messages:
            data["messages"] = [self._turn(node, turn) for turn in node.messages]
        defaults = {f.name: f.default for f in fields(LLM)}
        for name in PLAIN_LLM:
            value = getattr(node, name)
            if value != defaults[name]:
                data[name] = self._said(node, name, plain, value)
        words = _choices(node)
        if words is not None:
            data["choices"] = words
        elif node.output is not None:
            data |= self._output(node, node.output)
        if node.tools:
            data["tools"] = [self._said(node, "a tool", written, tool) for tool in node.tools]
        if type(node) is not LLM and words is None:
            data["class"] = self._said(node, "its class", named, type(node))
            own = {
                f.name: self._said(node, f.name, plain, getattr(node, f.name))
                for f in fields(node)
                if f.init
                and f.name not in LLM.__dataclass_fields__
                and getattr(node, f.name) != f.default
            }
            data |= {"with": own} if own else {}
        return data

    def _turn(self, node: LLM[Any], turn: Any) -> dict[str, Any]:
        if turn.tool_calls or turn.tool_call_id or turn.thoughts:
            raise DefinitionError(
                f"llm {node.id!r} cannot be written: a message of it is of a conversation with "
                "tools; give it as history"
            )
        images = {"images": list(turn.images)} if turn.images else {}
        return {"role": turn.role, "content": plain(turn.content), **images}

    def _function(self, node: Function) -> dict[str, Any]:
        if node.fn is pick:
            return {"pick": None}
        data = {"function": self._said(node, "its function", written, node.fn)}
        return data | ({"expand": True} if node.expand else {})

    def _branch(self, node: Branch) -> dict[str, Any]:
        select, labels = node.select, {"labels": list(node.labels)}
        if node.labels == _YES_NO:
            labels = {}
        if isinstance(select, Condition) and type(select) is Condition and select.test:
            return {"branch": None, **self._condition(node, select), **labels}
        needed = () if getattr(select, "otherwise", None) is None else node.labels
        if isinstance(select, Label) and select.labels == needed:
            field = {"field": select.field} if select.field else {}
            other = {} if select.otherwise is None else {"otherwise": select.otherwise}
            return {"branch": None, **field, "labels": list(node.labels), **other}
        return {"select": self._said(node, "its select", written, select), **labels}

    def _condition(self, node: Node[Any], condition: Condition) -> dict[str, Any]:
        field = {"field": condition.field} if condition.field else {}
        if not condition.test:
            return field
        return field | {condition.test: self._said(node, "a test", plain, condition.than)}

    def _merge(self, node: Merge) -> dict[str, Any]:
        data: dict[str, Any] = {"merge": None}
        if not isinstance(node.reducer, str):
            data["reducer"] = self._said(node, "its reducer", written, node.reducer)
        elif node.reducer != "list":
            data["reducer"] = node.reducer
        if node.wait != "all":
            data["wait"] = node.wait
        return data | ({"tolerate_failures": True} if node.tolerate_failures else {})

    def _container(self, node: Loop | Map | Subgraph, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {node.kind.value: self._body(node.body, node.id, depth)}
        if isinstance(node, Loop):
            data["max_iterations"] = node.max_iterations
            if isinstance(node.until, Condition) and (node.until.field or node.until.test):
                data["until"] = self._condition(node, node.until)
            elif node.until is not None:
                data["until"] = self._said(node, "its until", written, node.until)
            named = {"state_input": node.state_input}
        elif isinstance(node, Map):
            data["over"] = None
            parallel = {} if node.max_parallel is None else {"max_parallel": node.max_parallel}
            failing = {} if node.on_item_error == "fail" else {"on_item_error": node.on_item_error}
            data |= {**parallel, **failing}
            named = {"item_input": node.item_input}
        else:
            named = {}
        return data | {name: said for name, said in named.items() if said is not None}

    def _body(self, body: Any, id: str, depth: int) -> dict[str, Any]:
        entries = list(body.entries.values())
        if len(entries) == 1 and body.name == id == entries[0].node.id and not body.outputs:
            alone = body_of(entries[0].node, Graph)
            same = list(alone.inputs) == list(body.inputs) and not entries[0].after
            if same and alone.fingerprint == body.fingerprint:
                data = self._alone(entries[0].node, depth)
                if not NEVER_ALONE.intersection(data):
                    return data
        return self.graph(body, depth + 1, id)

    def _alone(self, node: Node[Any], depth: int) -> dict[str, Any]:
        data = self._node(node, depth)
        data.pop("over", None)
        return data | self._policy(node, depth)

    def _output(self, node: Node[Any], output: Any) -> dict[str, Any]:
        return {"output": self._said(node, "its output", write_type, output)}

    # -- policies ---------------------------------------------------------------------------

    def _policy(self, node: Node[Any], depth: int) -> dict[str, Any]:
        policy = node.policy
        if policy is DEFAULT_POLICY:
            return {}
        data: dict[str, Any] = {}
        if policy.retry is not None:
            data["retry"] = self._retry(node, policy.retry)
        for name in PLAIN_POLICY:
            value = getattr(policy, name)
            if value != getattr(DEFAULT_POLICY, name):
                data[name] = list(value) if isinstance(value, tuple) else value
        if policy.fallback is not NO_FALLBACK:
            data["fallback"] = self._fallback(node, policy, depth)
        return data

    def _retry(self, node: Node[Any], retry: Retry) -> Any:
        given = {f.name: getattr(retry, f.name) for f in fields(Retry)}
        blank = Retry()
        data = {name: v for name, v in given.items() if v != getattr(blank, name)}
        if "on" in data:
            data["on"] = [self._said(node, "retry.on", _error_name, kind) for kind in retry.on]
        return retry.attempts if data.keys() <= {"attempts"} else data

    def _fallback(self, node: Node[Any], policy: Policy, depth: int) -> dict[str, Any]:
        fallback = policy.fallback
        if isinstance(fallback, Node):
            id = {} if fallback.id == f"{node.id}_fallback" else {"id": fallback.id}
            data = self._alone(fallback, depth)
            if NEVER_ALONE.intersection(data):
                raise DefinitionError(
                    f"{node.kind.value} {node.id!r} cannot be written, for its fallback: a "
                    f"{fallback.kind.value} cannot stand alone; give a graph"
                )
            return {**id, **data}
        if isinstance(fallback, Graph):
            return self.graph(fallback, depth + 1, f"{node.id}_fallback")
        return {"value": self._said(node, "its fallback", plain, fallback)}


def _special(node: Node[Any], data: Mapping[str, Any]) -> Mapping[str, str]:
    """Fields that stand for inputs: each with the parameter that it is."""
    if "branch" in data:
        return {"branch": "value"}
    return {"pick": "value", "field": "field"} if "pick" in data else {}


def _choices(node: LLM[Any]) -> Any:
    """Give the words of a decision as a file has them; None where it is none that a file has."""
    words: Any = tuple(word for word, _ in getattr(node, "labels", ()))
    decides: Any = Literal[words] if words else None
    if type(node) is not Deciding or decides is None or node.output != decides:
        return None
    labels = dict(node.labels)
    if len(labels) != len(node.labels):
        return None
    return list(words) if all(word == label for word, label in labels.items()) else labels


def _order(after: Sequence[Any]) -> dict[str, Any]:
    """Write what a node comes after: plain names, then labels of branches, where it is in order."""
    plainly = [other for other in after if isinstance(other, str)]
    labelled = [other for other in after if not isinstance(other, str)]
    when = {ref.id: _labels(ref) for ref in labelled}
    if [*plainly, *labelled] != list(after) or len(when) != len(labelled):
        return {"after": [_place(ref) for ref in after]}
    return {"after": _short(plainly), "when": when}


def _place(ref: Any) -> Any:
    if isinstance(ref, str):
        return ref
    return {"node": ref.id, "label": _labels(ref)} if ref.labels else ref.id


def _labels(ref: Any) -> Any:
    """Give a ref's labels as people write them: of a test true, not the word."""
    labels = [label == "true" if label in _YES_NO else label for label in sorted(ref.labels)]
    return _short(labels)


def _short(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items


def _error_name(kind: Any) -> str:
    name: str = kind.__name__
    return name if ERRORS.get(name) is kind else named(kind)
