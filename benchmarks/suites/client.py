"""
Client: the cost of a call to a model service, without the time of the service.

The service runs on loopback in a process of its own (`benchmarks.service`). It answers with twenty
words in as many events, at two paces: `whole` sends all events at once, `stream` sends each as soon
as it is written. dagorch does more than the bare POST of the baseline: it parses the events, counts
tokens, finds the price, and applies timeouts. The figures are wall time and CPU time of the client.

A second case makes a thousand calls at once on one provider, to a service that takes one or two
seconds to answer: first over new connections, then over the same ones again. The target is for two
seconds, which a large model takes for a short answer. At one second, the client's own half second
before the first answer and half second after it leave no room for the target; see ADR 0016.
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
"""The seconds that the service takes. The target is for the last one."""
CALLS = 1_000
FILES = CALLS + 200
"""The files that each side must be able to open."""
SPEAKERS = ("dagorch", "httpx", "httpx, parsed")


def run(options: Options) -> SuiteResult:
    """Measure single calls in each dialect, then many calls at once."""
    result = SuiteResult("client")
    calls = CALLS if _can_open(FILES) else 0
    with running() as service:
        cases = [(OPENAI, "whole"), (OPENAI, "stream")]
        if not options.quick:
            cases += [(ANTHROPIC, "stream"), (GEMINI, "stream")]
        plan = Plan(9, repeats=20) if options.quick else Plan(21, repeats=40)
        for dialect, pace in cases:
            asyncio.run(_single_calls(dialect, pace, service, plan, result, peers=options.peers))
        if calls:
            for seconds in LATENCIES[-1:] if options.quick else LATENCIES:
                asyncio.run(_many_calls(service, seconds, 2 if options.quick else 7, result))
        else:
            result.notes.append(
                f"many at once skipped: the system allows fewer than {FILES:,} open files"
            )
    return result


async def _single_calls(
    dialect: Dialect,
    pace: str,
    service: Service,
    plan: Plan,
    result: SuiteResult,
    *,
    peers: bool,
) -> None:
    """Sample single calls of each caller."""
    case = f"{dialect.name}, {pace}"
    runs: dict[str, Run] = {}
    async with AsyncExitStack() as stack:
        for caller in dialect.callers:
            if not peers and caller.name not in SPEAKERS:
                continue
            if missing := caller.missing():
                result.notes.append(f"{caller.name} skipped: {missing}")
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


async def _many_calls(
    service: Service, latency_seconds: float, rounds: int, result: SuiteResult
) -> None:
    """Start many calls at once on a new provider, and again on its open connections."""
    url = service.url(f"after-{latency_seconds}")
    walls: dict[str, list[float]] = {"new connections": [], "kept connections": []}
    opened: dict[str, list[float]] = {name: [] for name in walls}
    await _warm_up(service)
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


async def _warm_up(service: Service) -> None:
    """Make one call, so that the imports of the first call are not measured."""
    async with OPENAI.callers[0].open(service.url("whole")) as ask:
        await ask()


async def _burst(provider: OpenAIProvider) -> float:
    """Make many calls at once, and return the seconds until the last answer."""
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(provider.acomplete(MESSAGES)) for _ in range(CALLS)]
    seconds = time.perf_counter() - started
    if any(task.result().content != ANSWER for task in tasks):
        raise ValueError("unexpected answer")
    return seconds


def _can_open(files: int) -> bool:
    """Raise the limit on open files if that is allowed. The service inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        most = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most >= files
    return True
