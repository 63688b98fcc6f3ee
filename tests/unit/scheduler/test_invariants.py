"""One corruption of a core for each invariant; the error names the rule."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from dagorch import LLM, Graph, Policy, Ref, Retry
from dagorch.errors import InvariantError
from dagorch.models.usage import Amount
from dagorch.scheduler.admission import Resource
from dagorch.scheduler.invariants import check
from dagorch.scheduler.records import MISSING, Container
from dagorch.scheduler.states import State
from tests.unit.scheduler.by_hand import ByHand


async def work() -> int: ...


def busy() -> ByHand:
    """A run with something in every state: done, running, waiting, delayed, open, queued."""
    inner = Graph("inner")
    inner.function(work, id="deep")
    graph = Graph("busy")
    done = graph.function(work, id="done")
    graph.function(work, id="later", after=(done, graph.function(work, id="long")))
    graph.function(work, id="shaky", policy=Policy(retry=Retry(base_delay_seconds=50)))
    graph.function(work, id="held", policy=Policy(resources=("gpu",)))
    graph.function(work, id="queued", policy=Policy(resources=("gpu",)))
    graph.add(LLM("asked", prompt="Hello"))
    graph.subgraph(inner)
    hand = ByHand(
        graph,
        limits={"gpu": 1},
        max_cost=Decimal("1"),
        price="0.40",
        resource=Resource("service", 2),
    )
    hand.start().succeed("done", 1).fail("shaky")
    assert hand.state("shaky") is State.DELAYED
    assert hand.state("queued") is State.READY
    return hand


def test_a_core_that_nobody_touched_passes() -> None:
    check(busy().core)


def _too_many_slots(hand: ByHand) -> None:
    hand.core.dispatcher.max_parallel = 2


def _slot_lost(hand: ByHand) -> None:
    hand.core.dispatcher.slots_used -= 1


def _too_many_node_runs(hand: ByHand) -> None:
    hand.core.max_node_runs = 3


def _reservation_lost(hand: ByHand) -> None:
    hand.core.dispatcher.budget.reserved -= Amount(Decimal("0.01"))


def _overspent(hand: ByHand) -> None:
    hand.core.dispatcher.budget.spent = Amount(Decimal("0.61"))


def _resource_lost(hand: ByHand) -> None:
    hand.core.dispatcher.admission._queues["service"].held -= 1


def _finished_early(hand: ByHand) -> None:
    hand.core.finished = True


def _too_far(hand: ByHand) -> None:
    hand.core.progress = 100.5


def _items_to_come(hand: ByHand) -> None:
    hand.core.unopened_count = 3


def _count_of_unended(hand: ByHand) -> None:
    hand.root.unended += 1


def _value_too_early(hand: ByHand) -> None:
    hand.root.values[hand.index("later")] = 1


def _value_gone(hand: ByHand) -> None:
    hand.root.values[hand.index("done")] = MISSING


def _attempt_forgotten(hand: ByHand) -> None:
    hand.core.dispatcher.slots_used -= 1
    del hand.root.running[hand.index("long")]


def _open_without_frames(hand: ByHand) -> None:
    del hand.root.containers[hand.index("inner")]


def _count_of_pending(hand: ByHand) -> None:
    hand.root.pending[hand.index("later")] = 2


def _frames_under_what_is_not_open(hand: ByHand) -> None:
    hand.root.containers[hand.index("later")] = Container(hand.core.plan, {}, suffix="")


def _frame_lost(hand: ByHand) -> None:
    frame = next(frame for frame in hand.core.frames.values() if frame.parent is not None)
    attempt = frame.running.pop(0)
    del hand.core.frames[frame.serial]
    hand.core.dispatcher.slots_used -= 1
    assert attempt.path == "inner/deep"


def _queue_lost(hand: ByHand) -> None:
    hand.core.dispatcher.queue.by_needs.clear()


def _alarm_lost(hand: ByHand) -> None:
    for timer in list(hand.core.timers):
        hand.core.timers.drop(timer)


CORRUPTIONS: dict[str, Callable[[ByHand], None]] = {
    "4 slots used of 2": _too_many_slots,
    "3 slots used by 4 running attempts": _slot_lost,
    "more node runs than max_node_runs": _too_many_node_runs,
    "more is reserved by attempts than by the budget": _reservation_lost,
    "a ceiling is broken": _overspent,
    "service is held more often than admitted": _resource_lost,
    "the run is finished, but a frame is open": _finished_early,
    "0 node runs of items are to come, counted 3": _items_to_come,
    "progress is 100.5": _too_far,
    "7 node runs have not ended, counted 8": _count_of_unended,
    "a value without completion, or none with it\nlater (function)": _value_too_early,
    "a value without completion, or none with it\ndone (function)": _value_gone,
    "running without an attempt\nlong (function)": _attempt_forgotten,
    "open, but waits for nothing\ninner (subgraph)": _open_without_frames,
    "1 edges are pending, counted 2\nlater (function)": _count_of_pending,
    "frames under a node run that is not open\nlater (function)": _frames_under_what_is_not_open,
    "a frame that is not open is still waited for\ninner (subgraph)": _frame_lost,
    "ready, but nothing will start it\nqueued (function)": _queue_lost,
    "delayed, but nothing will wake it\nshaky (function)": _alarm_lost,
}


@pytest.mark.parametrize("rule", CORRUPTIONS)
def test_a_corrupted_core_is_noticed(rule: str) -> None:
    hand = busy()
    CORRUPTIONS[rule](hand)
    with pytest.raises(InvariantError) as caught:
        check(hand.core)
    assert str(caught.value).startswith(rule)


def test_a_run_that_waits_for_nothing_and_has_not_ended_tells_the_story() -> None:
    graph = Graph("stuck")
    graph.function(work, id="first")
    graph.function(work, id="second", after=Ref(graph, "first"))
    hand = ByHand(graph).start()
    hand.root.pending[1] = 2  # an edge that will never come
    hand.core.handle(_success(hand, "first"))
    with pytest.raises(
        InvariantError, match="nothing is left to wait for, but 'second' has not ended"
    ):
        hand.core.next()


def _success(hand: ByHand, path: str) -> object:
    from dagorch.scheduler.stimuli import AttemptSucceeded

    return AttemptSucceeded(hand.running.pop(path), 1, hand.now)
