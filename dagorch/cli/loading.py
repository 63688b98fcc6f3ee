"""What the user names: a graph's file, or `module:name` of a graph or what makes one of a task."""

from __future__ import annotations

import importlib
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dagorch import files
from dagorch.errors import DefinitionError, did_you_mean
from dagorch.graph.graph import NO_DEFAULT, Graph
from dagorch.nodes.base import Node
from dagorch.orchestrators import BaseOrchestrator

__all__ = ["every_node", "graph_of", "is_own", "load", "load_graph"]

_SOME_TASK = "the task"


def is_own(target: str) -> bool:
    """Whether it is the user's own: a file, or `module:name`; else the name of a pattern."""
    return ":" in target or target.lower().endswith(files.ENDINGS)


def every_node(graph: Graph) -> Iterator[Node[Any]]:
    """Give the nodes of a graph, those of bodies included."""
    graphs = deque([graph])
    while graphs:
        for node in graphs.popleft():
            yield node
            body = getattr(node, "body", None)
            if isinstance(body, Graph):
                graphs.append(body)


def load_graph(target: str, modules: Iterable[str] = ()) -> Graph:
    """Load a graph, or that of an orchestrator; otherwise as `load`."""
    found = load(target, modules)
    return graph_of(found) if isinstance(found, BaseOrchestrator) else found


def graph_of(orchestrator: BaseOrchestrator) -> Graph:
    """Give the graph of no task yet: a run must be given one."""
    graph = orchestrator.graph(_SOME_TASK)
    for given in graph.inputs.values():
        if given.default == _SOME_TASK:
            given.default = NO_DEFAULT
    return graph


def load(target: str, modules: Iterable[str] = ()) -> Graph | BaseOrchestrator:
    """
    Load a graph or an orchestrator; modules are looked for in the current folder, too.

    Args:
        target: A graph's file (`.yaml`, `.yml`, `.json`), or `module:name`, where the name is a
            `Graph`, an orchestrator, or a function or class that gives one when it is called
            without arguments.
        modules: Those that a file may name functions of.

    Raises:
        DefinitionError: The file is wrong; or the module cannot be imported, the name is not
            there, or it is none of these; what the user's code raised is the cause.
    """
    here = str(Path.cwd())
    modules = tuple(modules)
    if target.lower().endswith(files.ENDINGS):
        # Last, so that no file of the folder, which may be a stranger's, stands for a library.
        if modules and here not in sys.path:
            sys.path.append(here)
        return files.load_graph(target, modules=modules)
    if here not in sys.path:
        sys.path.insert(0, here)
    if modules:
        raise DefinitionError(f"--allow {modules[0]} is for graphs from a file, not {target!r}")
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise DefinitionError(f"{target!r} is not of the form module:name")
    found = _named(target, _imported(module_name), name)
    if callable(found) and not isinstance(found, Graph | BaseOrchestrator):
        try:
            found = found()
        except Exception as error:
            raise DefinitionError(f"{target} was called and failed: {_said(error)}") from error
    if not isinstance(found, Graph | BaseOrchestrator):
        raise DefinitionError(
            f"{target} is a {type(found).__name__}; "
            "name a Graph, an orchestrator, or a function that returns one of them"
        )
    return found


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise DefinitionError(f"module {name!r} cannot be imported: {_said(error)}") from error


def _named(target: str, module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            public = [known for known in dir(found) if not known.startswith("_")]
            raise DefinitionError(f"{target}: there is no {part!r}{did_you_mean(part, public)}")
        found = getattr(found, part)
    return found


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
