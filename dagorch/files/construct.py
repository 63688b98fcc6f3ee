"""
Building the graph that a file's values stand for, once they have been checked.

What the file names is imported here, and only what was allowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal

from dagorch.errors import DefinitionError, Problem
from dagorch.files.fields import ERRORS, PLAIN_LLM, PLAIN_POLICY
from dagorch.files.references import found
from dagorch.files.tree import Position, Tree
from dagorch.files.type_names import read_type
from dagorch.files.validate import fallback_form, is_graph, kind_of
from dagorch.graph.builder import body_of
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
from dagorch.nodes.deciding import Deciding
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM
from dagorch.nodes.merge import Merge

__all__ = ["Building"]

_YES_NO: Final = ("true", "false")
_RETRY: Final = ("attempts", "base_delay_seconds", "multiplier", "max_delay_seconds")


class Building:
    """
    Makes one file's graph.

    Args:
        file: Its name, for places.
        modules: Those that it may name.
    """

    def __init__(self, file: str, modules: Iterable[str]) -> None:
        self.file = file
        self.modules = tuple(modules)
        self.problems: list[Problem] = []
        self.places: dict[str, Tree] = {}
        """What stands at a place, by its `file:line:column`."""
        self.inputs: dict[str, str] = {}
        """Where inputs stand."""
        self._found: dict[str, Any] = {}

    def graph(self, tree: Tree, name: str) -> Graph:
        """Build a graph; what is wrong with its nodes one by one is in `problems`."""
        graph = Graph(tree.get("name", name))
        self._inputs(graph, tree)
        nodes = tree["nodes"]
        for id, inner in nodes.value.items():
            if len(self.problems) >= MAX_PROBLEMS:
                break
            place = self.place(nodes.keys[id])
            self.places[place] = inner
            try:
                self._add(graph, id, inner)
            except DefinitionError as error:
                self.problems.append(Problem(str(error), id, place))
            else:
                entry = graph.entries[id]
                entry.code, entry.offset = place, 0
        outputs = tree.get("outputs", [])
        graph.output(*(Ref(graph, id) for id in _listed(outputs)))
        return graph

    def place(self, spot: Position) -> str:
        return f"{self.file}:{spot.line}:{spot.column}"

    def _inputs(self, graph: Graph, tree: Tree) -> None:
        if "inputs" not in tree:
            return
        inputs = tree["inputs"]
        if isinstance(inputs.value, list):
            for item in inputs.value:
                self.inputs.setdefault(item.value, self.place(item.spot))
                graph.input(item.value)
            return
        for name, said in inputs.value.items():
            self.inputs.setdefault(name, self.place(inputs.keys[name]))
            full = said.value if isinstance(said.value, dict) else {"type": said}
            annotation: Any = Any
            if "type" in full:
                try:
                    annotation = self._type(full["type"].plain())
                except DefinitionError as error:
                    self.problems.append(Problem(str(error), name, self.place(inputs.keys[name])))
            default = full["default"].plain() if "default" in full else NO_DEFAULT
            graph.input(name, annotation, default)

    def _add(self, graph: Graph, id: str, tree: Tree) -> None:
        node = self._node(id, tree)
        after = [_ref(graph, place) for place in _listed(tree.get("after", []))]
        after += [
            Ref(graph, branch, _labels(labels)) for branch, labels in tree.get("when", {}).items()
        ]
        if isinstance(node, Merge):
            graph.merge(
                id,
                [_ref(graph, place) for place in tree.get("merge")],
                reducer=node.reducer,
                wait=node.wait,
                tolerate_failures=node.tolerate_failures,
                after=after,
                policy=node.policy,
            )
        else:
            graph.add(node, after=after, **self._bindings(graph, node, tree))

    def _bindings(self, graph: Graph, node: Node[Any], tree: Tree) -> dict[str, Any]:
        bound: dict[str, Any] = {
            name: _ref(graph, place) for name, place in tree.get("inputs", {}).items()
        }
        bound |= tree.get("values", {})
        special: dict[str, Any] = {}
        if isinstance(node, Map):
            over = tree.get("over")
            special[node.parameter] = over if isinstance(over, list) else _ref(graph, over)
        elif "pick" in tree:
            special = {"value": _ref(graph, tree.get("pick")), "field": tree.get("field")}
        elif "branch" in tree:
            special = {"value": _ref(graph, tree.get("branch"))}
        named = Counter([*tree.get("inputs", ()), *tree.get("values", ()), *special])
        for name, times in named.items():
            if times > 1:
                raise DefinitionError(f"node {node.id!r}: input {name!r} is bound twice")
        return bound | special

    # -- nodes ------------------------------------------------------------------------------

    def _node(self, id: str, tree: Tree) -> Node[Any]:
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
            return Branch(id, self._function(tree["select"]), labels, policy=policy)
        if kind == "merge":
            return Merge(
                id,
                self._reducer(tree),
                tree.get("wait", "all"),
                tree.get("tolerate_failures", False),
                policy=policy,
            )
        return self._container(id, tree, kind, policy)

    def _container(self, id: str, tree: Tree, kind: str, policy: Policy) -> Node[Any]:
        body = self._body(id, tree[kind])
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

    def _body(self, id: str, tree: Tree) -> Graph:
        if is_graph(tree):
            return self.graph(tree, id)
        body = body_of(self._node(id, tree), Graph)
        place = self.place(tree.spot)
        self.places[place] = tree
        for entry in body.entries.values():
            entry.code, entry.offset = place, 0
        return body

    def _llm(self, id: str, tree: Tree, policy: Policy) -> LLM[Any]:
        fields = {name: tree.get(name) for name in PLAIN_LLM if name in tree}
        if "messages" in tree:
            fields["messages"] = tuple(
                Message(turn["role"], turn["content"], tuple(turn.get("images", ())))
                for turn in tree.get("messages")
            )
        if "tools" in tree:
            fields["tools"] = tuple(self._function(tool) for tool in tree["tools"].value)
        fields["output"] = self._output(tree, None)
        if "choices" in tree:
            said = tree.get("choices")
            labels = tuple((said if isinstance(said, dict) else dict(zip(said, said))).items())  # noqa: B905  one list
            words: Any = tuple(word for word, _ in labels)
            return Deciding(
                id, labels=labels, policy=policy, **{**fields, "output": Literal[words]}
            )
        if "class" not in tree:
            return LLM(id, policy=policy, **fields)
        made = self._at(tree.get("class"))
        if not (isinstance(made, type) and issubclass(made, LLM)):
            raise DefinitionError(f"node {id!r}: {tree.get('class')} is no subclass of LLM")
        own = {name: _fixed(value) for name, value in tree.get("with", {}).items()}
        try:
            return made(id, policy=policy, **fields, **own)
        except TypeError as error:
            raise DefinitionError(f"node {id!r}: {tree.get('class')}: {error}") from None

    def _branch(self, id: str, tree: Tree, policy: Policy) -> Branch:
        field = tree.get("field", "")
        labels = tuple(tree.get("labels", _YES_NO))
        test = _test(tree)
        select: Any
        if test is not None:
            select = Condition(field, test, _fixed(tree.get(test)))
        else:
            otherwise = tree.get("otherwise")
            select = Label(field, () if otherwise is None else labels, otherwise)
        return Branch(id, select, labels, policy=policy)

    def _until(self, tree: Tree) -> Any:
        if "until" not in tree:
            return None
        said = tree["until"]
        if isinstance(said.value, str) or "function" in said:
            return self._function(said)
        test = _test(said)
        than = None if test is None else _fixed(said.get(test))
        return Condition(said.get("field", ""), test or "", than)

    def _reducer(self, tree: Tree) -> Any:
        said = tree.get("reducer", "list")
        return self._function(tree["reducer"]) if not isinstance(said, str) or ":" in said else said

    def _policy(self, id: str, tree: Tree) -> Policy:
        given = {name: tree.get(name) for name in PLAIN_POLICY if name in tree}
        for name in ("fallback_models", "resources"):
            if name in given:
                given[name] = tuple(given[name])
        if "retry" in tree:
            given["retry"] = self._retry(tree.get("retry"))
        if "fallback" in tree:
            said = tree["fallback"]
            form = fallback_form(said)
            if form == "value":
                given["fallback"] = said.get("value")
            elif form == "graph":
                given["fallback"] = self.graph(said, f"{id}_fallback")
            else:
                given["fallback"] = self._node(said.get("id", f"{id}_fallback"), said)
        return replace(DEFAULT_POLICY, **given) if given else DEFAULT_POLICY

    def _retry(self, said: Any) -> Retry:
        if isinstance(said, int):
            return Retry(said)
        given = {name: said[name] for name in _RETRY if name in said}
        if "on" in said:
            given["on"] = tuple(ERRORS.get(name) or self._at(name) for name in said["on"])
            for kind in given["on"]:
                if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                    raise DefinitionError(f"retry.on: {kind!r:.80} is no class of errors")
        return Retry(**given)

    # -- what is named ----------------------------------------------------------------------

    def _output(self, tree: Tree, default: Any) -> Any:
        return self._type(tree.get("output")) if "output" in tree else default

    def _type(self, said: Any) -> Any:
        return read_type(said, self._at)

    def _function(self, tree: Tree) -> Any:
        if isinstance(tree.value, str):
            return self._at(tree.value)
        given = tree.get("with", {})
        function = self._at(tree.get("function"))
        return partial(function, **given) if given else function

    def _at(self, reference: str) -> Any:
        if reference not in self._found:
            self._found[reference] = found(reference, self.modules)
        return self._found[reference]


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def _ref(graph: Graph, said: Any) -> Ref[Any]:
    if isinstance(said, str):
        return Ref(graph, said)
    return Ref(graph, said["node"], _labels(said.get("label", [])))


def _labels(said: Any) -> frozenset[str]:
    """Give labels as branches have them: `true` is the label `true`."""
    return frozenset(
        str(label).lower() if isinstance(label, bool) else label for label in _listed(said)
    )


def _test(tree: Tree) -> str | None:
    return next((key for key in tree.keys if key in TESTS), None)


def _fixed(value: Any) -> Any:
    """Give lists as tuples, which nodes are made of; they can be hashed."""
    if isinstance(value, list):
        return tuple(map(_fixed, value))
    if isinstance(value, Mapping):
        return {name: _fixed(inner) for name, inner in value.items()}
    return value
