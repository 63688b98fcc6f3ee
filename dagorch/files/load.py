"""
Loading of graphs: read a file, validate it, construct the graph and compile it.

Every problem has a place `file:line:column`. The steps themselves are in modules of their own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from dagorch.errors import CycleError, DefinitionError, Problem
from dagorch.files.construct import GraphConstruction
from dagorch.files.stand_ins import StandIns
from dagorch.files.syntax import MAX_BYTES, decode, parse_text
from dagorch.files.tree import Malformed
from dagorch.files.validate import validate
from dagorch.graph.graph import Graph
from dagorch.models.several import several
from dagorch.models.truncate import truncate

__all__ = ["ENDINGS", "load_graph", "parse_graph"]

ENDINGS: Final = (".json", ".yaml", ".yml")
"""The endings of files that hold a graph."""

_MAX_LENGTH: Final = 2_000
_QUOTED: Final = re.compile(r"'([^']{1,200})'")


def load_graph(
    path: str | Path, *, modules: str | Iterable[str] = (), stand_ins: StandIns | None = None
) -> Graph:
    """
    Load a graph from a YAML or JSON file, and validate it.

    Nothing that the file names is imported, unless its module is allowed.

    Args:
        path: The file, of at most 2,000,000 bytes, 100,000 values and 10,000 nodes.
        modules: The modules whose functions and types the file may name. A package includes
            its modules.
        stand_ins: Makes stand-ins for names in other modules. The graph can be drawn, not run.

    Raises:
        DefinitionError: The file cannot be read or is not valid. `.problems` lists every
            problem with file, line and column.
        CycleError: The nodes form a cycle.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise DefinitionError(f"cannot read {str(file)!r}: {reason}") from None
    try:
        text = decode(data)
    except Malformed as error:
        raise _malformed_error(error, str(path)) from None
    return parse_graph(text, modules=modules, file=str(path), name=file.stem, stand_ins=stand_ins)


def parse_graph(
    text: str,
    *,
    modules: str | Iterable[str] = (),
    file: str = "<text>",
    name: str = "graph",
    stand_ins: StandIns | None = None,
) -> Graph:
    """
    Load a graph from text, as `load_graph` does from a file.

    Args:
        text: JSON if it begins with `{`, otherwise YAML.
        modules: As for `load_graph`.
        file: The name of the text in error messages.
        name: The name of the graph, if the text has none.
        stand_ins: As for `load_graph`.

    Example:
        >>> graph = parse_graph('''
        ... inputs: {topic: str}
        ... nodes:
        ...   angles: {prompt: "Three views on {topic}", output: "list[str]"}
        ...   report: {prompt: "Weigh these: {angles}"}
        ... ''')
        >>> [node.id for node in graph], graph.output_type()
        (['angles', 'report'], <class 'str'>)
        >>> parse_graph("nodes: {a: {promt: Hello}}")
        Traceback (most recent call last):
            ...
        dagorch.errors.DefinitionError: <text>: no kind of node has the field 'promt'; did you mean
        'prompt'? (<text>:1:13)
    """
    modules = several(modules, "modules")
    try:
        tree = parse_text(text)
        problems = validate(tree, file, modules if stand_ins is None else None)
    except Malformed as error:
        raise _malformed_error(error, file) from None
    if problems:
        raise DefinitionError(_truncate(problems), subject=file)
    assert tree is not None
    construction = GraphConstruction(file, modules, stand_ins)
    graph = construction.graph(tree, name)
    if construction.problems:
        problems = _locate(construction.problems, construction)
        raise DefinitionError(_truncate(problems), subject=file)
    try:
        graph.compile()
    except DefinitionError as error:
        default = construction.place(tree.position)
        problems = _truncate(_locate(error.problems, construction, default))
        if isinstance(error, CycleError):
            raise CycleError(problems, cycle=error.cycle, subject=file) from None
        raise DefinitionError(problems, subject=file) from None
    return graph


def _malformed_error(error: Malformed, file: str) -> DefinitionError:
    place = f"{file}:{error.position.line}:{error.position.column}"
    return DefinitionError([Problem(str(error), "", place)], subject=file)


def _truncate(problems: list[Problem]) -> list[Problem]:
    """Truncate the messages: an id in them can be as long as the file."""
    return [
        replace(problem, message=truncate(problem.message, _MAX_LENGTH)) for problem in problems
    ]


def _locate(
    problems: Iterable[Problem], construction: GraphConstruction, default: str = ""
) -> list[Problem]:
    """Move each problem from its node to the value that its message quotes, if there is one."""
    problems = list(problems)
    quoted: dict[str, set[str]] = defaultdict(set)
    for problem in problems:
        quoted[problem.where].update(_QUOTED.findall(problem.message))
    positions = {
        where: construction.nodes[where].positions_of(names)
        for where, names in quoted.items()
        if where in construction.nodes
    }
    located = []
    for problem in problems:
        where = problem.where or construction.input_places.get(problem.node, default)
        known = positions.get(problem.where, {})
        for name in _QUOTED.findall(problem.message):
            if name in known and name != problem.node:
                where = construction.place(known[name])
                break
        located.append(Problem(problem.message, problem.node, where))
    return located
