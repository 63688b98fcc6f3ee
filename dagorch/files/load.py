"""
Files to graphs: read, check, build, compile, and every problem told with file, line and column.

The steps themselves are next door.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from dagorch.errors import CycleError, DefinitionError, Problem
from dagorch.files.construct import Building
from dagorch.files.syntax import MAX_BYTES, decoded, parsed
from dagorch.files.tree import Malformed
from dagorch.files.validate import check
from dagorch.graph.graph import Graph
from dagorch.models.truncate import truncate

__all__ = ["ENDINGS", "load_graph", "parse_graph"]

ENDINGS: Final = (".json", ".yaml", ".yml")
"""Of files that hold a graph."""

_MAX_LENGTH: Final = 2_000
_QUOTED: Final = re.compile(r"'([^']{1,200})'")


def load_graph(path: str | Path, *, modules: Iterable[str] = ()) -> Graph:
    """
    Read a graph from a YAML or JSON file, and check all of it.

    Nothing that the file names is imported, unless its module was allowed.

    Args:
        path: The file. It has at most 2,000,000 bytes, 100,000 values and 10,000 nodes.
        modules: What it may name functions and types of; a package stands for all in it.

    Raises:
        DefinitionError: The file cannot be read, or something is wrong with it; `.problems`
            lists all of it, each with file, line and column.
        CycleError: So, and its nodes form a cycle.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        said = getattr(error, "strerror", None) or error
        raise DefinitionError(f"cannot read {str(file)!r}: {said}") from None
    try:
        text = decoded(data)
    except Malformed as error:
        raise _refused(error, str(path)) from None
    return parse_graph(text, modules=modules, file=str(path), name=file.stem)


def parse_graph(
    text: str, *, modules: Iterable[str] = (), file: str = "<text>", name: str = "graph"
) -> Graph:
    """
    Read a graph from a text: JSON if it begins with `{`, else YAML. Otherwise as `load_graph`.

    Args:
        text: What a file would hold.
        modules: As of `load_graph`.
        file: What errors call it.
        name: Of the graph, if the text gives none.

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
        dagorch.errors.DefinitionError: <text>: no kind of node 'promt'; did you mean 'prompt'?
        (<text>:1:13)
    """
    modules = tuple(modules)
    try:
        tree = parsed(text)
        problems = check(tree, file, modules)
    except Malformed as error:
        raise _refused(error, file) from None
    if problems:
        raise DefinitionError(_told(problems), subject=file)
    assert tree is not None
    building = Building(file, modules)
    graph = building.graph(tree, name)
    if building.problems:
        raise DefinitionError(_told(_sharpened(building.problems, building)), subject=file)
    try:
        graph.compile()
    except DefinitionError as error:
        problems = _told(_sharpened(error.problems, building, building.place(tree.spot)))
        if isinstance(error, CycleError):
            raise CycleError(problems, cycle=error.cycle, subject=file) from None
        raise DefinitionError(problems, subject=file) from None
    return graph


def _refused(error: Malformed, file: str) -> DefinitionError:
    place = f"{file}:{error.spot.line}:{error.spot.column}"
    return DefinitionError([Problem(str(error), "", place)], subject=file)


def _told(problems: list[Problem]) -> list[Problem]:
    """Give so much of each problem as can be read; ids may be as long as the file."""
    return [
        replace(problem, message=truncate(problem.message, _MAX_LENGTH)) for problem in problems
    ]


def _sharpened(
    problems: Iterable[Problem], building: Building, otherwise: str = ""
) -> list[Problem]:
    """Move each from its node to the very value that its message quotes, where there is one."""
    problems = list(problems)
    quoted: dict[str, set[str]] = defaultdict(set)
    for problem in problems:
        quoted[problem.where].update(_QUOTED.findall(problem.message))
    spots = {
        where: building.places[where].spots_saying(names)
        for where, names in quoted.items()
        if where in building.places
    }
    told = []
    for problem in problems:
        where = problem.where or building.inputs.get(problem.node, otherwise)
        found = spots.get(problem.where, {})
        for name in _QUOTED.findall(problem.message):
            if name in found and name != problem.node:
                where = building.place(found[name])
                break
        told.append(Problem(problem.message, problem.node, where))
    return told
