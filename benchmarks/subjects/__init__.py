"""
Subjects of the measurements: dagorch, three baselines and three other engines.

A subject turns a shape and one function per node into a run. `prepare` builds
and compiles; the suites time only the run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measure import Run
from benchmarks.shapes import Shape

NodeFunction = Callable[[], Coroutine[Any, Any, int]]

MAX_PARALLEL = 16


@dataclass(frozen=True)
class Subject:
    """
    Something that can run a graph.

    Attributes:
        name: The name in the tables.
        prepare: Builds and compiles the graph, and returns what runs it once. A
            run awaits the function of each node after those of its parents.
        requires: The names that must be importable, as `module:name`.
        max_nodes: The largest size per shape. The key `""` is for all other
            shapes; without it there is no bound.
        why: What happens above `max_nodes`.
    """

    name: str
    prepare: Callable[[Shape, Sequence[NodeFunction]], Run]
    requires: tuple[str, ...] = ()
    max_nodes: Mapping[str, int] = field(default_factory=dict)
    why: str = ""

    def missing(self) -> str | None:
        """Return why a required name cannot be imported, None if all can."""
        return missing_import(self.requires)

    def too_large(self, shape: Shape) -> str | None:
        """Return why this shape is not tried, or None."""
        bound = self.max_nodes.get(shape.name, self.max_nodes.get(""))
        if bound is None or shape.node_count <= bound:
            return None
        return f"over {bound:,} nodes: {self.why}"


def missing_import(requires: Sequence[str]) -> str | None:
    """Return why a name, `module:name`, cannot be imported, or None if all can."""
    for required in requires:
        module, _, name = required.partition(":")
        try:
            getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            return str(error)
    return None


async def noop() -> int:
    """Do nothing, so that a run measures only the engine."""
    return 0
