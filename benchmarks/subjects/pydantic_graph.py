"""pydantic-graph's builder, with a join before each node that has several parents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.measure import Run
from benchmarks.shapes import Shape
from benchmarks.subjects import NodeFunction, Subject


def prepare(shape: Shape, functions: Sequence[NodeFunction]) -> Run:
    """Add a step per node, a fork to the roots, and joins of parents and of sinks."""
    from pydantic_graph import GraphBuilder, StepContext, reduce_null  # optional

    builder: Any = GraphBuilder(
        name="bench", input_type=int, output_type=int, auto_instrument=False
    )

    def step(function: NodeFunction) -> Any:
        async def call(context: StepContext[None, None, int]) -> int:
            return await function()

        return call

    def join(name: str) -> Any:
        return builder.join(reduce_null, initial=0, node_id=name)

    steps = [
        builder.step(step(function), node_id=f"n{node}") for node, function in enumerate(functions)
    ]
    targets: list[list[Any]] = [[] for _ in functions]
    for node, parents in enumerate(shape.parents):
        entry = steps[node]
        if len(parents) > 1:
            entry = join(f"join{node}")
            builder.add(builder.edge_from(entry).to(steps[node]))
        for parent in parents:
            targets[parent].append(entry)
    end = builder.end_node
    if len(shape.sinks) > 1:
        end = join("joined")
        builder.add(builder.edge_from(end).to(builder.end_node))
    for node in shape.sinks:
        targets[node].append(end)
    builder.add(builder.edge_from(builder.start_node).to(*(steps[node] for node in shape.roots)))
    for node, step_targets in enumerate(targets):
        builder.add(builder.edge_from(steps[node]).to(*step_targets))
    graph = builder.build()

    async def run() -> Any:
        return await graph.run(inputs=0)

    return run


PYDANTIC_GRAPH = Subject(
    "pydantic-graph",
    prepare,
    requires=("pydantic_graph:GraphBuilder",),
    max_nodes={"layered": 100, "ladder": 100, "": 10_000},
    why="minutes to build",
)
