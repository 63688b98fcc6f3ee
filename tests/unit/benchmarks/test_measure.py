import gc
from collections.abc import Callable
from itertools import count

import pytest

from benchmarks.measure import (
    CollectorPauses,
    Plan,
    Spread,
    frozen_heap,
    interleave,
    ratio,
    slope,
    spread,
)


def test_spread_is_median_and_quartiles() -> None:
    assert spread([5.0, 1.0, 2.0, 4.0, 3.0]) == Spread(3.0, 2.0, 4.0, 5)
    assert spread([1.0, 3.0]) == Spread(2.0, 1.5, 2.5, 2)
    assert spread([7.0]) == Spread(7.0, 7.0, 7.0, 1)


def test_spread_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        spread([])


def test_spread_scales_all_three() -> None:
    assert Spread(2.0, 1.0, 3.0, 5).scaled(10) == Spread(20.0, 10.0, 30.0, 5)


def test_ratio_pairs_rounds_and_leaves_out_the_unpaired() -> None:
    # The second round was slow for both: by rounds the ratio is 2, by medians 1.1.
    assert ratio([2.0, 20.0, 2.2], [1.0, 10.0]) == Spread(2.0, 2.0, 2.0, 2)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.1, 2.0])
def test_slope_finds_the_exponent(exponent: float) -> None:
    sizes = [1_000, 10_000, 100_000, 1_000_000]
    assert slope(sizes, [3e-6 * size**exponent for size in sizes]) == pytest.approx(exponent)


@pytest.mark.parametrize(
    ("sizes", "seconds"), [([1], [1.0]), ([1, 2], [1.0]), ([1, 2], [1.0, 0.0]), ([], [])]
)
def test_slope_refuses_what_it_cannot_fit(sizes: list[float], seconds: list[float]) -> None:
    with pytest.raises(ValueError, match="a slope"):
        slope(sizes, seconds)


class _Clock:
    """A clock that the runs advance."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _runs(clock: _Clock, order: list[str], **seconds: float) -> dict[str, Callable[[], object]]:
    def make(name: str) -> Callable[[], object]:
        async def run() -> None:
            order.append(name)
            clock.now += seconds[name]

        return run

    return {name: make(name) for name in seconds}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_interleave_warms_up_and_starts_each_round_with_the_next_subject() -> None:
    clock, order = _Clock(), list[str]()
    runs = _runs(clock, order, a=1.0, b=2.0, c=4.0)
    samples = await interleave(runs, Plan(rounds=2), clock=clock, cpu_clock=clock)  # type: ignore[arg-type]
    assert "".join(order) == "abc" + "abc" + "bca"
    assert samples["a"].wall == samples["a"].cpu == [1.0, 1.0]
    assert samples["c"].wall == [4.0, 4.0]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_interleave_returns_seconds_per_run_and_samples_a_slow_subject_less() -> None:
    clock, order = _Clock(), list[str]()
    runs = _runs(clock, order, quick=1.0, slow=50.0)
    plan = Plan(rounds=4, repeats=3, slow_seconds=12.0)
    samples = await interleave(runs, plan, clock=clock, cpu_clock=clock)  # type: ignore[arg-type]
    assert samples["quick"].wall == [1.0] * 4
    assert samples["slow"].wall == [50.0]
    assert order.count("slow") == 1 + 3


def test_the_heap_is_frozen_only_inside_the_block() -> None:
    with frozen_heap():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
    gc.freeze()  # as tests/conftest.py left it


def test_collector_pauses_are_recorded_inside_the_block() -> None:
    ticks = count()
    pauses = CollectorPauses(clock=lambda: float(next(ticks)))
    with pauses:
        gc.collect()
    seen = len(pauses.pauses)
    assert seen >= 1
    assert pauses._record not in gc.callbacks


def test_seconds_within_counts_only_the_overlap() -> None:
    pauses = CollectorPauses()
    pauses.pauses = [(0.0, 1.0), (2.0, 4.0), (9.0, 10.0)]
    assert pauses.seconds_within(0.5, 3.0) == 0.5 + 1.0
    assert pauses.seconds_within(5.0, 8.0) == 0.0
