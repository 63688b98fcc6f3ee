"""`dagorch graph` and `dagorch show`: draw a workflow to a file, or print it as text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from dagorch.cli.loading import is_user_workflow, load_graph, stand_ins_here, taskless_graph
from dagorch.cli.options import option_name
from dagorch.cli.patterns import make_orchestrator
from dagorch.cli.streams import print_out
from dagorch.errors import DefinitionError
from dagorch.exporters import to_mermaid, to_text, write
from dagorch.files import ENDINGS
from dagorch.files.stand_ins import StandIns
from dagorch.graph.graph import Graph

__all__ = ["draw_graph", "print_graph"]


def draw_graph(
    target: str, settings: Mapping[str, Any], out: Path | None, modules: Iterable[str] = ()
) -> None:
    """
    Draw a graph to a file, or print it as Mermaid.

    Raises:
        DefinitionError: There is no such graph, or the file cannot be written.
    """
    # A file that is written from another keeps its types, so it needs the modules.
    is_file = out is not None and out.suffix.lower() in ENDINGS
    graph = _find_graph(target, settings, modules, None if is_file else stand_ins_here())
    if out is None:
        print_out(to_mermaid(graph), end="")
    else:
        print_out(f"drawn: {write(graph, out)}")


def print_graph(target: str, settings: Mapping[str, Any], modules: Iterable[str] = ()) -> None:
    """
    Print a graph as text, as wide as the terminal; in ASCII if its encoding requires that.

    Raises:
        DefinitionError: There is no such graph.
    """
    graph = _find_graph(target, settings, modules, stand_ins_here())
    try:
        "●├".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        ascii_only = True
    else:
        ascii_only = False
    print_out(to_text(graph, width=Console().width, ascii_only=ascii_only), end="")


def _find_graph(
    target: str, settings: Mapping[str, Any], modules: Iterable[str], stand_ins: StandIns | None
) -> Graph:
    if not is_user_workflow(target):
        if allowed := tuple(modules):
            raise DefinitionError(f"--allow {allowed[0]} is for graph files, not for {target!r}")
        return taskless_graph(make_orchestrator(target, settings))
    if settings:
        options = ", ".join(map(option_name, settings))
        raise DefinitionError(f"{options} cannot be used with {target!r}; set them in its code")
    return load_graph(target, modules, stand_ins)
