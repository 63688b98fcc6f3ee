"""Loads a workflow that the user names: a graph file, or `module:name`."""

from __future__ import annotations

import importlib
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dagorch import files
from dagorch.cli.folder_modules import import_from_folder
from dagorch.errors import DefinitionError, did_you_mean
from dagorch.files.stand_ins import StandIns
from dagorch.graph.graph import NO_DEFAULT, Graph
from dagorch.nodes.base import Node
from dagorch.orchestrators import BaseOrchestrator

__all__ = [
    "all_nodes", "is_user_workflow", "load_graph", "load_workflow", "stand_ins_here",
    "taskless_graph",
]  # fmt: skip

_PLACEHOLDER_TASK = "the task"


def is_user_workflow(target: str) -> bool:
    """Return whether a target is a file or `module:name`, and not the name of a pattern."""
    return ":" in target or target.lower().endswith(files.ENDINGS)


def all_nodes(graph: Graph) -> Iterator[Node[Any]]:
    """Yield the nodes of a graph and of the bodies in it."""
    graphs = deque([graph])
    while graphs:
        for node in graphs.popleft():
            yield node
            body = getattr(node, "body", None)
            if isinstance(body, Graph):
                graphs.append(body)


def load_graph(
    target: str, modules: Iterable[str] = (), stand_ins: StandIns | None = None
) -> Graph:
    """Load a graph, or the graph of an orchestrator; otherwise as `load_workflow`."""
    found = load_workflow(target, modules, stand_ins)
    return taskless_graph(found) if isinstance(found, BaseOrchestrator) else found


def taskless_graph(orchestrator: BaseOrchestrator) -> Graph:
    """Return the graph of an orchestrator, with the task as an input that has no default."""
    graph = orchestrator.graph(_PLACEHOLDER_TASK)
    for graph_input in graph.inputs.values():
        if graph_input.default == _PLACEHOLDER_TASK:
            graph_input.default = NO_DEFAULT
    return graph


def stand_ins_here() -> StandIns:
    """Return stand-ins for modules of `sys.path` and the current folder."""
    return StandIns([*sys.path, str(Path.cwd())])


def load_workflow(
    target: str, modules: Iterable[str] = (), stand_ins: StandIns | None = None
) -> Graph | BaseOrchestrator:
    """
    Load a graph or an orchestrator; modules may be in the current folder.

    Args:
        target: A graph file (`.yaml`, `.yml`, `.json`), or `module:name`. The name is a `Graph`,
            an orchestrator, or a function or class that returns one when called without
            arguments.
        modules: The modules whose functions a file may use.
        stand_ins: Makes stand-ins for other modules that a file names; the graph cannot run.

    Raises:
        DefinitionError: The file has a problem, the module cannot be imported, or the name is
            missing or something else. An exception of the user's code is its cause.
    """
    modules = tuple(modules)
    if target.lower().endswith(files.ENDINGS):
        import_from_folder(modules)
        return files.load_graph(target, modules=modules, stand_ins=stand_ins)
    if modules:
        raise DefinitionError(f"--allow {modules[0]} is for graph files, not for {target!r}")
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise DefinitionError(f"{target!r} does not have the form module:name")
    folder = str(Path.cwd())
    if folder not in sys.path:  # at the end, so that no file of the folder hides a library
        sys.path.append(folder)
    found = _attribute(target, _import(module_name), name)
    if callable(found) and not isinstance(found, Graph | BaseOrchestrator):
        try:
            found = found()
        except Exception as error:
            raise DefinitionError(f"{target} was called and failed: {_describe(error)}") from error
    if not isinstance(found, Graph | BaseOrchestrator):
        raise DefinitionError(
            f"{target} is a {type(found).__name__}; "
            "name a Graph, an orchestrator, or a function that returns one of them"
        )
    return found


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise DefinitionError(f"module {name!r} cannot be imported: {_describe(error)}") from error


def _attribute(target: str, module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            public = [known for known in dir(found) if not known.startswith("_")]
            raise DefinitionError(
                f"{target}: there is no {part!r}{_place(module)}{did_you_mean(part, public)}"
            )
        found = getattr(found, part)
    return found


def _place(module: Any) -> str:
    """Name the file that was imported, because a library's module comes before the folder's."""
    file = getattr(module, "__file__", None)
    return f" in {file}" if file else ""


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
