"""
Speed: the cost of a run per node, for several shapes and sizes, and its growth.

Nodes do nothing. Graphs are built and compiled before the clock starts; the
build suite measures that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.measure import Plan, Run, Samples, interleave, ratio, slope, spread
from benchmarks.report import Check, SuiteResult
from benchmarks.shapes import SHAPES, Shape
from benchmarks.subjects import Subject, noop
from benchmarks.subjects.baselines import BASELINES
from benchmarks.subjects.dagorch import DAGORCH
from benchmarks.subjects.hamilton import HAMILTON
from benchmarks.subjects.langgraph import LANGGRAPH
from benchmarks.subjects.pydantic_graph import PYDANTIC_GRAPH
from benchmarks.suites import VERIFY_NODES, Options, installed, is_correct

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = SIZES[:3]
PEERS = (HAMILTON, LANGGRAPH, PYDANTIC_GRAPH)

TASK_LIMIT = 1.0
LEAN_LIMIT = 8.0
SMALL_LEAN_LIMIT = 3.0
PEER_LIMITS = {"hamilton": 4.0, "langgraph": 25.0}
SLOPE_LIMIT = 1.10
GROWERS = ("dagorch", "lean")
OVERHEAD_FROM = 1_000
"""The size from which the fixed cost of a run is negligible."""

PEER_SECONDS = 20.0
QUICK_PEER_SECONDS = 2.5
OWN_SECONDS = 240.0
"""A subject is skipped at a size if building and one run would take longer."""


def plan(node_count: int, *, quick: bool) -> Plan:
    """Return how often to sample graphs of this size."""
    if node_count <= 10_000:
        repeats = max(1, 2_000 // node_count)
        rounds = 9 if quick or node_count == 10_000 else 15
        return Plan(rounds, repeats, slow_seconds=0.4 if quick else 3.0)
    return Plan(5, slow_seconds=15.0) if node_count <= 100_000 else Plan(3, slow_seconds=60.0)


@dataclass(slots=True)
class _Growth:
    """What the smaller sizes of a shape have shown."""

    seconds: dict[str, float] = field(default_factory=dict)
    size: int = 0
    runs: dict[str, dict[int, Run]] = field(default_factory=dict)

    def expected(self, name: str, size: int) -> float:
        """Estimate the seconds to build and run once, with slightly more than linear growth."""
        if name not in self.seconds:
            return 0.0
        return float(self.seconds[name] * (size / self.size) ** 1.2)


def run(options: Options) -> SuiteResult:
    """Measure all shapes and sizes."""
    result = SuiteResult("speed")
    peers = PEERS if options.peers else ()
    subjects = installed((DAGORCH, *BASELINES, *peers), result)
    for name, make in SHAPES.items():
        small = make(VERIFY_NODES, options.seed)
        usable = [subject for subject in subjects if is_correct(subject, small, result)]
        growth = _Growth()
        for size in options.bounded(QUICK_SIZES if options.quick else SIZES):
            _case(make(size, options.seed), usable, growth, options, result)
        _slopes(name, growth.runs, result)
    return result


def _case(
    shape: Shape, subjects: list[Subject], growth: _Growth, options: Options, result: SuiteResult
) -> None:
    size = shape.node_count
    case = f"{shape.name} {size:,}"
    runs: dict[str, Run] = {}
    build_seconds: dict[str, float] = {}
    for subject in subjects:
        reason = _skip(subject, shape, growth, quick=options.quick)
        if reason is not None:
            result.notes.append(f"{subject.name} skipped at {case}: {reason}")
            continue
        started = time.perf_counter()
        runs[subject.name] = subject.prepare(shape, [noop] * size)
        build_seconds[subject.name] = time.perf_counter() - started
    samples = asyncio.run(interleave(runs, plan(size, quick=options.quick)))
    for name, sample in samples.items():
        seconds = spread(sample.wall)
        result.add("us per node", case, name, seconds.scaled(1e6 / size))
        growth.seconds[name] = build_seconds[name] + seconds.median
        if name in GROWERS and size >= OVERHEAD_FROM:
            growth.runs.setdefault(name, {})[size] = runs[name]
    growth.size = size
    if "dagorch" in samples:
        for name, sample in samples.items():
            if name != "dagorch":
                times = ratio(sample.wall, samples["dagorch"].wall)
                result.add("time, dagorch = 1", case, name, times)
        result.checks += checks(case, size, samples)


def _skip(subject: Subject, shape: Shape, growth: _Growth, *, quick: bool) -> str | None:
    peer = subject in PEERS
    if peer and growth.size and subject.name not in growth.seconds:
        return "skipped at the previous size"
    too_large = subject.too_large(shape)
    bound = OWN_SECONDS
    if peer:
        bound = QUICK_PEER_SECONDS if quick else PEER_SECONDS
    expected = growth.expected(subject.name, shape.node_count)
    if too_large is None and expected <= bound:
        return None
    growth.seconds.pop(subject.name, None)
    return too_large or f"would take about {expected:,.0f} s to build and run once"


def checks(case: str, size: int, samples: Mapping[str, Samples]) -> list[Check]:
    """Compare the samples of dagorch with those of the subjects that have a target."""
    own = samples["dagorch"].wall
    found = []
    if size >= OVERHEAD_FROM:
        over_task = ratio(own, samples["task"].wall)
        found.append(Check(f"dagorch / task, {case}", over_task, TASK_LIMIT))
    limit = LEAN_LIMIT if size >= OVERHEAD_FROM else SMALL_LEAN_LIMIT
    found.append(Check(f"dagorch / lean, {case}", ratio(own, samples["lean"].wall), limit))
    for name, peer_limit in PEER_LIMITS.items():
        if name in samples:
            times = ratio(samples[name].wall, own)
            found.append(Check(f"{name} / dagorch, {case}", times, peer_limit, at_most=False))
    return found


def _slopes(shape: str, runs: Mapping[str, Mapping[int, Run]], result: SuiteResult) -> None:
    """Sample all sizes once more, interleaved, so that the machine's changes do not count."""
    for name, by_size in runs.items():
        sizes = sorted(by_size)
        if len(sizes) < 2:
            continue
        repeats = {size: max(1, min(10, sizes[-1] // size)) for size in sizes}
        turns = {str(size): _repeated(by_size[size], repeats[size]) for size in sizes}
        samples = asyncio.run(interleave(turns, Plan(3 if sizes[-1] > 100_000 else 7)))
        per_run = [[wall / repeats[size] for wall in samples[str(size)].wall] for size in sizes]
        grown = spread([slope(sizes, seconds) for seconds in zip(*per_run, strict=True)])
        case = f"{shape} {sizes[0]:,}-{sizes[-1]:,}"
        result.add("slope of log time over log N", case, name, grown)
        if name == "dagorch":
            result.checks.append(Check(f"slope, {case}", grown, SLOPE_LIMIT))


def _repeated(run: Run, count: int) -> Run:
    async def again() -> None:
        for _ in range(count):
            await run()

    return again
