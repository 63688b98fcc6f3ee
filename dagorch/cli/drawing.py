"""`dagorch graph` and `show`: a workflow drawn into a file, or as text. Nothing is run."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from dagorch.cli.loading import graph_of, is_own, load_graph
from dagorch.cli.patterns import Settings, option_of, orchestrator_for
from dagorch.errors import DefinitionError
from dagorch.exporters import to_mermaid, to_text, write
from dagorch.graph.graph import Graph

__all__ = ["draw", "show"]


def draw(target: str, settings: Settings, out: Path | None, modules: Iterable[str] = ()) -> None:
    """
    Draw a graph.

    Raises:
        DefinitionError: There is no such graph, or the file cannot be written.
    """
    graph = _graph_of(target, settings, modules)
    if out is None:
        print(to_mermaid(graph), end="")
    else:
        print(f"drawn: {write(graph, out)}")


def show(target: str, settings: Settings, modules: Iterable[str] = ()) -> None:
    """
    Print a graph as text, as wide as the terminal; in ASCII where that is all it can show.

    Raises:
        DefinitionError: There is no such graph.
    """
    graph = _graph_of(target, settings, modules)
    try:
        "●├".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        ascii_only = True
    else:
        ascii_only = False
    print(to_text(graph, width=Console().width, ascii_only=ascii_only), end="")


def _graph_of(target: str, settings: Settings, modules: Iterable[str]) -> Graph:
    if not is_own(target):
        if allowed := tuple(modules):
            raise DefinitionError(f"--allow {allowed[0]} is for a graph's file, not for {target!r}")
        return graph_of(orchestrator_for(target, settings))
    if given := settings.given():
        options = ", ".join(map(option_of, given))
        raise DefinitionError(f"{options}: of a pattern, not of {target!r}")
    return load_graph(target, modules)
