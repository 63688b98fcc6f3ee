"""
Writing of graphs: the shortest plain data that loads as the same graph.

Every node that a file cannot hold is reported. The YAML itself is written in `yaml_text.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, Literal

from dagorch.errors import DefinitionError, Problem
from dagorch.files.fields import ERRORS, FORMAT, PLAIN_LLM_FIELDS, PLAIN_POLICY_FIELDS
from dagorch.files.plain import plain
from dagorch.files.references import function_data, reference_to
from dagorch.files.syntax import CONTROL
from dagorch.files.tree import MAX_VALUES
from dagorch.files.type_names import write_type
from dagorch.files.validate import MAX_NODES, NEVER_ALONE
from dagorch.files.yaml_text import yaml_text
from dagorch.graph.builder import body_of
from dagorch.graph.collection import Collection
from dagorch.graph.defaults import NO_DEFAULTS
from dagorch.graph.graph import NO_DEFAULT, Entry, Graph
from dagorch.models.policy import DEFAULT_POLICY, NO_FALLBACK, Policy, Retry
from dagorch.models.ref import Ref
from dagorch.nodes.ask import Ask
from dagorch.nodes.base import Node
from dagorch.nodes.branch import Branch
from dagorch.nodes.conditions import Condition, Label, pick
from dagorch.nodes.container import Loop, Map, Subgraph
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM
from dagorch.nodes.merge import Merge

__all__ = ["dump_graph"]

_YES_NO: Final = ("true", "false")
_MAX_DEPTH: Final = 20


def dump_graph(graph: Graph, format: Literal["yaml", "json"] = "yaml") -> str:
    """
    Return a graph as the text of a file, which loads as a graph with the same fingerprint.

    Functions and types are written as references, `module:name`.

    Args:
        graph: Any graph that compiles.
        format: The format of the text.

    Raises:
        DefinitionError: The graph is not valid, or a file cannot hold it: it has a lambda, an
            object or a class inside a function. `.problems` names each node and what to do.

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
        raise DefinitionError(f"a graph's file has no format {format!r}; use yaml or json")
    graph.compile()
    writer = _Writer()
    data = {"dagorch": FORMAT, **writer.graph(graph, 1)}
    if writer.nodes > MAX_NODES or _count_values(data) > MAX_VALUES:
        message = f"a file holds {MAX_NODES:,} nodes and {MAX_VALUES:,} values at most"
        writer.problems.append(Problem(message))
    if writer.problems:
        raise DefinitionError(writer.problems, subject=f"graph {graph.name!r} as a file")
    if format == "yaml":
        return yaml_text(data)
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _count_values(data: Any) -> int:
    """Count values as `MAX_VALUES` does."""
    if isinstance(data, dict):
        return 2 + sum(1 + _count_values(value) for value in data.values())
    return 2 + sum(map(_count_values, data)) if isinstance(data, list) else 1


