"""A service's rates: never more than permitted however it counts, and no waiting without need."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.errors import InvariantError
from dagorch.models.limits import NO_DEMAND, TOKEN_KINDS, Demand, Limits
from dagorch.models.rates import RateLimits, RateWindow
from dagorch.models.usage import Usage
from dagorch.scheduler.rates import MAX_PAUSE_SECONDS, Charge, SlidingWindowLog
from tests.unit.scheduler.services import SERVICES

NEVER = float("inf")


def spent(log: SlidingWindowLog, now: float, demand: Demand = NO_DEMAND) -> Charge:
    """One exchange that is sent and answered at once."""
    assert log.available_at(demand, now) == now
    charge = log.charge(demand, now)
    log.reply_began(charge, now)
    return charge


def test_a_charge_counts_until_one_window_after_its_reply_began() -> None:
    log = SlidingWindowLog(Limits(requests=1, window_seconds=10))
    charge = log.charge(NO_DEMAND, 0.0)
    assert log.available_at(NO_DEMAND, 5.0) == NEVER, "who knows when the service admits it"
    log.reply_began(charge, 7.0)
    assert log.available_at(NO_DEMAND, 8.0) == 17.0
    log.settle(charge, 9.0)
    assert log.available_at(NO_DEMAND, 17.0) == 17.0


def test_one_whose_reply_never_began_counts_from_its_end() -> None:
    log = SlidingWindowLog(Limits(requests=1, window_seconds=10))
    log.settle(log.charge(NO_DEMAND, 0.0), 30.0)
    assert log.available_at(NO_DEMAND, 31.0) == 40.0


def test_tokens_are_prompt_and_what_the_answer_may_have() -> None:
    log = SlidingWindowLog(Limits(tokens=100, window_seconds=10))
    spent(log, 0.0, Demand(prompt_bytes=20, output_tokens=50))
    assert log.available_at(Demand(output_tokens=30), 1.0) == 1.0
    assert log.available_at(Demand(output_tokens=31), 1.0) == 10.0


def test_tokens_of_input_and_output_may_have_limits_apart() -> None:
    log = SlidingWindowLog(Limits(input_tokens=100, output_tokens=50, window_seconds=10))
    charge = spent(log, 0.0, Demand(prompt_bytes=60, output_tokens=20))
    assert log.has_limits
    assert log.available_at(Demand(40, 30), 1.0) == 1.0
    assert log.available_at(Demand(41, 0), 1.0) == 10.0
    assert log.available_at(Demand(0, 31), 1.0) == 10.0
    log.settle(charge, 2.0, Usage(input_tokens=30, output_tokens=5, calls=1))
    assert log.available_at(Demand(100, 0), 2.0) == 2.0, "a byte is less than a token by now"
    assert log.available_at(Demand(0, 31), 2.0) == 10.0, "what was allowed stays charged"
    log.check(1)


def test_each_of_three_limits_holds() -> None:
    log = SlidingWindowLog(Limits(tokens=70, input_tokens=60, output_tokens=50, window_seconds=10))
    spent(log, 0.0, Demand(20, 20))
    assert log.available_at(Demand(10, 20), 1.0) == 1.0
    assert log.available_at(Demand(11, 20), 1.0) == 10.0


def test_room_for_a_large_one_comes_with_the_last_that_must_leave() -> None:
    log = SlidingWindowLog(Limits(tokens=100, window_seconds=10))
    for second in range(4):
        spent(log, float(second), Demand(output_tokens=25))
    assert [log.available_at(Demand(output_tokens=25 * n), 5.0) for n in (1, 2, 3, 4)] == [
        10.0, 11.0, 12.0, 13.0,
    ]  # fmt: skip


def test_one_that_is_larger_than_any_window_goes_when_nothing_else_does() -> None:
    log = SlidingWindowLog(Limits(tokens=100, window_seconds=10))
    huge = Demand(output_tokens=1_000)
    spent(log, 0.0, Demand(output_tokens=1))
    assert log.available_at(huge, 1.0) == 10.0
    assert log.available_at(huge, 10.0) == 10.0


def test_a_prompt_is_taken_at_its_bytes_until_one_was_counted() -> None:
    log = SlidingWindowLog(Limits(tokens=1_000, window_seconds=10))
    charge = log.charge(Demand(prompt_bytes=1_000), 0.0)
    assert charge.prompt == 1_000
    log.settle(charge, 1.0, Usage(input_tokens=200, output_tokens=10, calls=1))
    assert charge.of("tokens") == 210, "what it really took, and output that had no bound"
    assert log.charge(Demand(prompt_bytes=1_000), 2.0).prompt == 250, "a quarter at least"


def test_dense_prompts_are_learnt_with_a_margin() -> None:
    log = SlidingWindowLog(Limits(tokens=10_000, window_seconds=10))
    log.settle(log.charge(Demand(1_000), 0.0), 1.0, Usage(input_tokens=500, calls=1))
    assert log.charge(Demand(1_000), 2.0).prompt == 550
    log.settle(log.charge(Demand(1_000), 3.0), 3.0, Usage(input_tokens=999, calls=1))
    assert 800 < log.charge(Demand(1_000), 4.0).prompt <= 1_000


def test_output_that_was_allowed_stays_charged_though_it_was_not_written() -> None:
    log = SlidingWindowLog(Limits(tokens=1_000, window_seconds=10))
    charge = log.charge(Demand(100, 400), 0.0)
    log.settle(charge, 1.0, Usage(input_tokens=30, output_tokens=5, calls=1))
    assert charge.of("tokens") == 430


@pytest.mark.parametrize("usage", [Usage(), Usage(90, 10, estimated=True)])
def test_what_was_not_counted_changes_nothing(usage: Usage) -> None:
    log = SlidingWindowLog(Limits(tokens=1_000, window_seconds=10))
    charge = log.charge(Demand(100, 400), 0.0)
    log.settle(charge, 1.0, usage)
    assert charge.of("tokens") == 500


# -- what the service says -----------------------------------------------------------------------


def test_a_pause_holds_everything_up_and_is_never_cut_short() -> None:
    log = SlidingWindowLog(Limits())
    log.pause(5.0, 10.0)
    log.pause(1.0, 11.0)
    assert log.available_at(NO_DEMAND, 12.0) == 15.0
    log.pause(9.0, 12.0)
    assert log.available_at(NO_DEMAND, 15.0) == 21.0
    assert log.available_at(NO_DEMAND, 21.0) == 21.0


def test_who_would_not_bear_the_pause_goes_to_hear_it_for_itself() -> None:
    log = SlidingWindowLog(Limits())
    log.pause(60.0, 0.0)
    log.report(RateLimits(requests=RateWindow(10, 0, 30.0)), spent_in_a_pause(log), 0.0)
    assert log.available_at(Demand(patience_seconds=60.0), 1.0) == 60.0
    assert log.available_at(Demand(patience_seconds=40.0), 1.0) == 30.0
    assert log.available_at(Demand(patience_seconds=20.0), 1.0) == 1.0


def spent_in_a_pause(log: SlidingWindowLog) -> Charge:
    charge = log.charge(NO_DEMAND, 0.0)
    log.reply_began(charge, 0.0)
    return charge


def test_a_pause_of_hours_is_a_quota_and_not_waited_for() -> None:
    log = SlidingWindowLog(Limits())
    log.pause(MAX_PAUSE_SECONDS + 1, 0.0)
    log.report(RateLimits(requests=RateWindow(14_400, 0, 80_000.0)), spent(log, 0.0), 0.0)
    assert log.available_at(NO_DEMAND, 1.0) == 1.0


def test_nothing_goes_after_the_service_said_that_nothing_is_left() -> None:
    log = SlidingWindowLog(Limits(requests=100))
    charge = log.charge(NO_DEMAND, 0.0)
    log.reply_began(charge, 1.0)
    log.report(RateLimits(requests=RateWindow(100, 0, 8.0)), charge, 1.0)
    assert log.available_at(NO_DEMAND, 2.0) == 9.0
    assert log.available_at(NO_DEMAND, 9.0) == 9.0


def test_what_is_under_way_counts_against_what_is_left() -> None:
    log = SlidingWindowLog(Limits())
    first, second = log.charge(NO_DEMAND, 0.0), log.charge(NO_DEMAND, 0.0)
    log.reply_began(first, 1.0)
    log.report(RateLimits(requests=RateWindow(10, 2, 8.0)), first, 1.0)
    assert log.available_at(NO_DEMAND, 1.0) == 1.0, "2 left, 1 under way"
    third = log.charge(NO_DEMAND, 1.0)
    assert log.available_at(NO_DEMAND, 1.0) == 9.0
    log.reply_began(second, 2.0)
    log.report(RateLimits(requests=RateWindow(10, 2, 7.0)), second, 2.0)
    assert log.available_at(NO_DEMAND, 2.0) == 9.0, "they were under way together"
    log.reply_began(third, 3.0)
    log.report(RateLimits(requests=RateWindow(10, 1, 6.0)), third, 3.0)
    assert log.available_at(NO_DEMAND, 3.0) == 3.0, "it was sent when the first was known"


def test_replies_that_overtake_each_other_leave_the_lesser_count() -> None:
    log = SlidingWindowLog(Limits())
    first, second = log.charge(NO_DEMAND, 0.0), log.charge(NO_DEMAND, 0.0)
    log.reply_began(second, 1.0)
    log.report(RateLimits(requests=RateWindow(10, 1, 8.0)), second, 1.0)
    assert log.available_at(NO_DEMAND, 1.0) == 9.0, "1 left, 1 under way"
    log.reply_began(first, 2.0)
    log.report(RateLimits(requests=RateWindow(10, 2, 7.0)), first, 2.0)
    assert log.available_at(NO_DEMAND, 2.0) == 9.0, "it was said before the other"


def test_after_its_reset_a_service_permits_what_it_said_is_its_limit() -> None:
    log = SlidingWindowLog(Limits())
    log.report(RateLimits(requests=RateWindow(3, 0, 8.0)), spent(log, 0.0), 0.0)
    for _ in range(3):
        assert log.available_at(NO_DEMAND, 8.0) == 8.0
        log.charge(NO_DEMAND, 8.0)
    assert log.available_at(NO_DEMAND, 8.0) == 16.0


def test_tokens_left_hold_up_only_who_needs_more() -> None:
    log = SlidingWindowLog(Limits())
    log.report(RateLimits(tokens=RateWindow(1_000, 100, 8.0)), spent(log, 0.0), 0.0)
    assert log.available_at(Demand(output_tokens=100), 1.0) == 1.0
    assert log.available_at(Demand(output_tokens=101), 1.0) == 8.0


def test_input_and_output_may_have_limits_apart() -> None:
    log = SlidingWindowLog(Limits())
    rates = RateLimits(
        input_tokens=RateWindow(1_000, 50, 4.0), output_tokens=RateWindow(1_000, 60, 8.0)
    )
    log.report(rates, spent(log, 0.0), 0.0)
    assert log.available_at(Demand(50, 60), 1.0) == 1.0
    assert log.available_at(Demand(51, 60), 1.0) == 4.0
    assert log.available_at(Demand(51, 61), 1.0) == 8.0


def test_headers_without_a_reset_say_nothing() -> None:
    log = SlidingWindowLog(Limits())
    log.report(RateLimits(requests=RateWindow(10, 0, None)), spent(log, 0.0), 0.0)
    assert log.available_at(NO_DEMAND, 0.0) == 0.0


def test_a_lost_count_is_noticed() -> None:
    log = SlidingWindowLog(Limits(tokens=10))
    charge = spent(log, 0.0, Demand(output_tokens=3))
    log.check(1)
    charge.output = 4
    with pytest.raises(InvariantError, match=r"\(0, 4\) tokens in and out are in the log"):
        log.check(1)


# -- against services ----------------------------------------------------------------------------

calls = st.lists(
    st.tuples(
        st.integers(1, 60),  # tokens
        st.floats(0, 0.5),  # until the service admits
        st.floats(0, 0.5),  # until its reply begins
        st.floats(0, 4),  # until the answer is whole
        st.floats(0, 3) | st.just(0.0),  # until the next is asked for
    ),
    min_size=1,
    max_size=60,
)


@pytest.mark.parametrize("kind", SERVICES)
@given(
    calls=calls,
    requests=st.integers(1, 8),
    tokens=st.integers(60, 200),
    limited=st.sampled_from(TOKEN_KINDS),
    window=st.sampled_from([0.5, 1.0, 3.0]),
    begin=st.floats(-3, 0),
)
def test_no_service_ever_refuses_and_nobody_waits_without_need(
    kind: str,
    calls: list[tuple[int, float, float, float, float]],
    requests: int,
    tokens: int,
    limited: str,
    window: float,
    begin: float,
) -> None:
    """
    One caller sends each exchange as soon as the log lets it.

    The world is a heap of what happens next; each exchange is admitted by the service somewhere
    between its sending and the beginning of its reply.
    """
    bounds: dict[str, int] = {"requests": requests, limited: tokens}
    log = SlidingWindowLog(Limits(window_seconds=window, **bounds))
    service = SERVICES[kind](requests, tokens, window, begin)
    serial = count()
    events: list[tuple[float, int, str, object]] = []
    begun: list[tuple[float, int]] = []  # of each exchange, when its reply began
    flying: dict[int, int] = {}
    now = 0.0

    def happens(when: float, what: str, subject: object) -> None:
        heappush(events, (when, next(serial), what, subject))

    def pass_until(moment: float) -> None:
        nonlocal now
        while events and events[0][0] <= moment:
            now, _, what, subject = heappop(events)
            if what == "admit":
                assert service.admits(int(str(subject)), now), f"refused at {now}"
            else:
                assert isinstance(subject, tuple)
                charge, number, size = subject
                if what == "reply":
                    log.reply_began(charge, now)
                    begun.append((now, size))
                    del flying[number]
                else:
                    log.settle(charge, now)
        now = max(now, moment)

    for number, (size, outward, back, rest, pause) in enumerate(calls):
        pass_until(now + pause)
        demand = Demand(size, 0) if limited == "input_tokens" else Demand(0, size)
        while (at := log.available_at(demand, now)) > now:
            # There is need: with it, more would count than is permitted.
            counted = [s for when, s in begun if when + window > now] + list(flying.values())
            assert len(counted) + 1 > requests or sum(counted) + size > tokens
            pass_until(at if at < NEVER else events[0][0])
        charge = log.charge(demand, now)
        flying[number] = size
        happens(now + outward, "admit", size)
        happens(now + outward + back, "reply", (charge, number, size))
        happens(now + outward + back + rest, "end", (charge, number, size))
    pass_until(1e6)
    log.check(0)
    assert log.is_idle(now)
