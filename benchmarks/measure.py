"""
Measurement: interleaved samples, medians with spread, ratios per round, slopes of growth.

All subjects of a case run in one process, one after another in each round, and
each round starts with another subject. So a slow minute of the machine affects
all of them. Each subject runs once before the first round, untimed.

The garbage collector is enabled, as it is for users. Objects from before the
measurement are frozen, and a full collection precedes each sample, so that no
subject pays for the garbage of another. Wall time is `perf_counter`, CPU time
is `process_time`. A ratio is the median of the ratios within the rounds.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Run = Callable[[], Coroutine[Any, Any, object]]
Clock = Callable[[], float]

GC_HANDLING = "collector on; frozen after building, full collection before each sample"


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its quartiles, of `count` samples, at least one."""

    median: float
    low: float
    high: float
    count: int

    def scaled(self, factor: float) -> Spread:
        """Return the spread in another unit. The factor is above 0."""
        return Spread(self.median * factor, self.low * factor, self.high * factor, self.count)


def spread(values: Sequence[float]) -> Spread:
    """
    Return the median and the quartiles of the values, by the inclusive method.

    For a single value, all three equal it.

    Raises:
        ValueError: There are no values.

    Example:
        >>> spread([3.0, 1.0, 2.0, 5.0, 4.0])
        Spread(median=3.0, low=2.0, high=4.0, count=5)
    """
    if not values:
        raise ValueError("a spread needs at least one value")
    if len(values) == 1:
        return Spread(values[0], values[0], values[0], 1)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high, len(values))


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """
    Return the spread of the ratios per round, over the rounds that both have.

    Example:
        >>> ratio([2.0, 6.0, 8.0], [1.0, 2.0]).median
        2.5
    """
    pairs = zip(numerators, denominators, strict=False)
    return spread([numerator / denominator for numerator, denominator in pairs])


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """
    Fit `seconds = c * sizes ** slope` by least squares on the logarithms.

    A slope of 1.0 is linear growth.

    Raises:
        ValueError: There are fewer than two sizes, or a number is not above 0.

    Example:
        >>> slope([10, 100, 1000], [0.3, 3.0, 30.0])
        1.0
    """
    if len(sizes) != len(seconds) or len(sizes) < 2:
        raise ValueError("a slope needs two or more sizes, and a time for each")
    if min(*sizes, *seconds) <= 0:
        raise ValueError("a slope on logarithms needs sizes and times above 0")
    fit = statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(time_) for time_ in seconds]
    )
    return round(fit.slope, 12)


@dataclass(slots=True)
class Samples:
    """The seconds per run of one subject, one entry per round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    How often to sample.

    Attributes:
        rounds: The most rounds, at least 1.
        repeats: The runs in one sample, for runs that are too short to time.
        slow_seconds: The most seconds for all timed rounds of one subject. A
            slower subject takes part in fewer rounds, but in at least one.
    """

    rounds: int
    repeats: int = 1
    slow_seconds: float = math.inf


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Hide all current objects from the garbage collector until the block ends."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def interleave(
    runs: Mapping[str, Run],
    plan: Plan,
    *,
    clock: Clock = time.perf_counter,
    cpu_clock: Clock = time.process_time,
) -> dict[str, Samples]:
    """
    Sample the runs one after another in each round, after an untimed warm-up.

    Each round starts with the next subject, so that no subject always follows
    the same one.
    """
    samples = {name: Samples() for name in runs}
    rounds: dict[str, int] = {}
    with frozen_heap():
        for name, run in runs.items():
            started = clock()
            await run()
            seconds = max(clock() - started, 1e-9) * plan.repeats
            rounds[name] = max(1, int(min(plan.rounds, plan.slow_seconds / seconds)))
        names = list(runs)
        for turn in range(plan.rounds):
            start = turn % len(names)
            for name in names[start:] + names[:start]:
                if turn < rounds[name]:
                    wall, cpu = await _sample(runs[name], plan.repeats, clock, cpu_clock)
                    samples[name].wall.append(wall)
                    samples[name].cpu.append(cpu)
    return samples


async def _sample(run: Run, repeats: int, clock: Clock, cpu_clock: Clock) -> tuple[float, float]:
    gc.collect()
    cpu = cpu_clock()
    wall = clock()
    for _ in range(repeats):
        await run()
    return (clock() - wall) / repeats, (cpu_clock() - cpu) / repeats


class CollectorPauses:
    """
    Records when the garbage collector ran, as (start, end) pairs.

    Use it as a context manager, and `seconds_within` afterwards.
    """

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        self.pauses: list[tuple[float, float]] = []
        self._clock = clock
        self._started = math.nan

    def __enter__(self) -> CollectorPauses:
        gc.callbacks.append(self._record)
        return self

    def __exit__(self, *exc_info: object) -> None:
        gc.callbacks.remove(self._record)

    def _record(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._started = self._clock()
        elif not math.isnan(self._started):
            self.pauses.append((self._started, self._clock()))

    def seconds_within(self, start: float, end: float) -> float:
        """Return the seconds of garbage collection between `start` and `end`."""
        return sum(
            max(0.0, min(end, pause_end) - max(start, pause_start))
            for pause_start, pause_end in self.pauses
        )
