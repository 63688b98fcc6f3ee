"""The heap of times, and the timers in it: of an attempt, a node, a container, the run."""

from __future__ import annotations

import random

import pytest

from dagorch import Graph, Policy, Retry
from dagorch.errors import NodeTimeoutError, RateLimitedError
from dagorch.models.policy import DEFAULT_POLICY
from dagorch.scheduler.records import Frame, Timer, TimerKind
from dagorch.scheduler.states import State
from dagorch.scheduler.timers import Timers
from tests.unit.scheduler.by_hand import ByHand

NEVER = float("inf")


async def work() -> int: ...


def timer(when: float) -> Timer:
    graph = Graph("one")
    graph.function(work, id="a")
    frame = Frame(graph.compile(), 1, [], None, 0, None, 0.0, 0)
    return Timer(when, TimerKind.NODE, frame)


def test_the_earliest_is_known_and_taken_when_it_is_due() -> None:
    timers = Timers()
    assert timers.earliest == NEVER
    late, soon = timers.add(timer(5.0)), timers.add(timer(2.0))
    assert timers.earliest == 2.0
    assert timers.pop(1.9) is None
    assert timers.pop(9.0) is soon
    assert timers.pop(9.0) is late
    assert timers.pop(9.0) is None
    assert timers.earliest == NEVER


def test_equal_times_come_in_the_order_they_were_added() -> None:
    timers = Timers()
    added = [timers.add(timer(1.0)) for _ in range(5)]
    assert [timers.pop(1.0) for _ in range(5)] == added


@pytest.mark.parametrize("seed", range(5))
def test_dropped_ones_never_come_and_do_not_pile_up(seed: int) -> None:
    chance, timers = random.Random(seed), Timers()
    kept = {}
    for number in range(5000):
        added = timers.add(timer(chance.random()))
        if number % 100:
            timers.drop(added)
            timers.drop(added)
        else:
            kept[added.when] = added
        assert timers.earliest == min(kept)
        assert len(timers) == len(kept) == len(list(timers))
    assert len(timers._heap) <= 2 * len(kept) + 65
    assert [timers.pop(1.0) for _ in kept] == [kept[when] for when in sorted(kept)]


def one(policy: Policy, **options: float) -> ByHand:
    graph = Graph("one")
    graph.function(work, id="a", policy=policy)
    graph.function(work, id="other")
    return ByHand(graph, **options).start()  # type: ignore[arg-type]


def error_of(hand: ByHand, id: str) -> BaseException | None:
    return hand.root.node_details[hand.index(id)].error


def test_an_attempt_that_is_late_is_stopped_and_tried_again() -> None:
    retry = Retry(attempts=2, base_delay_seconds=0)
    hand = one(Policy(attempt_timeout_seconds=2, retry=retry))
    hand.wait(2)
    assert hand.cancelling == ["a"]
    assert hand.state("a") is State.RUNNING, "it keeps its slot until it has stopped"
    hand.stopped("a")
    assert hand.running["a"].number == 2
    hand.wait(1.9)
    assert not hand.cancelling
    hand.wait(0.2).stopped("a")
    assert hand.state("a") is State.FAILED
    assert "attempt 2 of node 'a' took longer than attempt_timeout_seconds=2" in str(
        error_of(hand, "a")
    )


def test_what_succeeds_although_it_is_late_is_completed() -> None:
    hand = one(Policy(timeout_seconds=2))
    hand.wait(3).succeed("a", "late")
    assert hand.value("a") == "late"


def test_a_nodes_deadline_runs_from_its_first_attempt_and_ends_all_of_them() -> None:
    retry = Retry(attempts=9, base_delay_seconds=0)
    hand = one(Policy(timeout_seconds=3, attempt_timeout_seconds=2, retry=retry))
    hand.wait(2).stopped("a").wait(1)
    assert hand.cancelling == ["a"]
    hand.stopped("a")
    assert hand.state("a") is State.FAILED
    assert "node 'a' took longer than timeout_seconds=3" in str(error_of(hand, "a"))


