"""
Validation of a file's values: every problem with its place, before anything is constructed.

Nothing that the file names is imported here. How nodes fit together is checked by the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, Final

from dagorch.errors import DefinitionError, Problem, did_you_mean
from dagorch.files.fields import (
    COMMON,
    CONDITION,
    ERRORS,
    GRAPH,
    KINDS,
    PLACE,
    SOURCES,
    WIRING,
    Field,
)
from dagorch.files.references import malformation, refusal
from dagorch.files.tree import Malformed, Position, Tree
from dagorch.files.type_names import read_type
from dagorch.graph.collection import MAX_DEPTH
from dagorch.graph.validate import MAX_PROBLEMS
from dagorch.nodes.base import check_id
from dagorch.nodes.reducers import REDUCERS
from dagorch.nodes.schema import mismatches, schema_problems
from dagorch.nodes.template import Template

__all__ = ["MAX_NODES", "NEVER_ALONE", "fallback_form", "is_graph", "kind_of", "validate"]

MAX_NODES: Final = 10_000
"""The most nodes in a file, those of bodies included."""

_MAIN_FIELDS: Final = {main: kind for kind, fields in KINDS.items() for main in fields.main}
_NOT_ALONE: Final = frozenset({*WIRING, "over"})
"""Fields that a node cannot have if it is a whole body or fallback."""
NEVER_ALONE: Final = frozenset({"pick", "branch", "merge"})
"""Kinds of node that name the nodes they read. Such a node cannot be a whole body."""


def kind_of(tree: Tree) -> str:
    """Return the kind of a valid node."""
    return next(_MAIN_FIELDS[key] for key in tree.keys if key in _MAIN_FIELDS)


def is_graph(tree: Tree) -> bool:
    """Whether a body is a graph. Otherwise it is one node."""
    return "nodes" in tree


def fallback_form(tree: Tree) -> str:
    """Return what a fallback is: `value`, `graph` or `node`."""
    if "value" in tree and len(tree.keys) == 1:
        return "value"
    return "graph" if is_graph(tree) else "node"


def validate(tree: Tree | None, file: str, modules: Iterable[str] | None) -> list[Problem]:
    """
    Return everything that is wrong with the values of a file.

    Args:
        tree: The values; None for an empty file.
        file: The file's name, for places.
        modules: The modules that the file may name; None permits every name.

    Raises:
        Malformed: The file has too many nodes.
    """
    validation = _Validation(file, None if modules is None else tuple(modules))
    if tree is None:
        validation.report("the file is empty; it needs nodes", Position(1, 1))
    else:
        with suppress(_TooManyProblemsError):
            validation.graph(tree, "")
    return validation.problems


class _TooManyProblemsError(Exception):
    """Raised to stop the validation when there are more problems than anyone reads."""


class _Validation:
    """
    The validation of one file.

    Attributes:
        checks: By the role of a field, the check of its value.
    """

    def __init__(self, file: str, modules: tuple[str, ...] | None) -> None:
        self.file = file
        self.refusal: Callable[[str], str] = (
            malformation if modules is None else partial(refusal, modules=modules)
        )
        self.problems: list[Problem] = []
        self.nodes = 0
        self.checks: Mapping[str, Callable[[Tree, str], None]] = {
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
            "sources": self._sources,
            "over": self._over,
            "inputs": self._inputs,
            "nodes": self._nodes,
        }

    def report(self, message: str, position: Position, node: str = "") -> None:
        """Add a problem, or stop the validation if there are too many."""
        place = f"{self.file}:{position.line}:{position.column}"
        if len(self.problems) == MAX_PROBLEMS:
            self.problems.append(Problem("too many problems; validation stopped here", node, place))
            raise _TooManyProblemsError
        self.problems.append(Problem(message, node, place))

    # -- graphs and nodes -------------------------------------------------------------------

    def graph(self, tree: Tree, node: str) -> None:
        if not self._is_mapping(tree, "a graph is a mapping with nodes", node):
            return
        self._fields(tree, GRAPH, "a graph", node)
        if "nodes" not in tree:
            hint = did_you_mean("nodes", tree.keys)
            self.report(f"a graph needs nodes{hint}", tree.position, node)
        outputs = tree.get("outputs", [])
        known = tree["nodes"].value if "nodes" in tree else {}
        listed = outputs if isinstance(outputs, list) else [outputs]
        for place, name in enumerate(listed):
            if isinstance(name, str) and isinstance(known, dict) and name not in known:
                path = (place,) if isinstance(outputs, list) else ()
                position = tree["outputs"].position_of(path)
                self.report(
                    f"output {name!r} is not a node{did_you_mean(name, known)}", position, node
                )

    def _nodes(self, tree: Tree, node: str) -> None:
        if not self._is_mapping(tree, "nodes must be a mapping of id to node", node):
            return
        if not tree.keys:
            self.report("a graph needs at least one node", tree.position, node)
        for id in tree.keys:
            self.nodes += 1
            if self.nodes > MAX_NODES:
                raise Malformed(f"the file has more than {MAX_NODES:,} nodes", tree.keys[id])
            self._id(id, tree.keys[id])
            self._node(tree[id], id)

    def _node(self, tree: Tree, id: str, *, alone: bool = False) -> None:
        if not self._is_mapping(tree, f"node {id!r} is a mapping of fields", id):
            return
        mains = [key for key in tree.keys if key in _MAIN_FIELDS]
        if len(mains) != 1:
            self._report_unknown_kind(tree, id, mains)
            return
        kind = KINDS[_MAIN_FIELDS[mains[0]]]
        own = {**kind.fields, **COMMON}
        if alone:
            for key in [key for key in tree.keys if key in _NOT_ALONE | NEVER_ALONE]:
                self.report(
                    f"{key!r} is for nodes of a graph, and this node is a whole body or fallback; "
                    "make that a graph with nodes:, or remove the field",
                    tree.keys[key],
                    id,
                )
        required = [key for key in kind.required if not (alone and key in _NOT_ALONE)]
        for key in [key for key in required if key not in tree]:
            self.report(f"node {id!r} needs {key!r} beside {mains[0]!r}", tree.position, id)
        self._fields(tree, own, f"node {id!r}", id)
        if "branch" in tree:
            self._branch(tree, id)
        for key in tree.keys if kind is KINDS["llm"] else ():
            if key == "with" and "class" not in tree:
                self.report("'with' needs 'class' beside it", tree.keys[key], id)
            if key == "choices" and "output" in tree:
                self.report(
                    "'choices' already define the output; remove one of them", tree.keys[key], id
                )

    def _report_unknown_kind(self, tree: Tree, id: str, mains: list[str]) -> None:
        if mains:
            fields = " and ".join(map(repr, mains))
            self.report(
                f"node {id!r} has {fields}, which are different kinds of node; keep one of them",
                tree.keys[mains[1]],
                id,
            )
            return
        for key in tree.keys:
            others = [*COMMON, *(name for kind in KINDS.values() for name in kind.fields)]
            if key not in others and (hint := did_you_mean(key, _MAIN_FIELDS)):
                self.report(f"no kind of node has the field {key!r}{hint}", tree.keys[key], id)
                return
        if "kind" in tree or "type" in tree:
            key = "kind" if "kind" in tree else "type"
            name = str(tree.get(key))
            known = KINDS.get(name)
            hint = f"; write {known.main[0]}: ..." if known else did_you_mean(name, _MAIN_FIELDS)
            fields = ", ".join(_MAIN_FIELDS)
            self.report(
                f"a node's kind is set by one of the fields {fields}, not by {key!r}{hint}",
                tree.keys[key],
                id,
            )
            return
        fields = ", ".join(_MAIN_FIELDS)
        self.report(
            f"node {id!r} does nothing; it needs one of the fields {fields}", tree.position, id
        )

    def _branch(self, tree: Tree, id: str) -> None:
        tests = [key for key in CONDITION["properties"] if key != "field" and key in tree]
        if len(tests) > 1:
            self.report(
                f"node {id!r} has {' and '.join(map(repr, tests))}; keep one of these tests",
                tree.keys[tests[1]],
                id,
            )
        if tests and "otherwise" in tree:
            self.report(
                "the result of a test is true or false; remove 'otherwise'",
                tree.keys["otherwise"],
                id,
            )
        labels = tree.get("labels")
        if not tests and "otherwise" in tree and isinstance(labels, list):
            other = tree.get("otherwise")
            if other not in labels:
                hint = did_you_mean(str(other), map(str, labels))
                self.report(
                    f"{other!r} is not one of the labels{hint}", tree["otherwise"].position, id
                )

    # -- fields -----------------------------------------------------------------------------

    def _fields(self, tree: Tree, known: Mapping[str, Field], what: str, node: str) -> None:
        for key, position in tree.keys.items():
            field = known.get(key)
            if field is None:
                hint = did_you_mean(key, known) or f"; its fields are {', '.join(known)}"
                self.report(f"{what} has no field {key!r:.80}{hint}", position, node)
                continue
            inner = tree[key]
            is_plain = field.role not in ("body", "fallback", "nodes", "until", "over")
            found = mismatches(inner.plain(), field.schema) if is_plain else ()
            wrong = list(islice(found, MAX_PROBLEMS + 1))
            for path, message in wrong:
                named = ".".join(map(str, (key, *path)))
                self.report(
                    f"{named} {message}", inner.position_of(path) if path else position, node
                )
            if field.role and not wrong:
                self.checks[field.role](inner, node)

    def _is_mapping(self, tree: Tree, what: str, node: str) -> bool:
        if isinstance(tree.value, dict):
            return True
        found = "a list" if isinstance(tree.value, list) else repr(tree.value)
        self.report(f"{what}, not {found:.60}", tree.position, node)
        return False

    def _id(self, id: str, position: Position) -> None:
        try:
            check_id(id)
        except DefinitionError as error:
            self.report(str(error), position, id)

    def _inputs(self, tree: Tree, node: str) -> None:
        if isinstance(tree.value, list):
            for item in tree.value:
                self._id(item.value, item.position)
            return
        for name in tree.keys:
            self._id(name, tree.keys[name])
            declared = tree[name]
            if isinstance(declared.value, str):
                self._type(declared, node)
            elif "type" in declared:
                self._type(declared["type"], node)

    def _sources(self, tree: Tree, node: str) -> None:
        for name, position in tree.keys.items():
            self._source(tree[name], position, f"inputs.{name}", node, MAX_DEPTH)

    def _over(self, tree: Tree, node: str) -> None:
        if not isinstance(tree.value, list):  # a list is the items themselves
            self._source(tree, tree.position, "over", node, MAX_DEPTH)

    def _source(self, tree: Tree, position: Position, name: str, node: str, depth: int) -> None:
        form = "list" if isinstance(tree.value, list) else ""
        written = next((form for form in SOURCES if form in tree), "")
        if written:
            form = written
            for key in tree.keys:
                if key != form:
                    self.report(f"{name} has {form!r} and {key!r}; keep one", tree.keys[key], node)
            tree, position, name = tree[form], tree.keys[form], f"{name}.{form}"
        elif isinstance(tree.value, dict) and "node" not in tree:
            keys = ("node", *SOURCES)
            hint = did_you_mean(next(iter(tree.keys), ""), keys)
            self.report(f"{name} needs one of the keys {', '.join(keys)}{hint}", position, node)
            return
        wrong = list(mismatches(tree.plain(), SOURCES.get(form, PLACE)))
        for path, message in wrong:
            place = tree.position_of(path) if path else position
            self.report(f"{'.'.join(map(str, (name, *path)))} {message}", place, node)
        if wrong or form in ("", "value"):
            return
        if depth == 0:
            message = f"collections are nested more than {MAX_DEPTH} deep; flatten them"
            self.report(message, position, node)
            return
        if form == "mapping":
            items = [(tree[key], tree.keys[key], key) for key in tree.keys]
        else:
            items = [(item, item.position, str(index)) for index, item in enumerate(tree.value)]
        for item, place, key in items:
            self._source(item, place, f"{name}.{key}", node, depth - 1)

    def _template(self, tree: Tree, node: str) -> None:
        texts = [turn["content"] for turn in tree.value] if isinstance(tree.value, list) else [tree]
        for text in texts:
            try:
                Template(text.value)
            except DefinitionError as error:
                self.report(str(error), text.position, node)

    def _type(self, tree: Tree, node: str) -> None:
        if isinstance(tree.value, dict):
            for path, message in schema_problems(tree.plain()):
                self.report(f"JSON Schema: {message}", tree.position_of(path), node)
            return
        refusals: list[str] = []

        def find(reference: str) -> Any:
            if problem := self.refusal(reference):
                refusals.append(problem)
            return list  # stands for any class that takes arguments

        try:
            read_type(tree.value, find)
        except DefinitionError as error:
            self.report(str(error), tree.position, node)
        for problem in refusals:
            self.report(problem, tree.position, node)

    def _function(self, tree: Tree, node: str) -> None:
        reference = tree if isinstance(tree.value, str) else tree["function"]
        if problem := self.refusal(reference.value):
            self.report(problem, reference.position, node)

    def _functions(self, tree: Tree, node: str) -> None:
        for item in tree.value:
            self._function(item, node)

    def _reducer(self, tree: Tree, node: str) -> None:
        name = tree.value
        if not isinstance(name, str) or ":" in name:
            self._function(tree, node)
        elif name not in REDUCERS:
            known = did_you_mean(name, REDUCERS) or f"; use one of {', '.join(REDUCERS)}"
            self.report(f"no reducer {name!r}{known}", tree.position, node)

    def _until(self, tree: Tree, node: str) -> None:
        is_function = isinstance(tree.value, str) or "function" in tree
        wanted = KINDS["loop"].fields["until"].schema if is_function else CONDITION
        if wrong := list(mismatches(tree.plain(), wanted)):
            for path, message in wrong:
                named = ".".join(map(str, ("until", *path)))
                self.report(f"{named} {message}", tree.position_of(path), node)
            return
        if is_function:
            self._function(tree, node)
            return
        tests = [key for key in tree.keys if key != "field"]
        if len(tests) > 1:
            self.report(
                f"until makes one test, not {len(tests)}; keep one", tree.keys[tests[1]], node
            )
        if not tree.keys:
            self.report("until tests nothing; add a field or a test", tree.position, node)

    def _errors(self, tree: Tree, node: str) -> None:
        for item in tree["on"].value if "on" in tree else ():
            if item.value in ERRORS:
                continue
            if ":" in item.value:
                self._function(item, node)
            else:
                hint = did_you_mean(item.value, ERRORS) or "; write module:Name"
                self.report(f"no error {item.value!r:.80}{hint}", item.position, node)

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
                self._id(tree.get("id"), tree["id"].position)
            self._node(_without(tree, "id"), node, alone=True)


def _without(tree: Tree, key: str) -> Tree:
    rest = Tree(tree.position, {name: inner for name, inner in tree.value.items() if name != key})
    rest.keys = {name: position for name, position in tree.keys.items() if name != key}
    return rest
