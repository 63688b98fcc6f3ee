"""dagorch, through its public names only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Run
from benchmarks.shapes import Shape
from benchmarks.subjects import MAX_PARALLEL, NodeFunction, Subject

if TYPE_CHECKING:
    from dagorch import Graph


def build(shape: Shape, functions: Sequence[NodeFunction]) -> Graph:
    """Build the graph, with edges that carry no value, without compiling it."""
    from dagorch import Graph  # the benchmarks also run without dagorch
    from dagorch.nodes import Function

    graph = Graph("bench")
    refs: list[Any] = []
    for node, parents in enumerate(shape.parents):
        step = Function(f"n{node}", functions[node])
        refs.append(graph.add(step, after=[refs[parent] for parent in parents]))
    return graph


def prepare(shape: Shape, functions: Sequence[NodeFunction]) -> Run:
    """Build and compile the graph. A run uses the cached plan."""
    graph = build(shape, functions)
    graph.compile()

    async def run() -> object:
        return await graph.run(max_parallel=MAX_PARALLEL)

    return run


DAGORCH = Subject("dagorch", prepare, requires=("dagorch:Graph", "dagorch.nodes:Function"))
