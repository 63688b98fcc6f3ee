"""
What is measured: dagorch, three baselines and three peers behind one small door.

A subject turns a shape and one function per node into a run. Building and
compiling belong to `prepare`; only what the run does is timed by the suites.
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
        name: As in the tables.
        prepare: Builds and compiles; gives what runs the graph once, awaiting
            the function of every node after those of its parents.
        requires: What must be importable, as `module:name`.
        max_nodes: Largest size per shape worth trying; `""` stands for the
            shapes not named, and without it there is no bound.
        why: What happens above `max_nodes`.
    """

    name: str
    prepare: Callable[[Shape, Sequence[NodeFunction]], Run]
    requires: tuple[str, ...] = ()
    max_nodes: Mapping[str, int] = field(default_factory=dict)
    why: str = ""

    def missing(self) -> str | None:
        """Give why a required name cannot be imported, None if all can."""
        return missing_import(self.requires)

    def too_large(self, shape: Shape) -> str | None:
        """Give the reason why this shape is not tried, if there is one."""
        bound = self.max_nodes.get(shape.name, self.max_nodes.get(""))
        if bound is None or shape.node_count <= bound:
            return None
        return f"over {bound:,} nodes: {self.why}"


def missing_import(requires: Sequence[str]) -> str | None:
    """Give why a name, written as `module:name`, cannot be imported; None if all can."""
    for required in requires:
        module, _, name = required.partition(":")
        try:
            getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            return str(error)
    return None


async def noop() -> int:
    """Do nothing: whatever a run of it takes is the engine's."""
    return 0
