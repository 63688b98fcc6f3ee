"""
Watch: what a run of nodes that wait costs more when somebody looks on.

With the live display on a terminal that goes nowhere, with spans that are batched and exported to
nowhere, with a listener that sleeps at each event, and with all three at once. A chain shows what
every step is held up by; a fan, what the event loop has to do besides: with as many at once as
the default is, that is so many times as much in the time of one node. The slow listener gets no
time after the run, which is not part of it.
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
from benchmarks.suites import Options, correct, installed

if TYPE_CHECKING:
    from dagorch import Event, Graph

WAIT_SECONDS = 0.01
NAP_SECONDS = 0.05
WATCHED_LIMIT = 1.05

Watcher = Callable[["Graph"], AbstractContextManager[Any]]
"""Gives what is entered for a run: its value is the listener, None where nobody looks on."""


def waits(count: int, seed: int) -> list[NodeFunction]:
    """
    Stand in for so many short calls, each somewhat longer or shorter than the mean.

    Calls that take equally long all end in one turn of the event loop, again and again, as no
    calls of a service do.
    """
    chance = random.Random(seed)

    def wait(seconds: float) -> NodeFunction:
        async def call() -> int:
            await anyio.sleep(seconds)
            return 0

        return call

    return [wait(WAIT_SECONDS * chance.uniform(0.8, 1.2)) for _ in range(count)]


class Nowhere(io.StringIO):
    """A terminal whose characters are thrown away."""

    def write(self, text: str) -> int:
        return len(text)


def nobody(graph: Graph) -> AbstractContextManager[Any]:
    return nullcontext()


def terminal(graph: Graph) -> AbstractContextManager[Any]:
    """Show the run on a terminal of 120 by 40."""
    from rich.console import Console

    from dagorch.cli.display import LiveDisplay

    console = Console(file=Nowhere(), force_terminal=True, width=120, height=40)
    return LiveDisplay(console, graph.compile(), "bench", 16)


def traces() -> Watcher:
    """Make spans, and have them exported in batches as in production, but to nowhere."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    from dagorch.exporters import TraceSpans

    class Nothing(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nothing()))
    listener = TraceSpans(provider)
    return lambda graph: nullcontext(listener)


async def nap(event: Event) -> None:
    """Be slow: take as long as five nodes for each event."""
    await anyio.sleep(NAP_SECONDS)


def slow(graph: Graph) -> AbstractContextManager[Any]:
    return nullcontext(nap)


def watched(graph: Graph, parallel: int, watchers: list[Watcher]) -> Run:
    """Give a run of the graph, so many nodes at once, with all of these looking on."""

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
    """Measure runs with and without."""
    result = SuiteResult("watch")
    if not installed([DAGORCH], result):
        return result
    spans = Subject("traces", DAGORCH.prepare, requires=("opentelemetry.sdk.trace:TracerProvider",))
    subjects: dict[str, list[Watcher]] = {"nobody": [nobody], "terminal": [terminal]}
    if installed([spans], result):
        subjects["traces"] = [traces()]
    subjects["slow listener"] = [slow]
    subjects["all"] = [watcher for watchers in subjects.values() for watcher in watchers]
    if options.quick:
        subjects = {name: subjects[name] for name in ("nobody", "all")}
    size = 1 if options.quick else 2
    for shape, parallel in ((chain(25 * size), 1), (fan(100 * size), 4), (fan(400 * size), 16)):
        if not correct(DAGORCH, shape, result):
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
            if name != "nobody":
                slower = ratio(sample.wall, samples["nobody"].wall)
                result.add("ratio to nobody", case, name, slower)
        everyone = ratio(samples["all"].wall, samples["nobody"].wall)
        result.checks.append(Check(f"all watching / nobody, {case}", everyone, WATCHED_LIMIT))
    return result
