"""
Concurrent: a thousand runs of one small graph at once, as in a server.

The graph has ten nodes in three diamonds, each of which waits 50 ms. No engine
can take less time than seven waits.
"""

from __future__ import annotations

import asyncio

import anyio

from benchmarks.measure import Plan, Run, interleave, ratio, spread
from benchmarks.report import Check, SuiteResult
from benchmarks.shapes import ladder
from benchmarks.subjects import Subject
from benchmarks.subjects.baselines import LEAN, TASK
from benchmarks.subjects.dagorch import DAGORCH
from benchmarks.subjects.hamilton import HAMILTON
from benchmarks.subjects.langgraph import LANGGRAPH
from benchmarks.subjects.pydantic_graph import PYDANTIC_GRAPH
from benchmarks.suites import Options, installed, is_correct

RUNS = 1_000
NODES = 10
WAIT_SECONDS = 0.05

RATE_LIMIT = 0.6
CPU_LIMIT = 1.8


async def wait() -> int:
    """Wait as long as a call to a provider."""
    await anyio.sleep(WAIT_SECONDS)
    return 0


def many(run: Run, count: int = RUNS) -> Run:
    """Return a run that starts `count` runs at once and awaits them."""

    async def start() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(run())

    return start


def run(options: Options) -> SuiteResult:
    """Measure runs per second and CPU per node."""
    result = SuiteResult("concurrent")
    shape = ladder(NODES, options.seed)
    others: list[Subject] = [] if options.quick else [TASK]
    if options.peers and not options.quick:
        others += [HAMILTON, LANGGRAPH, PYDANTIC_GRAPH]
    subjects = installed((DAGORCH, LEAN, *others), result)
    usable = [subject for subject in subjects if is_correct(subject, shape, result)]
    runs = {subject.name: many(subject.prepare(shape, [wait] * NODES)) for subject in usable}
    plan = Plan(5 if options.quick else 9, slow_seconds=10.0)
    samples = asyncio.run(interleave(runs, plan))
    case = f"{RUNS:,} runs of {NODES} nodes"
    for name, sample in samples.items():
        rate = spread([RUNS / seconds for seconds in sample.wall])
        result.add("runs per second", case, name, rate)
        cpu = spread(sample.cpu).scaled(1e6 / RUNS / NODES)
        result.add("CPU, us per node", case, name, cpu)
    if "dagorch" in samples:
        own, lean = samples["dagorch"], samples["lean"]
        rate_ratio = ratio(lean.wall, own.wall)
        result.checks += [
            Check(f"rate, dagorch / lean, {case}", rate_ratio, RATE_LIMIT, at_most=False),
            Check(f"CPU, dagorch / lean, {case}", ratio(own.cpu, lean.cpu), CPU_LIMIT),
        ]
    return result
