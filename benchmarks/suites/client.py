"""
Client: what a call to a model service costs beside the service's own time.

The service is on loopback, in a process of its own (`benchmarks.service`). Its answer is twenty
words in as many events, and it comes in two paces: `whole`, all events in one piece, and `stream`,
each as soon as it is written. dagorch does more than the bare POST that it is compared with: it
reads the events, counts tokens, finds the price, and watches every silence. What a call costs is
told in wall time and in the client's own CPU.

Then a thousand calls at once, on one provider, at a service that takes one or two seconds to
answer: over connections that are made for them, and over the same ones once more. The target is
for two seconds, a short answer of a large model: where it is one, the client's own work of half a
second before the first answer and half a second after it leaves no room, see ADR 0016.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from contextlib import AsyncExitStack

from benchmarks.measure import Plan, Run, Samples, interleave, ratio, spread
from benchmarks.report import Check, SuiteResult
from benchmarks.service import ANSWER, Service, running
from benchmarks.subjects.callers import ANTHROPIC, GEMINI, KEY, MESSAGES, OPENAI, Dialect
from benchmarks.suites import Options
from dagorch.providers import OpenAIProvider

HTTPX_LIMIT = 1.3
SDK_LIMIT = 1.0
LATENCY_LIMIT = 1.5
LATENCIES = (1.0, 2.0)
"""Seconds that the service takes; the last one is the target's."""
CALLS = 1_000
FILES = CALLS + 200
"""Open at once, on either side."""
SPEAKERS = ("dagorch", "httpx", "httpx, parsed")


def run(options: Options) -> SuiteResult:
    """Measure calls one after another in each dialect, then many at once."""
    result = SuiteResult("client")
    calls = CALLS if _may_open(FILES) else 0
    with running() as service:
        cases = [(OPENAI, "whole"), (OPENAI, "stream")]
        if not options.quick:
            cases += [(ANTHROPIC, "stream"), (GEMINI, "stream")]
        plan = Plan(9, repeats=20) if options.quick else Plan(21, repeats=40)
        for dialect, pace in cases:
            asyncio.run(_alone(dialect, pace, service, plan, result, peers=options.peers))
        if calls:
            for seconds in LATENCIES[-1:] if options.quick else LATENCIES:
                asyncio.run(_together(service, seconds, 2 if options.quick else 7, result))
        else:
            result.notes.append(f"many at once left out: {FILES:,} files may not be open")
    return result


async def _alone(
    dialect: Dialect,
    pace: str,
    service: Service,
    plan: Plan,
    result: SuiteResult,
    *,
    peers: bool,
) -> None:
    """Sample one call after another, every caller in its turn."""
    case = f"{dialect.name}, {pace}"
    runs: dict[str, Run] = {}
    async with AsyncExitStack() as stack:
        for caller in dialect.callers:
            if not peers and caller.name not in SPEAKERS:
                continue
            if missing := caller.missing():
                result.notes.append(f"{caller.name} left out: {missing}")
            else:
                runs[caller.name] = await stack.enter_async_context(caller.open(service.url(pace)))
        samples = await interleave(runs, plan)
    for name, sample in samples.items():
        result.add("us per call", case, name, spread(sample.wall).scaled(1e6))
        result.add("CPU, us per call", case, name, spread(sample.cpu).scaled(1e6))
    result.checks += _checks(case, samples)


def _checks(case: str, samples: dict[str, Samples]) -> list[Check]:
    own = samples["dagorch"]
    found = []
    for name, sample in samples.items():
        if name == "httpx":
            times = ratio(own.wall, sample.wall)
            found.append(Check(f"dagorch / bare httpx, {case}", times, HTTPX_LIMIT))
        elif name not in SPEAKERS:
            times = ratio(own.wall, sample.wall)
            found.append(Check(f"dagorch / {name}, {case}", times, SDK_LIMIT))
    return found


async def _together(
    service: Service, latency_seconds: float, rounds: int, result: SuiteResult
) -> None:
    """Start many calls at once on a new provider, and again once they are answered."""
    url = service.url(f"after-{latency_seconds}")
    walls: dict[str, list[float]] = {"new connections": [], "kept connections": []}
    opened: dict[str, list[float]] = {name: [] for name in walls}
    await _once(service)
    for _ in range(rounds):
        async with OpenAIProvider(
            url, api_key=KEY, default_model=OPENAI.model, max_concurrency=CALLS
        ) as provider:
            for name in walls:
                before = service.connections()
                gc.collect()
                walls[name].append(await _burst(provider) / latency_seconds)
                opened[name].append(service.connections() - before)
    for name, times in walls.items():
        case = f"{CALLS:,} calls of {latency_seconds:g} s, {name}"
        result.add("connections opened", case, "dagorch", spread(opened[name]))
        result.add("time / latency", case, "dagorch", spread(times))
        if latency_seconds == LATENCIES[-1]:
            title = f"time / latency, {case}"
            result.checks.append(Check(title, spread(times), LATENCY_LIMIT, kind="machine"))


async def _once(service: Service) -> None:
    """Ask once, so that what the first call of a process imports is no part of the figures."""
    async with OPENAI.callers[0].open(service.url("whole")) as ask:
        await ask()


async def _burst(provider: OpenAIProvider) -> float:
    """Give the seconds until all are answered."""
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(provider.acomplete(MESSAGES)) for _ in range(CALLS)]
    seconds = time.perf_counter() - started
    if any(task.result().content != ANSWER for task in tasks):
        raise ValueError("another answer")
    return seconds


def _may_open(files: int) -> bool:
    """Raise the bound on open files where that is allowed; the service inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        most = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most >= files
    return True
