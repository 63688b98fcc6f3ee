"""
Watch: how much longer a run of waiting nodes takes with listeners.

The listeners are the live display on a terminal that discards its output, a trace exporter that
batches spans and discards them, a listener that sleeps at each event, and all three together. A
chain shows the delay of each step. A fan shows the work of the event loop, since many nodes run at
once. The slow listener gets no time to drain after the run.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.measure import Plan, Run, interleave, ratio, spread
from benchmarks.report import Check, SuiteResult
from benchmarks.shapes import chain, fan
from benchmarks.subjects import NodeFunction, Subject
from benchmarks.subjects.dagorch import DAGORCH, build
from benchmarks.suites import Options, installed, is_correct

if TYPE_CHECKING:
    from dagorch import Event, Graph

WAIT_SECONDS = 0.01
NAP_SECONDS = 0.05
WATCHED_LIMIT = 1.05

Watcher = Callable[["Graph"], AbstractContextManager[Any]]
"""Returns a context manager for a run. Its value is the listener, or None."""


def waits(count: int, seed: int) -> list[NodeFunction]:
    """
    Return node functions that wait as long as short calls, with random variation.

    Calls of equal length would all end in the same iteration of the event loop, which real calls
    do not.
    """
    chance = random.Random(seed)

    def wait(seconds: float) -> NodeFunction:
        async def call() -> int:
            await anyio.sleep(seconds)
            return 0

        return call

    return [wait(WAIT_SECONDS * chance.uniform(0.8, 1.2)) for _ in range(count)]


class NullTerminal(io.StringIO):
    """A terminal that discards its output."""

    def write(self, text: str) -> int:
        return len(text)


def unwatched(graph: Graph) -> AbstractContextManager[Any]:
    return nullcontext()


def terminal(graph: Graph) -> AbstractContextManager[Any]:
    """Show the run on a terminal of 120 by 40 characters."""
    from rich.console import Console

    from dagorch.cli.display import LiveDisplay

    console = Console(file=NullTerminal(), force_terminal=True, width=120, height=40)
    return LiveDisplay(console, graph.compile(), "bench", 16)


def traces() -> Watcher:
    """Record spans and export them in batches, as in production, but discard them."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    from dagorch.exporters import TraceSpans

    class NullExporter(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(NullExporter()))
    listener = TraceSpans(provider)
    return lambda graph: nullcontext(listener)


async def nap(event: Event) -> None:
    """Sleep as long as five nodes for each event."""
    await anyio.sleep(NAP_SECONDS)


def slow(graph: Graph) -> AbstractContextManager[Any]:
    return nullcontext(nap)


def watched(graph: Graph, parallel: int, watchers: list[Watcher]) -> Run:
    """Return a run of the graph with these watchers, and `parallel` nodes at once."""

    async def run() -> None:
        with ExitStack() as stack:
            listeners = [stack.enter_context(watcher(graph)) for watcher in watchers]
            await graph.run(
                max_parallel=parallel,
                on_event=[listener for listener in listeners if listener is not None],
                drain_seconds=0,
            )

    return run


def run(options: Options) -> SuiteResult:
    """Measure runs with and without listeners."""
    result = SuiteResult("watch")
    if not installed([DAGORCH], result):
        return result
    spans = Subject("traces", DAGORCH.prepare, requires=("opentelemetry.sdk.trace:TracerProvider",))
    subjects: dict[str, list[Watcher]] = {"unwatched": [unwatched], "terminal": [terminal]}
    if installed([spans], result):
        subjects["traces"] = [traces()]
    subjects["slow listener"] = [slow]
    subjects["all"] = [watcher for watchers in subjects.values() for watcher in watchers]
    if options.quick:
        subjects = {name: subjects[name] for name in ("unwatched", "all")}
    size = 1 if options.quick else 2
    for shape, parallel in ((chain(25 * size), 1), (fan(100 * size), 4), (fan(400 * size), 16)):
        if not is_correct(DAGORCH, shape, result):
            continue
        graph = build(shape, waits(shape.node_count, options.seed))
        graph.compile()
        runs = {name: watched(graph, parallel, watchers) for name, watchers in subjects.items()}
        samples = asyncio.run(interleave(runs, Plan(9, slow_seconds=10.0)))
        case = f"{shape.name} of {shape.node_count:,}, {parallel} at once"
        for name, sample in samples.items():
            result.add("seconds", case, name, spread(sample.wall))
            cpu = spread(sample.cpu).scaled(1e6 / shape.node_count)
            result.add("CPU, us per node", case, name, cpu)
            if name != "unwatched":
                slower = ratio(sample.wall, samples["unwatched"].wall)
                result.add("ratio to unwatched", case, name, slower)
        all_watching = ratio(samples["all"].wall, samples["unwatched"].wall)
        result.checks.append(
            Check(f"all watching / unwatched, {case}", all_watching, WATCHED_LIMIT)
        )
    return result
