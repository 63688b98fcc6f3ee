"""
Build: time and memory to build and compile a graph, and the memory of a run.

In one kind of graph all nodes share a function; in the other each has its own,
as in a program written by hand. The baseline is `graphlib`, which only sorts.
"""

from __future__ import annotations

import asyncio
import gc
import graphlib
import itertools
import linecache
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from benchmarks.measure import frozen_heap, ratio, spread
from benchmarks.report import Check, SuiteResult
from benchmarks.shapes import Shape, layered
from benchmarks.subjects import MAX_PARALLEL, NodeFunction, noop
from benchmarks.subjects import dagorch as subject
from benchmarks.suites import Options, installed

BUILD_US_LIMIT = 25.0
GRAPH_BYTES_LIMIT = 1_500.0
RUN_BYTES_LIMIT = 500.0

FUNCTIONS_PER_FILE = 100
_serials = itertools.count()


def distinct_functions(count: int) -> list[NodeFunction]:
    """
    Generate new functions, a hundred per file.

    Their source can be read like that of a user's functions. The files exist
    only in `linecache`.
    """
    functions: list[NodeFunction] = []
    for start in range(0, count, FUNCTIONS_PER_FILE):
        stop = min(start + FUNCTIONS_PER_FILE, count)
        source = "".join(
            f"async def step{number}() -> int:\n    return {number}\n\n\n"
            for number in range(start, stop)
        )
        file = f"<benchmark {next(_serials)}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        namespace: dict[str, Any] = {"__name__": "benchmark_steps"}
        exec(compile(source, file, "exec"), namespace)
        functions += [namespace[f"step{number}"] for number in range(start, stop)]
    return functions


def forget_sources() -> None:
    """Remove the sources of all generated functions."""
    for file in [file for file in linecache.cache if file.startswith("<benchmark ")]:
        del linecache.cache[file]


def shared_function(count: int) -> list[NodeFunction]:
    """Return the same function for every node."""
    return [noop] * count


KINDS: dict[str, Callable[[int], list[NodeFunction]]] = {
    "one shared function": shared_function,
    "distinct functions": distinct_functions,
}


def run(options: Options) -> SuiteResult:
    """Measure time and memory of layered graphs with up to three edges per node."""
    result = SuiteResult("build")
    if not installed([subject.DAGORCH], result):
        return result
    sizes = options.bounded([1_000, 10_000] if options.quick else [1_000, 10_000, 100_000])
    for size in sizes:
        for kind, functions in KINDS.items():
            _time(layered(size, options.seed), kind, functions, 5 if size <= 10_000 else 3, result)
            forget_sources()
    for size in options.bounded([10_000] if options.quick else [10_000, 100_000]):
        for kind, functions in KINDS.items():
            _memory(layered(size, options.seed), kind, functions, result)
            forget_sources()
    return result


def _time(
    shape: Shape,
    kind: str,
    functions: Callable[[int], list[NodeFunction]],
    rounds: int,
    result: SuiteResult,
) -> None:
    size = shape.node_count
    case = f"{kind}, {size:,}"
    build: list[float] = []
    compiling: list[float] = []
    sorting: list[float] = []
    for turn in range(rounds + 1):
        steps = functions(size)
        with frozen_heap():
            started = time.perf_counter()
            graph = subject.build(shape, steps)
            built = time.perf_counter()
            graph.compile()
            compiled = time.perf_counter()
            del graph
            gc.collect()
            sorted_from = time.perf_counter()
            graphlib.TopologicalSorter(dict(enumerate(shape.parents))).prepare()
            sorted_until = time.perf_counter()
        if turn:  # the first round warms up
            build.append(built - started)
            compiling.append(compiled - built)
            sorting.append(sorted_until - sorted_from)
    total = [first + second for first, second in zip(build, compiling, strict=True)]
    metric = "build, us per node"
    result.add(metric, case, "build", spread(build).scaled(1e6 / size))
    result.add(metric, case, "compile", spread(compiling).scaled(1e6 / size))
    result.add(metric, case, "both", spread(total).scaled(1e6 / size))
    result.add(metric, case, "graphlib", spread(sorting).scaled(1e6 / size))
    result.add(metric, case, "both / graphlib", ratio(total, sorting))
    limit = Check(
        f"build and compile, us per node, {case}",
        spread(total).scaled(1e6 / size),
        BUILD_US_LIMIT,
        kind="machine",
    )
    result.checks.append(limit)


def _memory(
    shape: Shape,
    kind: str,
    functions: Callable[[int], list[NodeFunction]],
    result: SuiteResult,
) -> None:
    size = shape.node_count
    case = f"{kind}, {size:,}"
    steps = functions(size)
    asyncio.run(subject.prepare(layered(10, 0), [noop] * 10)())  # imports happen here
    graph_bytes, run_bytes, kept_bytes = asyncio.run(_traced(shape, steps))
    metric = "memory, bytes per node"
    for name, amount in (("graph", graph_bytes), ("run, peak", run_bytes), ("result", kept_bytes)):
        result.add(metric, case, name, spread([amount / size]))
    result.checks += [
        Check(f"graph, bytes per node, {case}", spread([graph_bytes / size]), GRAPH_BYTES_LIMIT),
        Check(f"run, bytes per node, {case}", spread([run_bytes / size]), RUN_BYTES_LIMIT),
    ]


async def _traced(shape: Shape, steps: list[NodeFunction]) -> tuple[float, float, float]:
    """Return the bytes of the graph, of the run's peak above it, and of the result."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        graph = subject.build(shape, steps)
        graph.compile()
        gc.collect()
        compiled, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        finished = await graph.run(max_parallel=MAX_PARALLEL)
        _, peak = tracemalloc.get_traced_memory()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        del finished
    finally:
        tracemalloc.stop()
    return compiled - before, peak - compiled, after - compiled
