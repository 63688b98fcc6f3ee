"""`dagorch validate`: checks a graph file, or prints the schema of such files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Final

from dagorch.cli.loading import all_nodes, load_workflow, stand_ins_here
from dagorch.cli.streams import note, print_out
from dagorch.errors import DefinitionError
from dagorch.exporters.pictures.captions import kind_name, plural
from dagorch.files import ENDINGS, json_schema
from dagorch.graph.graph import Graph
from dagorch.models.clean import one_line

__all__ = ["print_schema", "validate_file"]

_MAX_LISTED: Final = 10


def validate_file(file: str | None, modules: Iterable[str]) -> None:
    """
    Check a graph file, and print what it contains.

    Raises:
        DefinitionError: No file is named, or it has a problem.
    """
    if file is None or not file.lower().endswith(ENDINGS):
        problem = "no file to validate" if file is None else f"{file!r} is not a graph file"
        raise DefinitionError(f"{problem}; name one that ends in {', '.join(ENDINGS)}")
    stand_ins = stand_ins_here()
    try:
        graph = load_workflow(file, modules, stand_ins)
    except DefinitionError:
        if stand_ins.unread:
            note(f"the parameters of {_listed(stand_ins.unread)} could not be read")
        raise
    assert isinstance(graph, Graph)
    counts = Counter(kind_name(node.kind.value) for node in all_nodes(graph))
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    nodes = plural(counts.total(), "node")
    inputs = f"; inputs: {', '.join(graph.inputs)}" if graph.inputs else ""
    print_out(one_line(f"ok: {file}: {nodes} ({kinds}){inputs}"))
    if stand_ins.names:
        homes = {name.partition(":")[0] for name in stand_ins.names}
        allow = " ".join(f"--allow {home}" for home in sorted(homes))
        print_out(
            one_line(
                f"not imported, so only the parameters were checked: {_listed(stand_ins.names)}; "
                f"{allow} checks them"
            )
        )
    if stand_ins.unread:
        print_out(one_line(f"the parameters of {_listed(stand_ins.unread)} could not be read"))


def _listed(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _MAX_LISTED} more" if len(listed) > _MAX_LISTED else ""
    return ", ".join(listed[:_MAX_LISTED]) + more


def print_schema() -> None:
    """Print the JSON Schema of graph files."""
    print_out(json.dumps(json_schema(), indent=2))
