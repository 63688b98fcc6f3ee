"""Hamilton's async driver, with a function per node whose parameters name its parents."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.measure import Run
from benchmarks.shapes import Shape
from benchmarks.subjects import NodeFunction, Subject


def prepare(shape: Shape, functions: Sequence[NodeFunction]) -> Run:
    """Write a module with one function per node, and request all sinks."""
    from hamilton import ad_hoc_utils, async_driver, base  # optional

    lines = []
    for node, parents in enumerate(shape.parents):
        parameters = ", ".join(f"n{parent}: int" for parent in parents)
        lines.append(f"async def n{node}({parameters}) -> int:\n    return await _f[{node}]()\n")
    module = ad_hoc_utils.module_from_source("\n".join(lines))
    vars(module)["_f"] = functions
    driver = async_driver.AsyncDriver({}, module, result_builder=base.DictResult())
    # Hamilton walks the graph by recursion, in an order that differs between processes.
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 4 * shape.node_count))
    wanted = [f"n{node}" for node in shape.sinks]

    async def run() -> Any:
        return await driver.execute(wanted)

    return run


HAMILTON = Subject(
    "hamilton",
    prepare,
    requires=("hamilton.async_driver:AsyncDriver",),
    max_nodes={"": 10_000},
    why="several frames of recursion per node of depth",
)
