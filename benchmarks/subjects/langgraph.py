"""LangGraph's `StateGraph`, with nodes that write nothing to a state of one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from benchmarks.measure import Run
from benchmarks.shapes import Shape
from benchmarks.subjects import NodeFunction, Subject


class State(TypedDict):
    """The smallest state."""

    value: int


def prepare(shape: Shape, functions: Sequence[NodeFunction]) -> Run:
    """Add a node per function. One edge from several parents waits for all of them."""
    from langgraph.graph import END, START, StateGraph  # optional

    def step(function: NodeFunction) -> Any:
        async def call(state: State) -> None:
            await function()

        return call

    builder = StateGraph(State)
    for node, parents in enumerate(shape.parents):
        builder.add_node(f"n{node}", step(functions[node]))
        names = [f"n{parent}" for parent in parents]
        builder.add_edge(names if len(names) > 1 else (names[0] if names else START), f"n{node}")
    for node in shape.sinks:
        builder.add_edge(f"n{node}", END)
    graph = builder.compile()

    async def run() -> Any:
        return await graph.ainvoke({"value": 0}, {"recursion_limit": shape.node_count + 2})

    return run


LANGGRAPH = Subject(
    "langgraph",
    prepare,
    requires=("langgraph.graph:StateGraph",),
    max_nodes={"chain": 1_000, "ladder": 1_000, "": 10_000},
    why="its time per node grows with the depth of the graph, to over 30 s per run",
)
