"""Write a graph to a file; the ending selects the format."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Final

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.exporters.network import to_graphml
from dagorch.exporters.pictures.dot import to_dot
from dagorch.exporters.pictures.mermaid import to_mermaid
from dagorch.exporters.pictures.picture import to_pdf, to_png, to_svg
from dagorch.files import dump_graph
from dagorch.graph.graph import Graph
from dagorch.models.result import Result
from dagorch.private_files import private_write

__all__ = ["ENDINGS", "to_bytes", "write"]

_WRITERS: Final[dict[str, Callable[[Graph, Result | None], str | bytes]]] = {
    ".svg": to_svg,
    ".png": to_png,
    ".pdf": to_pdf,
    ".dot": to_dot,
    ".mmd": to_mermaid,
    ".graphml": to_graphml,
    ".json": lambda graph, _result: dump_graph(graph, "json"),
    ".yaml": lambda graph, _result: dump_graph(graph, "yaml"),
    ".yml": lambda graph, _result: dump_graph(graph, "yaml"),
}
ENDINGS: Final = tuple(_WRITERS)
"""The file endings that `write` knows."""


def write(graph: Graph, path: str | PathLike[str], result: Result | None = None) -> Path:
    """
    Write a graph to a file, in the format of its ending.

    `.svg`, `.png`, `.pdf` (extra `documents`), `.dot`, `.mmd` (Mermaid) and `.graphml` are
    pictures. `.yaml` and `.json` hold the graph itself, for `dagorch.files.load_graph`.

    Args:
        graph: The graph.
        path: Of the file; an existing file is replaced. A picture of a result may show what a
            model wrote, so only you may read the new file.
        result: Of a run of the graph, to draw it as it really unrolled.

    Returns:
        The path.

    Raises:
        DefinitionError: The ending is unknown, the graph does not compile or does not fit the
            format, or the file cannot be written.
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise DefinitionError(
            f"cannot write a graph to {str(file)!r}: its ending must be one of {', '.join(ENDINGS)}"
            f"{did_you_mean(ending, ENDINGS)}"
        )
    data = to_bytes(graph, ending, result)
    private_write(file, data, named=True, mode=0o666 if result is None else 0o600)
    return file


def to_bytes(graph: Graph, ending: str, result: Result | None = None) -> bytes:
    """Return the content of the file that `write` writes."""
    content = _WRITERS[ending](graph, result)
    return content.encode("utf-8") if isinstance(content, str) else content