class _Writer:
    """Writes one graph with its bodies and fallbacks."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.nodes = 0
        self.defaults = NO_DEFAULTS
        """The defaults that apply to the nodes that are being written."""

    def graph(self, graph: Graph, depth: int, name: str | None = None) -> dict[str, Any]:
        """Return the data of a graph, without its name if that equals the default `name`."""
        data: dict[str, Any] = {} if graph.name in (name, "") else {"name": graph.name}
        if depth > _MAX_DEPTH:
            self.problems.append(
                Problem(f"graphs nest more than {_MAX_DEPTH} deep; flatten them", graph.name)
            )
            return data
        data |= self._defaults(graph)
        outer, self.defaults = self.defaults, graph.defaults
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
        self.defaults = outer
        if graph.outputs:
            data["outputs"] = _unwrap([ref.id for ref in graph.outputs])
        return data

    def _defaults(self, graph: Graph) -> dict[str, Any]:
        data: dict[str, Any] = {}
        defaults = graph.defaults
        try:
            if defaults.retry is not None:
                data["retry"] = _retry(defaults.retry)
            if graph.provider is not None:
                raise DefinitionError(
                    f"graph {graph.name!r} cannot be written: its provider= is an object; a file "
                    "has a name, or pass it to run()"
                )
        except DefinitionError as error:
            self.problems.append(Problem(str(error), graph.name))
        if defaults.timeout_seconds is not None:
            data["timeout_seconds"] = defaults.timeout_seconds
        return data | ({"provider": defaults.provider} if defaults.provider else {})

    def _inputs(self, graph: Graph) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, spec in graph.inputs.items():
            try:
                kind = write_type(spec.annotation)
                if spec.default is not NO_DEFAULT:
                    typed = {} if kind == "Any" else {"type": kind}
                    data[name] = {**typed, "default": plain(spec.default)}
                else:
                    data[name] = kind if isinstance(kind, str) else {"type": kind}
            except DefinitionError as error:
                self.problems.append(Problem(f"input {name!r}: {error}", name))
        return data

    def _entry(self, graph: Graph, entry: Entry, depth: int) -> dict[str, Any]:
        node = entry.node
        bound = dict(entry.bindings or {})
        for spec in node.parameters():
            # A file binds a parameter to the node or input of its own name by itself.
            if bound.get(spec.name) == Ref(graph, spec.name) and spec.name != node.id:
                del bound[spec.name]
        data = self._node(node, depth)
        for key, parameter in _parameter_fields(data).items():
            source = bound.pop(parameter, Ref(graph, parameter))
            if isinstance(source, Ref) == (key == "field"):
                raise DefinitionError(
                    f"{node.kind.value} {node.id!r} cannot be written because of {parameter!r}: "
                    f"in a file it is {'a constant' if key == 'field' else 'a node or an input'}"
                )
            data[key] = source if key == "field" else _place(source)
        if isinstance(node, Map):
            over = bound.pop(node.parameter, Ref(graph, node.parameter))
            data["over"] = self._over(node, over)
        if isinstance(node, Merge):
            data["merge"] = [_place(ref) for ref in entry.sources]
        inputs: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for name, source in bound.items():
            if isinstance(source, Ref | Collection):
                inputs[name] = self._convert(node, f"the collection of {name!r}", _source, source)
            else:
                values[name] = self._convert(node, f"the constant of {name!r}", plain, source)
        after_end = _unwrap([_place(ref) for ref in entry.after_end])
        wiring = {
            "inputs": inputs,
            "values": values,
            **_order(entry.after),
            "after_end": after_end,
        }
        used = {name: value for name, value in wiring.items() if value}
        return self._short(node, data | used | self._policy(node, depth))

    def _short(self, node: Node[Any], data: dict[str, Any]) -> dict[str, Any]:
        """Return a node's data without the options that equal the graph's defaults."""
        implied = self.defaults.implied(node)
        return {name: value for name, value in data.items() if name not in implied}

    def _over(self, node: Node[Any], items: Any) -> Any:
        if not isinstance(items, Ref | Collection):
            return self._convert(node, "its items", plain, items)
        source = self._convert(node, "its items", _source, items)
        return {"list": source} if isinstance(source, list) else source

    def _convert(
        self, node: Node[Any], what: str, convert: Callable[[Any], Any], value: Any
    ) -> Any:
        """Convert a part of a node to data; an error names the node and the part."""
        try:
            return convert(value)
        except DefinitionError as error:
            raise DefinitionError(
                f"{node.kind.value} {node.id!r} cannot be written because of {what}: {error}"
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
            f"node {node.id!r} has the class {kind.__qualname__}, which cannot be written; of "
            "custom nodes only subclasses of LLM can"
        )

    def _llm(self, node: LLM[Any]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        if node.messages:
            data["messages"] = [self._message(node, message) for message in node.messages]
        defaults = {f.name: f.default for f in fields(LLM)}
        for name in PLAIN_LLM_FIELDS:
            value = getattr(node, name)
            if value != defaults[name]:
                data[name] = self._convert(node, name, plain, value)
        if node.choices:
            data["choices"] = _choices(node)
        elif node.output is not None:
            data |= self._output(node, node.output)
        if node.tools:
            data["tools"] = [
                self._convert(node, "a tool", function_data, tool) for tool in node.tools
            ]
        if type(node) is not LLM:
            data["class"] = self._convert(node, "its class", reference_to, type(node))
            own = {
                f.name: self._convert(node, f.name, plain, getattr(node, f.name))
                for f in fields(node)
                if f.init
                and f.name not in LLM.__dataclass_fields__
                and getattr(node, f.name) != f.default
            }
            data |= {"with": own} if own else {}
        return data

    def _message(self, node: LLM[Any], message: Any) -> dict[str, Any]:
        if message.tool_calls or message.tool_call_id or message.thoughts:
            raise DefinitionError(
                f"llm {node.id!r} cannot be written: one of its messages is part of a "
                "conversation with tools; pass it as history"
            )
        images = {"images": list(message.images)} if message.images else {}
        return {"role": message.role, "content": plain(message.content), **images}

    def _function(self, node: Function) -> dict[str, Any]:
        if node.fn is pick:
            return {"pick": None}
        data = {"function": self._convert(node, "its function", function_data, node.fn)}
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
        return {"select": self._convert(node, "its select", function_data, select), **labels}

    def _condition(self, node: Node[Any], condition: Condition) -> dict[str, Any]:
        field = {"field": condition.field} if condition.field else {}
        if not condition.test:
            return field
        return field | {condition.test: self._convert(node, "a test", plain, condition.than)}

    def _merge(self, node: Merge) -> dict[str, Any]:
        data: dict[str, Any] = {"merge": None}
        if not isinstance(node.reducer, str):
            data["reducer"] = self._convert(node, "its reducer", function_data, node.reducer)
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
                data["until"] = self._convert(node, "its until", function_data, node.until)
            parameter = {"state_input": node.state_input}
        elif isinstance(node, Map):
            data["over"] = None  # keeps its place; `_entry` fills it
            parallel = {} if node.max_parallel is None else {"max_parallel": node.max_parallel}
            failing = {} if node.on_item_error == "fail" else {"on_item_error": node.on_item_error}
            data |= {**parallel, **failing}
            parameter = {"item_input": node.item_input}
        else:
            parameter = {}
        return data | {name: value for name, value in parameter.items() if value is not None}

    def _body(self, body: Any, id: str, depth: int) -> dict[str, Any]:
        entries = list(body.entries.values())
        if len(entries) == 1 and body.name == id == entries[0].node.id and not body.outputs:
            node = entries[0].node
            alone = body_of(node, Graph)
            if (
                not (entries[0].after or entries[0].after_end)
                and list(alone.inputs) == list(body.inputs)
                and self.defaults.apply(node) is node
                and alone.fingerprint == body.fingerprint
            ):
                data = self._short(node, self._alone(node, depth))
                if not NEVER_ALONE.intersection(data):
                    return data
        return self.graph(body, depth + 1, id)

    def _alone(self, node: Node[Any], depth: int) -> dict[str, Any]:
        data = self._node(node, depth)
        data.pop("over", None)
        return data | self._policy(node, depth)

    def _output(self, node: Node[Any], output: Any) -> dict[str, Any]:
        return {"output": self._convert(node, "its output", write_type, output)}

    # -- policies ---------------------------------------------------------------------------

    def _policy(self, node: Node[Any], depth: int) -> dict[str, Any]:
        policy = node.policy
        if policy is DEFAULT_POLICY:
            return {}
        data: dict[str, Any] = {}
        if policy.retry is not None:
            data["retry"] = self._convert(node, "retry.on", _retry, policy.retry)
        for name in PLAIN_POLICY_FIELDS:
            value = getattr(policy, name)
            if value != getattr(DEFAULT_POLICY, name):
                data[name] = list(value) if isinstance(value, tuple) else value
        if policy.fallback is not NO_FALLBACK:
            data["fallback"] = self._fallback(node, policy, depth)
        return data

    def _fallback(self, node: Node[Any], policy: Policy, depth: int) -> dict[str, Any]:
        fallback = policy.fallback
        if isinstance(fallback, Node):
            id = {} if fallback.id == f"{node.id}_fallback" else {"id": fallback.id}
            outer, self.defaults = self.defaults, NO_DEFAULTS
            data = self._alone(fallback, depth)
            self.defaults = outer
            if NEVER_ALONE.intersection(data):
                raise DefinitionError(
                    f"{node.kind.value} {node.id!r} cannot be written because of its fallback: a "
                    f"{fallback.kind.value} cannot be a whole fallback; use a graph"
                )
            return {**id, **data}
        if isinstance(fallback, Graph):
            return self.graph(fallback, depth + 1, f"{node.id}_fallback")
        return {"value": self._convert(node, "its fallback", plain, fallback)}


def _parameter_fields(data: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the fields of a node that bind a parameter, with the parameter's name."""
    if "branch" in data:
        return {"branch": "value"}
    return {"pick": "value", "field": "field"} if "pick" in data else {}


