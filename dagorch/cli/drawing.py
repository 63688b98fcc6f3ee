"""`dagorch graph`: a pattern or a user's graph drawn into a file, or printed. Nothing is run."""

from __future__ import annotations

from pathlib import Path

from dagorch.cli.loading import SOME_TASK, load_graph
from dagorch.cli.patterns import Settings, orchestrator_for
from dagorch.errors import DefinitionError
from dagorch.exporters import to_mermaid, write

__all__ = ["draw"]


def draw(target: str, settings: Settings, out: Path | None) -> None:
    """
    Draw a graph.

    Raises:
        DefinitionError: There is no such graph, or the file cannot be written.
    """
    if ":" in target:
        if given := settings.given():
            raise DefinitionError(f"{', '.join(given)}: options of a pattern, not of {target!r}")
        graph = load_graph(target)
    else:
        graph = orchestrator_for(target, settings).graph(SOME_TASK)
    if out is None:
        print(to_mermaid(graph), end="")
    else:
        print(f"drawn: {write(graph, out)}")