def test_a_graph_that_comes_after_the_nodes_deadline_is_not_opened() -> None:
    inner = Graph("inner")
    inner.function(work, id="deep")
    graph = Graph("outer")
    graph.function(work, id="plan", expand=True, policy=Policy(timeout_seconds=2))
    hand = ByHand(graph).start()
    hand.wait(3).expand("plan", inner)
    assert hand.state("plan") is State.FAILED
    assert isinstance(error_of(hand, "plan"), NodeTimeoutError)


def test_a_graph_that_comes_after_its_attempts_deadline_is_opened() -> None:
    inner = Graph("inner")
    inner.function(work, id="deep")
    graph = Graph("outer")
    graph.function(work, id="plan", expand=True, policy=Policy(attempt_timeout_seconds=2))
    hand = ByHand(graph).start()
    hand.wait(3).expand("plan", inner).succeed("plan/deep", 4)
    assert hand.value("plan") == 4


def nested(policy: Policy, body_policy: Policy = DEFAULT_POLICY, **options: float) -> ByHand:
    inner = Graph("inner")
    inner.function(work, id="deep", policy=body_policy)
    graph = Graph("outer")
    graph.subgraph(inner, policy=policy)
    graph.function(work, id="beside")
    return ByHand(graph, **options).start()  # type: ignore[arg-type]


def test_a_container_is_late_with_all_that_is_in_it_and_its_policy_applies() -> None:
    hand = nested(Policy(timeout_seconds=2, on_error="continue"))
    hand.wait(2)
    assert hand.cancelling == ["inner/deep"]
    assert hand.state("inner") is State.OPEN
    hand.stopped("inner/deep")
    assert hand.state("inner") is State.FAILED
    assert hand.state("beside") is State.RUNNING
    assert isinstance(error_of(hand, "inner"), NodeTimeoutError)


def test_a_late_run_stops_as_a_whole() -> None:
    hand = nested(Policy(), timeout_seconds=2)
    hand.wait(2)
    assert sorted(hand.cancelling) == ["beside", "inner/deep"]
    hand.stopped("beside").stopped("inner/deep")
    assert isinstance(hand.core.outcome_error, NodeTimeoutError)
    assert "the run took longer than its timeout_seconds=2" in str(hand.core.outcome_error)


@pytest.mark.parametrize("whose", ["node", "container", "run"])
def test_a_wait_that_would_end_past_a_deadline_fails_at_once(whose: str) -> None:
    retry = Policy(
        retry=Retry(attempts=3),
        timeout_seconds=10 if whose == "node" else None,
        on_error="continue",
    )
    around = Policy(timeout_seconds=10 if whose == "container" else None)
    limit = {"timeout_seconds": 10.0} if whose == "run" else {}
    hand = nested(around, retry, **limit)
    hand.wait(4).fail("inner/deep", RateLimitedError("slow down", retry_after_seconds=5))
    hand.wait(5)
    assert hand.running["inner/deep"].number == 2
    hand.fail("inner/deep", RateLimitedError("slow down", retry_after_seconds=1.5))
    assert hand.state("inner") is State.FAILED


def test_an_attempt_that_is_late_and_then_unwanted_is_cancelled() -> None:
    graph = Graph("unwanted")
    graph.function(work, id="slow", policy=Policy(timeout_seconds=2, fallback="instead"))
    graph.function(work, id="broken")
    hand = ByHand(graph).start()
    hand.wait(2)
    assert hand.cancelling == ["slow"]
    hand.fail("broken").stopped("slow")
    assert hand.state("slow") is State.CANCELLED


def test_a_container_that_is_late_in_a_frame_that_stops_gets_no_fallback() -> None:
    inner = Graph("inner")
    inner.function(work, id="deep")
    graph = Graph("outer")
    graph.subgraph(inner, policy=Policy(timeout_seconds=2, fallback="instead"))
    graph.function(work, id="broken")
    hand = ByHand(graph).start()
    hand.wait(2).fail("broken").stopped("inner/deep")
    assert hand.state("inner") is State.FAILED


def test_without_deadlines_there_is_nothing_to_wait_for() -> None:
    hand = one(Policy())
    assert hand.core.next_timer_at == NEVER
    assert not len(hand.core.timers)