def _choices(node: LLM[Any]) -> Any:
    """Return the `choices` of a node: words, or words with their labels."""
    labels = dict(node.choices)
    return list(labels) if all(word == label for word, label in labels.items()) else labels


def _order(after: Sequence[Any]) -> dict[str, Any]:
    """Return `after` and `when`, or only `after` if these two would change the order."""
    unlabelled = [other for other in after if isinstance(other, str)]
    labelled = [other for other in after if not isinstance(other, str)]
    when = {ref.id: _labels(ref) for ref in labelled}
    if [*unlabelled, *labelled] != list(after) or len(when) != len(labelled):
        return {"after": [_place(ref) for ref in after]}
    return {"after": _unwrap(unlabelled), "when": when}


def _place(ref: Any) -> Any:
    if isinstance(ref, str):
        return ref
    return {"node": ref.id, "label": _labels(ref)} if ref.labels else ref.id


def _source(source: Any) -> Any:
    """Return a ref, a collection or a constant in a collection as a file has it."""
    if isinstance(source, Ref):
        return _place(source)
    if not isinstance(source, Collection):
        return {"value": plain(source)}
    items = list(map(_source, source.items))
    if source.kind is dict:
        return {"mapping": dict(zip(map(_key, source.keys), items, strict=True))}
    return items if source.kind is list else {"tuple": items}


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise DefinitionError(f"the key {key!r:.60} is not text; use text keys")
    return str(plain(key))


def _labels(ref: Any) -> Any:
    """Return the labels of a ref as people write them: true, not the word."""
    labels = [label == "true" if label in _YES_NO else label for label in sorted(ref.labels)]
    return _unwrap(labels)


def _unwrap(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items


def _retry(retry: Retry) -> Any:
    default = Retry()
    data: dict[str, Any] = {
        field.name: getattr(retry, field.name)
        for field in fields(Retry)
        if getattr(retry, field.name) != getattr(default, field.name)
    }
    if "on" in data:
        data["on"] = [_error_name(kind) for kind in retry.on]
    return retry.attempts if data.keys() <= {"attempts"} else data


def _error_name(kind: Any) -> str:
    name: str = kind.__name__
    return name if ERRORS.get(name) is kind else reference_to(kind)
