"""
Fair: how long a run of nodes that never wait delays other tasks of the event loop.

A ticker task wakes every millisecond, and the delay of each wake-up is measured.
The garbage collector's part is reported separately, since no engine can prevent
it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from benchmarks.measure import CollectorPauses, Run, frozen_heap, spread
from benchmarks.report import Check, SuiteResult
from benchmarks.shapes import chain, fan
from benchmarks.subjects import noop
from benchmarks.subjects.baselines import LEAN, TASK
from benchmarks.subjects.dagorch import DAGORCH
from benchmarks.suites import Options, installed

NODES = 100_000
TICK_SECONDS = 0.001
WAIT_MS_LIMIT = 20.0


@dataclass(frozen=True, slots=True)
class Waits:
    """The longest delay during a run, in seconds, with and without the collector's part."""

    longest: float
    without_collector: float


async def observe(run: Run, tick_seconds: float = TICK_SECONDS) -> Waits:
    """Run once beside a ticker. The moments before and after the run count too."""
    spans: list[tuple[float, float]] = []

    async def ticker() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(tick_seconds)
            now = time.perf_counter()
            spans.append((last, now))
            last = now

    with frozen_heap(), CollectorPauses() as pauses:
        ticking = asyncio.create_task(ticker())
        await asyncio.sleep(5 * tick_seconds)
        kept = await run()
        await asyncio.sleep(5 * tick_seconds)
        ticking.cancel()
        await asyncio.wait([ticking])
        del kept
    late = [end - start - tick_seconds for start, end in spans]
    without = [wait - pauses.seconds_within(*span) for wait, span in zip(late, spans, strict=True)]
    return Waits(max(late), max(without))


def run(options: Options) -> SuiteResult:
    """Observe dagorch, two baselines, and the ticker alone."""
    result = SuiteResult("fair")
    subjects = installed([DAGORCH, LEAN, *([] if options.quick else [TASK])], result)
    rounds = 3 if options.quick else 7
    for make in (chain, fan):
        shape = make(min(NODES, options.max_nodes or NODES), options.seed)
        case = f"{shape.name} {shape.node_count:,}"
        runs: dict[str, Run] = {"nothing": _idle}
        for subject in subjects:
            runs[subject.name] = subject.prepare(shape, [noop] * shape.node_count)
        waits = asyncio.run(_rounds(runs, rounds))
        for name, found in waits.items():
            longest = spread([wait.longest * 1e3 for wait in found])
            without = spread([wait.without_collector * 1e3 for wait in found])
            result.add("longest wait without collector, ms", case, name, without)
            result.add("longest wait, ms", case, name, longest)
            if name == "dagorch":
                title = f"longest wait without collector, ms, {case}"
                result.checks.append(Check(title, without, WAIT_MS_LIMIT, kind="machine"))
    return result


async def _idle() -> None:
    await asyncio.sleep(0.3)


async def _rounds(runs: dict[str, Run], rounds: int) -> dict[str, list[Waits]]:
    waits: dict[str, list[Waits]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run_once in runs.items():
            waits[name].append(await observe(run_once))
    return waits
