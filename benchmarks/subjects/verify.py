"""
Whether a subject does the work at all: each node once, after all its parents.

Run by the suites before anything is timed, and by the unit tests. A fast engine
that loses a node is no baseline.
"""

from __future__ import annotations

import anyio.lowlevel

from benchmarks.shapes import Shape
from benchmarks.subjects import NodeFunction, Subject


async def verify(subject: Subject, shape: Shape) -> str | None:
    """Run the shape once with nodes that suspend; give what went wrong, None if nothing."""
    started = [0] * shape.node_count
    ended = [False] * shape.node_count
    early: list[int] = []

    def function(node: int) -> NodeFunction:
        async def call() -> int:
            started[node] += 1
            if not all(ended[parent] for parent in shape.parents[node]):
                early.append(node)
            await anyio.lowlevel.checkpoint()
            ended[node] = True
            return node

        return call

    run = subject.prepare(shape, [function(node) for node in range(shape.node_count)])
    await run()
    if early:
        return f"node {early[0]} started before its parents had ended"
    never = [node for node, ran in enumerate(ended) if not ran]
    if never:
        return f"node {never[0]} did not run to its end ({len(never)} such)"
    often = [node for node, count in enumerate(started) if count > 1]
    if often:
        return f"node {often[0]} ran {started[often[0]]} times ({len(often)} such)"
    return None
