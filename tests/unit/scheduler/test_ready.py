"""
The ready queue and its key: priority, critical path, frame, node; a saturated resource holds up
only its own.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from dagorch import Graph, Policy
from dagorch.graph.plan import Plan
from dagorch.scheduler.commands import StartAttempt
from dagorch.scheduler.ready import ReadyQueue
from dagorch.scheduler.records import Frame
from tests.unit.scheduler.by_hand import ByHand


async def work() -> int: ...


def nested() -> Plan:
    """A plan with a plan inside: its queue holds whole items, of any frame."""
    body = Graph("body")
    body.function(work)
    graph = Graph("nested")
    graph.subgraph(body)
    return graph.compile()


NESTED = nested()


def anything(item: object) -> bool:
    return True


def item(number: int, rank: float = 0.0, priority: float = 0.0) -> Any:
    return (-priority, -rank, 1, number, "frame")


def numbers(queue: ReadyQueue, **options: Any) -> list[int]:
    found = []
    while (
        taken := queue.pop(options.get("live", anything), options.get("admit", anything))
    ) is not None:
        found.append(taken[3])
    return found


@pytest.mark.parametrize("seed", range(10))
def test_items_come_in_the_order_of_their_keys_whatever_they_need(seed: int) -> None:
    chance = random.Random(seed)
    items = [item(n, chance.randrange(4), chance.randrange(3)) for n in range(40)]
    queue = ReadyQueue(NESTED)
    for each in items:
        queue.push(each, chance.choice(((), ("gpu",), ("gpu", "disk"))))
    assert len(queue) == 40
    assert numbers(queue) == [each[3] for each in sorted(items)]
    assert len(queue) == 0


def test_what_is_no_longer_ready_is_thrown_away() -> None:
    queue = ReadyQueue(NESTED)
    for number in range(6):
        queue.push(item(number), ("gpu",) if number % 2 else ())
    assert numbers(queue, live=lambda each: each[3] in (2, 3)) == [2, 3]
    assert not queue.in_order
    assert not queue.late
    assert not queue.by_needs


def test_a_saturated_set_is_passed_over_and_asked_once() -> None:
    queue = ReadyQueue(NESTED)
    for number in range(3):
        queue.push(item(number), ("gpu",))
    queue.push(item(3), ("disk",))
    queue.push(item(4))
    asked = []

    def admit(each: Any) -> bool:
        asked.append(each[3])
        return each[3] == 3

    assert queue.pop(anything, admit) == item(3)
    assert asked == [0, 3], "all three need what the first could not have"
    assert queue.pop(anything, admit) == item(4)
    assert queue.pop(anything, admit) is None
    assert len(queue) == 3


@pytest.mark.parametrize("seed", range(10))
def test_places_in_the_order_of_a_single_frame_stand_for_the_same_keys(seed: int) -> None:
    chance = random.Random(seed)
    graph = Graph("flat")
    refs: list[Any] = []
    for place in range(40):
        policy = Policy(priority=chance.choice((None, None, 1, -1)))
        after = chance.sample(refs, min(len(refs), chance.randrange(3)))
        refs.append(graph.function(work, id=f"n{place}", policy=policy, after=after))
    plan = graph.compile()
    root = Frame(plan, 1, [], None, 0, None, 0.0, 0)
    queue = ReadyQueue(plan)
    queue.root = root
    items = [
        (-plan.priorities.get(n, 0), plan.neg_rank[n], root.serial, n, root) for n in range(40)
    ]
    for each in chance.sample(items, 40):
        queue.push(each, chance.choice(((), (), ("gpu",))))
    assert all(type(entry) is int for entry in (*queue.in_order, *queue.late))
    assert sorted(queue) == sorted(items)
    assert numbers(queue) == [each[3] for each in sorted(items)]


def order(graph: Graph, **options: Any) -> list[str]:
    """The order in which a single slot starts everything."""
    hand = ByHand(graph, max_parallel=1, **options).start()
    while hand.running:
        hand.succeed(next(iter(hand.running)), 1)
    return [c.path for c in hand.commands if isinstance(c, StartAttempt)]


def test_the_critical_path_goes_first() -> None:
    graph = Graph("paths")
    graph.function(work, id="short")
    first = graph.function(work, id="first")
    second = graph.function(work, id="second", after=first)
    graph.function(work, id="third", after=second)
    assert order(graph) == ["first", "second", "short", "third"]


def test_priority_goes_before_the_critical_path_and_equals_by_their_place() -> None:
    graph = Graph("priorities")
    first = graph.function(work, id="first")
    graph.function(work, id="last", after=first)
    graph.function(work, id="b")
    graph.function(work, id="urgent", policy=Policy(priority=1))
    graph.function(work, id="idle", policy=Policy(priority=-1))
    assert order(graph) == ["urgent", "first", "last", "b", "idle"]


def test_what_follows_the_container_counts_for_what_is_in_it() -> None:
    graph = Graph("tails")
    lone, long = Graph("lone"), Graph("long")
    lone.function(work, id="a")
    long.function(work, id="b")
    graph.subgraph(lone)
    held = graph.subgraph(long)
    after = graph.function(work, id="after", after=held)
    graph.function(work, id="at_last", after=after)
    assert order(graph) == ["long/b", "after", "at_last", "lone/a"]


def test_a_container_weighs_as_much_as_the_longest_path_in_it() -> None:
    body = Graph("body")
    first = body.function(work, id="first")
    second = body.function(work, id="second", after=first)
    body.function(work, id="third", after=second)
    graph = Graph("weights")
    short = graph.function(work, id="short")
    graph.function(work, id="next", after=short)
    before = graph.function(work, id="before")
    graph.subgraph(body, after=before)
    assert order(graph) == ["before", "body/first", "short", "body/second", "next", "body/third"]


def test_a_child_inherits_the_priority_of_its_container_unless_it_sets_one() -> None:
    body = Graph("body")
    body.function(work, id="heir")
    body.function(work, id="own", policy=Policy(priority=5))
    graph = Graph("heirs")
    graph.function(work, id="plain")
    graph.function(work, id="middle", policy=Policy(priority=1))
    graph.subgraph(body, policy=Policy(priority=2))
    assert order(graph) == ["body/own", "body/heir", "middle", "plain"]


def test_a_saturated_resource_does_not_hold_up_the_others() -> None:
    graph = Graph("resources")
    for place in range(3):
        graph.function(work, id=f"gpu{place}", policy=Policy(resources=("gpu",), priority=9))
    graph.function(work, id="disk", policy=Policy(resources=("disk",)))
    graph.function(work, id="plain")
    hand = ByHand(graph, limits={"gpu": 1, "disk": 1}).start()
    assert sorted(hand.running) == ["disk", "gpu0", "plain"]
    hand.succeed("gpu0")
    assert sorted(hand.running) == ["disk", "gpu1", "plain"]
