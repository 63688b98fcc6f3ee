"""
Verification that a subject runs each node once, after all its parents.

The suites do it before any measurement, and so do the unit tests. A fast engine
that loses a node is not a baseline.
"""

from __future__ import annotations

import anyio.lowlevel

from benchmarks.shapes import Shape
from benchmarks.subjects import NodeFunction, Subject


async def verify(subject: Subject, shape: Shape) -> str | None:
    """Run the shape once with nodes that suspend. Return what went wrong, or None."""
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
    missing = [node for node, ran in enumerate(ended) if not ran]
    if missing:
        return f"node {missing[0]} did not run to its end ({len(missing)} such)"
    repeated = [node for node, count in enumerate(started) if count > 1]
    if repeated:
        first = repeated[0]
        return f"node {first} ran {started[first]} times ({len(repeated)} such)"
    return None
