"""Whether a failed attempt is worth another, and after how long."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch import LLM, Graph, Policy, Retry
from dagorch.errors import BadRequestError, InvalidOutputError, OverloadedError, RateLimitedError
from dagorch.scheduler.retry import next_delay
from dagorch.scheduler.states import State
from tests.unit.scheduler.by_hand import ByHand, cost


async def work() -> int: ...


@given(
    st.integers(1, 40),
    st.floats(0, 100),
    st.floats(1, 10),
    st.floats(0, 300),
    st.integers(0, 2**32),
)
def test_the_wait_is_drawn_from_nought_to_a_ceiling_that_grows(
    failures: int, base: float, multiplier: float, longest: float, seed: int
) -> None:
    retry = Retry(100, base, multiplier, longest)
    wait = next_delay(retry, failures, OSError(), random.Random(seed))
    assert wait is not None
    assert 0.0 <= wait <= min(base * multiplier ** (failures - 1), longest)


def test_the_jitter_is_full() -> None:
    waits = [
        next_delay(Retry(9, 8.0), 1, OSError(), random.Random(seed)) or 0.0 for seed in range(2000)
    ]
    assert min(waits) < 0.1
    assert max(waits) > 7.9
    assert sum(waits) / len(waits) == pytest.approx(4.0, abs=0.15)


def test_a_growth_beyond_all_floats_stays_at_the_longest() -> None:
    assert Retry(9999, 1.0, 10.0, 60.0).ceiling_seconds(5000) == 60.0


def test_after_the_last_attempt_there_is_no_other() -> None:
    chance = random.Random(0)
    assert next_delay(Retry(3), 2, OSError(), chance) is not None
    assert next_delay(Retry(3), 3, OSError(), chance) is None


@pytest.mark.parametrize(
    ("error", "worth_it"),
    [
        (OSError(), True),
        (ValueError(), False),
        (OverloadedError("busy"), False),
        (KeyError(), False),
    ],
)
def test_only_the_errors_named_are_worth_it(error: Exception, worth_it: bool) -> None:
    found = next_delay(Retry(3, on=(OSError,)), 1, error, random.Random(0))
    assert (found is not None) is worth_it


def test_an_error_that_says_so_itself_is_not_worth_it() -> None:
    assert next_delay(Retry(3), 1, BadRequestError("malformed"), random.Random(0)) is None


@pytest.mark.parametrize("seconds", [0.0, 0.5, 59.0, 60.0])
def test_what_the_service_asks_for_wins_over_the_draw(seconds: float) -> None:
    error = RateLimitedError("slow down", retry_after_seconds=seconds)
    assert next_delay(Retry(3, base_delay_seconds=0.001), 1, error, random.Random(0)) == seconds


def test_a_service_that_asks_for_too_long_a_wait_is_not_asked_again() -> None:
    error = RateLimitedError("slow down", retry_after_seconds=60.1)
    assert next_delay(Retry(3), 1, error, random.Random(0)) is None


def test_a_reply_that_did_not_fit_is_asked_for_again_at_once() -> None:
    assert next_delay(Retry(3), 1, InvalidOutputError("no JSON"), random.Random(0)) == 0.0


# -- in a run -------------------------------------------------------------------------------------


def test_a_model_is_asked_three_times_and_a_function_once() -> None:
    graph = Graph("defaults")
    graph.add(LLM("asks", prompt="Hello", policy=Policy(on_error="continue")))
    graph.function(work, policy=Policy(on_error="continue"))
    hand = ByHand(graph).start()
    hand.fail("work").fail("asks").wait(60).fail("asks").wait(60)
    assert hand.running["asks"].number == 3
    hand.fail("asks")
    assert (hand.state("work"), hand.state("asks")) == (State.FAILED, State.FAILED)


def test_a_node_that_waits_to_be_tried_again_holds_no_slot() -> None:
    graph = Graph("slots")
    graph.function(work, id="shaky", policy=Policy(retry=Retry(base_delay_seconds=50)))
    graph.function(work, id="other")
    hand = ByHand(graph, max_parallel=1).start()
    hand.fail("shaky")
    assert list(hand.running) == ["other"]
    hand.wait(50)
    assert hand.state("shaky") is State.READY
    hand.succeed("other")
    assert hand.running["shaky"].number == 2


def test_each_attempt_is_on_the_bill() -> None:
    graph = Graph("bill")
    graph.add(LLM("asks", prompt="Hello"))
    hand = ByHand(graph).start()
    hand.fail("asks", OSError(), cost("0.10")).wait(60).succeed("asks", "hi", cost("0.20"))
    details = hand.root.node_details[0]
    assert (details.usage.calls, details.usage.cost_usd) == (2, Decimal("0.30"))


def test_equal_seeds_have_equal_delays() -> None:
    def waits(seed: int) -> list[float]:
        graph = Graph("jitter")
        graph.function(work, policy=Policy(retry=Retry(attempts=6)))
        hand = ByHand(graph, seed=seed).start()
        found = []
        for _ in range(5):
            before = hand.now
            hand.fail("work")
            found.append(hand.core.next_timer_at - before)
            hand.wait(100)
        return found

    assert waits(1) == waits(1)
    assert waits(1) != waits(2)
