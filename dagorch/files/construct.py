"""
Construction of the graph that a valid file describes.

What the file names is imported here, from allowed modules only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from dagorch.errors import DefinitionError, Problem
from dagorch.files.fields import ERRORS, PLAIN_LLM_FIELDS, PLAIN_POLICY_FIELDS
from dagorch.files.references import import_reference, is_allowed
from dagorch.files.stand_ins import StandIns
from dagorch.files.tree import Position, Tree
from dagorch.files.type_names import read_type
from dagorch.files.validate import fallback_form, is_graph, kind_of
from dagorch.graph.builder import body_of
from dagorch.graph.defaults import NO_DEFAULTS, Defaults
from dagorch.graph.definition import default_problem
from dagorch.graph.graph import NO_DEFAULT, Graph
from dagorch.graph.validate import MAX_PROBLEMS
from dagorch.models.llm import Message
from dagorch.models.policy import DEFAULT_POLICY, Policy, Retry
from dagorch.models.ref import Ref
from dagorch.nodes.ask import Ask
from dagorch.nodes.base import Node
from dagorch.nodes.branch import Branch
from dagorch.nodes.conditions import TESTS, Condition, Label, pick
from dagorch.nodes.container import Loop, Map, Subgraph
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM
from dagorch.nodes.merge import Merge

__all__ = ["GraphConstruction"]

_YES_NO: Final = ("true", "false")
_PLAIN_RETRY_FIELDS: Final = ("attempts", "base_delay_seconds", "multiplier", "max_delay_seconds")


class GraphConstruction:
    """
    Constructs the graph of one file.

    Args:
        file: The file's name, for places.
        modules: The modules that may be imported.
        stand_ins: Makes stand-ins for names in other modules; None if those are refused.

    Attributes:
        problems: What is wrong with single nodes and inputs.
        nodes: The values of each node, by the node's place `file:line:column`.
        input_places: The place of each input.
    """

    def __init__(
        self, file: str, modules: Iterable[str], stand_ins: StandIns | None = None
    ) -> None:
        self.file = file
        self.modules = tuple(modules)
        self.stand_ins = stand_ins
        self.problems: list[Problem] = []
        self.nodes: dict[str, Tree] = {}
        self.input_places: dict[str, str] = {}
        self._objects: dict[str, Any] = {}

    def graph(self, tree: Tree, name: str) -> Graph:
        """Construct a graph. A node that cannot be constructed is left out, and reported."""
        try:
            graph = Graph(
                tree.get("name", name),
                retry=self._retry(tree.get("retry")) if "retry" in tree else None,
                timeout_seconds=tree.get("timeout_seconds", None),
                provider=tree.get("provider", None),
            )
        except DefinitionError as error:
            self.problems.append(Problem(str(error), name, self.place(tree.position)))
            graph = Graph(name)
        self._add_inputs(graph, tree)
        nodes = tree["nodes"]
        for id, inner in nodes.value.items():
            if len(self.problems) >= MAX_PROBLEMS:
                break
            place = self.place(nodes.keys[id])
            self.nodes[place] = inner
            try:
                self._add(graph, id, inner)
            except DefinitionError as error:
                self.problems.append(Problem(str(error), id, place))
            else:
                entry = graph.entries[id]
                entry.code, entry.offset = place, 0
        outputs = tree.get("outputs", [])
        graph.output(*(Ref(graph, id) for id in _as_list(outputs)))
        return graph

    def place(self, position: Position) -> str:
        return f"{self.file}:{position.line}:{position.column}"

    def _add_inputs(self, graph: Graph, tree: Tree) -> None:
        if "inputs" not in tree:
            return
        inputs = tree["inputs"]
        if isinstance(inputs.value, list):
            for item in inputs.value:
                self.input_places.setdefault(item.value, self.place(item.position))
                graph.input(item.value)
            return
        for name, declared in inputs.value.items():
            place = self.place(inputs.keys[name])
            self.input_places.setdefault(name, place)
            fields = declared.value if isinstance(declared.value, dict) else {"type": declared}
            annotation: Any = Any
            if "type" in fields:
                try:
                    annotation = self._type(fields["type"].plain())
                except DefinitionError as error:
                    self.problems.append(Problem(str(error), name, place))
            default: Any = NO_DEFAULT
            if "default" in fields:
                default = fields["default"].plain()
                if problem := default_problem(name, annotation, default):
                    place = self.place(fields["default"].position)
                    self.problems.append(Problem(problem, name, place))
                    annotation = Any
            graph.input(name, annotation, default)

    def _add(self, graph: Graph, id: str, tree: Tree) -> None:
        node = self._node(id, tree, graph.defaults)
        after = [_ref(graph, place) for place in _as_list(tree.get("after", []))]
        after += [
            Ref(graph, branch, _labels(labels)) for branch, labels in tree.get("when", {}).items()
        ]
        after_end = [_ref(graph, place) for place in _as_list(tree.get("after_end", []))]
        if isinstance(node, Merge):
            graph.merge(
                id,
                [_ref(graph, place) for place in tree.get("merge")],
                reducer=node.reducer,
                wait=node.wait,
                tolerate_failures=node.tolerate_failures,
                after=after,
                after_end=after_end,
                policy=node.policy,
            )
        else:
            graph.insert(node, self._bindings(graph, node, tree), after, after_end)

    def _bindings(self, graph: Graph, node: Node[Any], tree: Tree) -> dict[str, Any]:
        inputs, values = tree.get("inputs", {}), tree.get("values", {})
        special: dict[str, Any] = {}
        if isinstance(node, Map):
            over = tree.get("over")
            special[node.parameter] = over if isinstance(over, list) else _source(graph, over)
        elif "pick" in tree:
            special = {"value": _ref(graph, tree.get("pick")), "field": tree.get("field")}
        elif "branch" in tree:
            special = {"value": _ref(graph, tree.get("branch"))}
        for name, times in Counter([*inputs, *values, *special]).items():
            if times > 1:
                raise DefinitionError(f"node {node.id!r}: input {name!r} is bound twice")
        sources: dict[str, Any] = {name: _source(graph, place) for name, place in inputs.items()}
        sources |= values
        return sources | special

    # -- nodes ------------------------------------------------------------------------------

    def _node(self, id: str, tree: Tree, defaults: Defaults = NO_DEFAULTS) -> Node[Any]:
        """Construct a node; `defaults` are those of a single node that is its body."""
        policy = self._policy(id, tree)
        kind = kind_of(tree)
        if kind == "llm":
            return self._llm(id, tree, policy)
        if kind == "function":
            return Function(
                id, self._function(tree["function"]), tree.get("expand", False), policy=policy
            )
        if kind == "pick":
            return Function(id, pick, policy=policy)
        if kind == "ask":
            return Ask(id, tree.get("ask"), self._output(tree, str), policy=policy)
        if kind == "branch":
            return self._branch(id, tree, policy)
        if kind == "select":
            labels = tree.get("labels", _YES_NO)
            select = self._function(tree["select"], takes_inputs=False)
            return Branch(id, select, labels, policy=policy)
        if kind == "merge":
            return Merge(
                id,
                self._reducer(tree),
                tree.get("wait", "all"),
                tree.get("tolerate_failures", False),
                policy=policy,
            )
        return self._container(id, tree, kind, policy, defaults)

    def _container(
        self, id: str, tree: Tree, kind: str, policy: Policy, defaults: Defaults
    ) -> Node[Any]:
        body = self._body(id, tree[kind], defaults)
        if kind == "loop":
            return Loop(
                id,
                body,
                tree.get("max_iterations"),
                self._until(tree),
                tree.get("state_input"),
                policy=policy,
            )
        if kind == "map":
            return Map(
                id,
                body,
                tree.get("item_input"),
                tree.get("max_parallel"),
                tree.get("on_item_error", "fail"),
                policy=policy,
            )
        return Subgraph(id, body, policy=policy)

    def _body(self, id: str, tree: Tree, defaults: Defaults) -> Graph:
        if is_graph(tree):
            return self.graph(tree, id)
        body = body_of(defaults.apply(self._node(id, tree, defaults)), Graph)
        place = self.place(tree.position)
        self.nodes[place] = tree
        for entry in body.entries.values():
            entry.code, entry.offset = place, 0
        return body

    def _llm(self, id: str, tree: Tree, policy: Policy) -> LLM[Any]:
        fields = {name: tree.get(name) for name in PLAIN_LLM_FIELDS if name in tree}
        if "messages" in tree:
            fields["messages"] = tuple(
                Message(message["role"], message["content"], tuple(message.get("images", ())))
                for message in tree.get("messages")
            )
        if "tools" in tree:
            fields["tools"] = tuple(self._function(tool) for tool in tree["tools"].value)
        fields["output"] = self._output(tree, None)
        if "choices" in tree:
            fields["choices"] = tree.get("choices")
        if "class" not in tree:
            return LLM(id, policy=policy, **fields)
        if (stand_ins := self._stand_ins_for(tree.get("class"))) is not None:
            stand_ins.annotation(tree.get("class"))
            return LLM(id, policy=policy, **fields)
        kind = self._object(tree.get("class"))
        if not (isinstance(kind, type) and issubclass(kind, LLM)):
            raise DefinitionError(f"node {id!r}: {tree.get('class')} is not a subclass of LLM")
        try:
            return kind(id, policy=policy, **fields, **_hashable(tree.get("with", {})))
        except TypeError as error:
            raise DefinitionError(f"node {id!r}: {tree.get('class')}: {error}") from None

    def _branch(self, id: str, tree: Tree, policy: Policy) -> Branch:
        field = tree.get("field", "")
        labels = tuple(tree.get("labels", _YES_NO))
        test = _test(tree)
        select: Any
        if test is not None:
            select = Condition(field, test, _hashable(tree.get(test)))
        else:
            otherwise = tree.get("otherwise")
            select = Label(field, () if otherwise is None else labels, otherwise)
        return Branch(id, select, labels, policy=policy)

    def _until(self, tree: Tree) -> Any:
        if "until" not in tree:
            return None
        until = tree["until"]
        if isinstance(until.value, str) or "function" in until:
            return self._function(until, takes_inputs=False)
        test = _test(until)
        than = None if test is None else _hashable(until.get(test))
        return Condition(until.get("field", ""), test or "", than)

    def _reducer(self, tree: Tree) -> Any:
        reducer = tree.get("reducer", "list")
        if isinstance(reducer, str) and ":" not in reducer:
            return reducer
        return self._function(tree["reducer"], takes_inputs=False)

    def _policy(self, id: str, tree: Tree) -> Policy:
        options = {name: _hashable(tree.get(name)) for name in PLAIN_POLICY_FIELDS if name in tree}
        if "retry" in tree:
            options["retry"] = self._retry(tree.get("retry"))
        if "fallback" in tree:
            fallback = tree["fallback"]
            form = fallback_form(fallback)
            if form == "value":
                options["fallback"] = fallback.get("value")
            elif form == "graph":
                options["fallback"] = self.graph(fallback, f"{id}_fallback")
            else:
                options["fallback"] = self._node(fallback.get("id", f"{id}_fallback"), fallback)
        return replace(DEFAULT_POLICY, **options) if options else DEFAULT_POLICY

    def _retry(self, fields: Any) -> Retry:
        if isinstance(fields, int):
            return Retry(fields)
        options = {name: fields[name] for name in _PLAIN_RETRY_FIELDS if name in fields}
        if "on" in fields:
            options["on"] = tuple(ERRORS.get(name) or self._error(name) for name in fields["on"])
            for kind in options["on"]:
                if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                    raise DefinitionError(f"retry.on: {kind!r:.80} is not an exception class")
        return Retry(**options)

    # -- references -------------------------------------------------------------------------

    def _output(self, tree: Tree, default: Any) -> Any:
        return self._type(tree.get("output")) if "output" in tree else default

    def _type(self, written: Any) -> Any:
        def find(reference: str) -> Any:
            stand_ins = self._stand_ins_for(reference)
            return self._object(reference) if stand_ins is None else stand_ins.annotation(reference)

        return read_type(written, find)

    def _error(self, reference: str) -> Any:
        stand_ins = self._stand_ins_for(reference)
        return self._object(reference) if stand_ins is None else stand_ins.error(reference)

    def _function(self, tree: Tree, *, takes_inputs: bool = True) -> Any:
        is_name = isinstance(tree.value, str)
        reference = tree.value if is_name else tree.get("function")
        settings = {} if is_name else tree.get("with", {})
        stand_ins = self._stand_ins_for(reference)
        function = (
            self._object(reference)
            if stand_ins is None
            else stand_ins.function(reference, takes_inputs=takes_inputs)
        )
        return partial(function, **settings) if settings else function

    def _stand_ins_for(self, reference: str) -> StandIns | None:
        """Return the maker of a name's stand-in; None if the name is imported."""
        module = reference.partition(":")[0]
        return None if is_allowed(module, self.modules) else self.stand_ins

    def _object(self, reference: str) -> Any:
        if reference not in self._objects:
            self._objects[reference] = import_reference(reference, self.modules)
        return self._objects[reference]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _ref(graph: Graph, place: Any) -> Ref[Any]:
    if isinstance(place, str):
        return Ref(graph, place)
    return Ref(graph, place["node"], _labels(place.get("label", [])))


def _source(graph: Graph, source: Any) -> Any:
    """Return what an input is bound to: a ref, a constant, or a collection of both."""
    if isinstance(source, list):
        return [_source(graph, item) for item in source]
    if isinstance(source, str) or "node" in source:
        return _ref(graph, source)
    [(form, items)] = source.items()
    if form == "mapping":
        return {key: _source(graph, item) for key, item in items.items()}
    if form == "tuple":
        return tuple(_source(graph, item) for item in items)
    return _source(graph, items) if form == "list" else items


def _labels(labels: Any) -> frozenset[str]:
    """Return labels as branches have them: `true` is the label `"true"`."""
    return frozenset(
        str(label).lower() if isinstance(label, bool) else label for label in _as_list(labels)
    )


def _test(tree: Tree) -> str | None:
    return next((key for key in tree.keys if key in TESTS), None)


def _hashable(value: Any) -> Any:
    """Replace lists by tuples, so that nodes can be hashed."""
    if isinstance(value, list):
        return tuple(map(_hashable, value))
    if isinstance(value, Mapping):
        return {name: _hashable(inner) for name, inner in value.items()}
    return value
