"""
Checking a file's values against the format: every problem with its place, before anything is made.

Nothing is imported here. How nodes fit together is for the graph's own checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from dagorch.errors import DefinitionError, Problem, did_you_mean
from dagorch.files.fields import COMMON, CONDITION, ERRORS, GRAPH, KINDS, WIRING, Field
from dagorch.files.references import refusal
from dagorch.files.tree import Malformed, Position, Tree
from dagorch.files.type_names import read_type
from dagorch.graph.validate import MAX_PROBLEMS
from dagorch.nodes.base import check_id
from dagorch.nodes.reducers import REDUCERS
from dagorch.nodes.schema import misfits, schema_problems
from dagorch.nodes.template import Template

__all__ = ["MAX_NODES", "NEVER_ALONE", "check", "fallback_form", "is_graph", "kind_of"]

MAX_NODES: Final = 10_000
"""That a file may have, those of bodies included."""

_MAINS: Final = {main: kind for kind, told in KINDS.items() for main in told.main}
_NOT_ALONE: Final = frozenset({*WIRING, "over"})
"""What a node that is a body, or a fallback, by itself has no use for."""
NEVER_ALONE: Final = frozenset({"pick", "branch", "merge"})
"""Kinds of node that say of others what they read, so that none is a body by itself."""


def kind_of(tree: Tree) -> str:
    """Give the kind of a node that has been checked."""
    return next(_MAINS[key] for key in tree.keys if key in _MAINS)


def is_graph(tree: Tree) -> bool:
    """Whether a body is a graph; else it is one node."""
    return "nodes" in tree


def fallback_form(tree: Tree) -> str:
    """Tell what a fallback is: `value`, `graph` or `node`."""
    if "value" in tree and len(tree.keys) == 1:
        return "value"
    return "graph" if is_graph(tree) else "node"


def check(tree: Tree | None, file: str, modules: Iterable[str]) -> list[Problem]:
    """
    Tell everything that is wrong with a file by itself.

    Raises:
        Malformed: It has too many nodes.
    """
    checking = _Checking(file, tuple(modules))
    if tree is None:
        checking.tell("the file is empty", Position(1, 1))
    else:
        with suppress(_EnoughError):
            checking.graph(tree, "")
    return checking.problems


class _EnoughError(Exception):
    """So many problems that nobody reads more."""


class _Checking:
    """One walk over a file."""

    def __init__(self, file: str, modules: tuple[str, ...]) -> None:
        self.file = file
        self.modules = modules
        self.problems: list[Problem] = []
        self.nodes = 0
        self.roles: Mapping[str, Callable[[Tree, str], None]] = {
            "template": self._template,
            "type": self._type,
            "function": self._function,
            "functions": self._functions,
            "class": self._function,
            "until": self._until,
            "reducer": self._reducer,
            "errors": self._errors,
            "body": self._body,
            "fallback": self._fallback,
            "inputs": self._inputs,
            "nodes": self._nodes,
        }

    def tell(self, message: str, spot: Position, node: str = "") -> None:
        place = f"{self.file}:{spot.line}:{spot.column}"
        if len(self.problems) == MAX_PROBLEMS:
            self.problems.append(Problem("and more; this is where reading stopped", node, place))
            raise _EnoughError
        self.problems.append(Problem(message, node, place))

    # -- graphs and nodes -------------------------------------------------------------------

    def graph(self, tree: Tree, node: str) -> None:
        if not self._is_mapping(tree, "a graph is a mapping with nodes", node):
            return
        self._fields(tree, GRAPH, "a graph", node)
        if "nodes" not in tree:
            hint = did_you_mean("nodes", tree.keys)
            self.tell(f"a graph needs nodes{hint}", tree.spot, node)
        outputs = tree.get("outputs", [])
        known = tree["nodes"].value if "nodes" in tree else {}
        listed = outputs if isinstance(outputs, list) else [outputs]
        for place, name in enumerate(listed):
            if isinstance(name, str) and isinstance(known, dict) and name not in known:
                spot = tree["outputs"].spot_of((place,) if isinstance(outputs, list) else ())
                self.tell(f"output {name!r} is no node{did_you_mean(name, known)}", spot, node)

    def _nodes(self, tree: Tree, node: str) -> None:
        if not self._is_mapping(tree, "nodes must be a mapping of id to node", node):
            return
        if not tree.keys:
            self.tell("a graph needs at least one node", tree.spot, node)
        for id in tree.keys:
            self.nodes += 1
            if self.nodes > MAX_NODES:
                raise Malformed(f"the file has more than {MAX_NODES:,} nodes", tree.keys[id])
            self._id(id, tree.keys[id])
            self._node(tree[id], id)

    def _node(self, tree: Tree, id: str, *, alone: bool = False) -> None:
        if not self._is_mapping(tree, f"node {id!r} is a mapping of fields", id):
            return
        mains = [key for key in tree.keys if key in _MAINS]
        if len(mains) != 1:
            self._no_kind(tree, id, mains)
            return
        kind = KINDS[_MAINS[mains[0]]]
        own = {**kind.fields, **COMMON}
        if alone:
            for key in [key for key in tree.keys if key in _NOT_ALONE | NEVER_ALONE]:
                self.tell(
                    f"{key!r} is for nodes of a graph; a node that stands alone takes the inputs "
                    "of what is around it: write nodes: to say more",
                    tree.keys[key],
                    id,
                )
        required = [key for key in kind.required if not (alone and key in _NOT_ALONE)]
        for key in [key for key in required if key not in tree]:
            self.tell(f"node {id!r} needs {key!r} beside {mains[0]!r}", tree.spot, id)
        self._fields(tree, own, f"node {id!r}", id)
        if "branch" in tree:
            self._branch(tree, id)
        if any(key in tree and "after" in tree[key] for key in ("inputs", "values")):
            self.tell("an input called 'after' takes what has its name alone", tree.spot, id)
        for key in tree.keys if kind is KINDS["llm"] else ():
            if key == "with" and "class" not in tree:
                self.tell("'with' needs 'class' beside it", tree.keys[key], id)
            if key == "choices" and ("output" in tree or "class" in tree):
                self.tell("'choices' say what the output is already", tree.keys[key], id)

    def _no_kind(self, tree: Tree, id: str, mains: list[str]) -> None:
        if mains:
            self.tell(f"node {id!r} has {' and '.join(map(repr, mains))}: one of them tells what "
                      "it is", tree.keys[mains[1]], id)  # fmt: skip
            return
        for key in tree.keys:
            others = [*COMMON, *(name for kind in KINDS.values() for name in kind.fields)]
            if key not in others and (hint := did_you_mean(key, _MAINS)):
                self.tell(f"no kind of node {key!r}{hint}", tree.keys[key], id)
                return
        if "kind" in tree or "type" in tree:
            key = "kind" if "kind" in tree else "type"
            said = str(tree.get(key))
            known = KINDS.get(said)
            hint = f"; write {known.main[0]}: ..." if known else did_you_mean(said, _MAINS)
            self.tell(
                f"the kind of a node is told by one of {', '.join(_MAINS)}, not by {key!r}{hint}",
                tree.keys[key],
                id,
            )
            return
        self.tell(f"node {id!r} does nothing; it needs one of {', '.join(_MAINS)}", tree.spot, id)

    def _branch(self, tree: Tree, id: str) -> None:
        tests = [key for key in CONDITION["properties"] if key != "field" and key in tree]
        if len(tests) > 1:
            self.tell(
                f"node {id!r} has {' and '.join(map(repr, tests))}; a branch makes one test",
                tree.keys[tests[1]],
                id,
            )
        if tests and "otherwise" in tree:
            self.tell("a test is true or false, never otherwise", tree.keys["otherwise"], id)
        labels = tree.get("labels")
        if not tests and "otherwise" in tree and isinstance(labels, list):
            other = tree.get("otherwise")
            if other not in labels:
                hint = did_you_mean(str(other), map(str, labels))
                self.tell(f"{other!r} is not among the labels{hint}", tree["otherwise"].spot, id)

    # -- fields -----------------------------------------------------------------------------

    def _fields(self, tree: Tree, known: Mapping[str, Field], what: str, node: str) -> None:
        for key, spot in tree.keys.items():
            field = known.get(key)
            if field is None:
                hint = did_you_mean(key, known) or f"; there are {', '.join(known)}"
                self.tell(f"{what} has no field {key!r:.80}{hint}", spot, node)
                continue
            inner = tree[key]
            is_plain = field.role not in ("body", "fallback", "nodes", "until")
            found = misfits(inner.plain(), field.schema) if is_plain else ()
            wrong = list(islice(found, MAX_PROBLEMS + 1))
            for path, message in wrong:
                named = ".".join(map(str, (key, *path)))
                self.tell(f"{named} {message}", inner.spot_of(path) if path else spot, node)
            if field.role and not wrong:
                self.roles[field.role](inner, node)

    def _is_mapping(self, tree: Tree, what: str, node: str) -> bool:
        if isinstance(tree.value, dict):
            return True
        found = "a list" if isinstance(tree.value, list) else repr(tree.value)
        self.tell(f"{what}, not {found:.60}", tree.spot, node)
        return False

    def _id(self, id: str, spot: Position) -> None:
        try:
            check_id(id)
        except DefinitionError as error:
            self.tell(str(error), spot, id)

    def _inputs(self, tree: Tree, node: str) -> None:
        if isinstance(tree.value, list):
            for item in tree.value:
                self._id(item.value, item.spot)
            return
        for name in tree.keys:
            self._id(name, tree.keys[name])
            said = tree[name]
            if isinstance(said.value, str):
                self._type(said, node)
            elif "type" in said:
                self._type(said["type"], node)

    def _template(self, tree: Tree, node: str) -> None:
        turns = [turn["content"] for turn in tree.value] if isinstance(tree.value, list) else [tree]
        for turn in turns:
            try:
                Template(turn.value)
            except DefinitionError as error:
                self.tell(str(error), turn.spot, node)

    def _type(self, tree: Tree, node: str) -> None:
        if isinstance(tree.value, dict):
            for path, message in schema_problems(tree.plain()):
                self.tell(f"JSON Schema: {message}", tree.spot_of(path), node)
            return
        refused: list[str] = []

        def find(reference: str) -> Any:
            if said := refusal(reference, self.modules):
                refused.append(said)
            return list  # as good as any: it takes arguments

        try:
            read_type(tree.value, find)
        except DefinitionError as error:
            self.tell(str(error), tree.spot, node)
        for said in refused:
            self.tell(said, tree.spot, node)

    def _function(self, tree: Tree, node: str) -> None:
        named = tree if isinstance(tree.value, str) else tree["function"]
        if said := refusal(named.value, self.modules):
            self.tell(said, named.spot, node)

    def _functions(self, tree: Tree, node: str) -> None:
        for item in tree.value:
            self._function(item, node)

    def _reducer(self, tree: Tree, node: str) -> None:
        name = tree.value
        if not isinstance(name, str) or ":" in name:
            self._function(tree, node)
        elif name not in REDUCERS:
            known = did_you_mean(name, REDUCERS) or f"; there are {', '.join(REDUCERS)}"
            self.tell(f"no reducer {name!r}{known}", tree.spot, node)

    def _until(self, tree: Tree, node: str) -> None:
        is_function = isinstance(tree.value, str) or "function" in tree
        wanted = KINDS["loop"].fields["until"].schema if is_function else CONDITION
        if wrong := list(misfits(tree.plain(), wanted)):
            for path, message in wrong:
                named = ".".join(map(str, ("until", *path)))
                self.tell(f"{named} {message}", tree.spot_of(path), node)
            return
        if is_function:
            self._function(tree, node)
            return
        tests = [key for key in tree.keys if key != "field"]
        if len(tests) > 1:
            self.tell(f"until makes one test, not {len(tests)}", tree.keys[tests[1]], node)
        if not tree.keys:
            self.tell("until tests nothing; give it a field, or a test", tree.spot, node)

    def _errors(self, tree: Tree, node: str) -> None:
        for item in tree["on"].value if "on" in tree else ():
            if item.value in ERRORS:
                continue
            if ":" in item.value:
                self._function(item, node)
            else:
                hint = did_you_mean(item.value, ERRORS) or "; give module:Name"
                self.tell(f"no error {item.value!r:.80}{hint}", item.spot, node)

    def _body(self, tree: Tree, node: str) -> None:
        if isinstance(tree.value, dict) and not is_graph(tree):
            self._node(tree, node, alone=True)
        else:
            self.graph(tree, node)

    def _fallback(self, tree: Tree, node: str) -> None:
        if not self._is_mapping(tree, "fallback must be {value: ...}, a node, or a graph", node):
            return
        form = fallback_form(tree)
        if form == "graph":
            self.graph(tree, node)
        elif form == "node":
            if "id" in tree:
                self._id(tree.get("id"), tree["id"].spot)
            self._node(_without(tree, "id"), node, alone=True)


def _without(tree: Tree, key: str) -> Tree:
    rest = Tree(tree.spot, {name: inner for name, inner in tree.value.items() if name != key})
    rest.keys = {name: spot for name, spot in tree.keys.items() if name != key}
    return rest
