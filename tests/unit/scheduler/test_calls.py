"""Calls of function nodes: granted, refused or waiting, and served as soon as there is room."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dagorch import Graph
from dagorch.errors import BudgetExceededError
from dagorch.models.usage import Amount
from dagorch.scheduler import stimuli
from dagorch.scheduler.admission import Admission, Resource
from dagorch.scheduler.commands import GrantCall, RefuseCall, WakeRun
from dagorch.scheduler.records import Call, Prepared
from dagorch.scheduler.states import State
from tests.unit.scheduler.by_hand import ByHand, cost


async def work() -> int: ...


def pair(**options: object) -> ByHand:
    graph = Graph("pair")
    graph.function(work, id="a")
    graph.function(work, id="b")
    return ByHand(graph, **options).start()  # type: ignore[arg-type]


def call(
    hand: ByHand, path: str, resource: Resource | None = None, usd: str = "0", *, wait: bool = True
) -> Call:
    prepared = Prepared(None, None, resource, Amount(Decimal(usd)))
    made = Call(hand.running[path], prepared, wait=wait)
    hand.request(made)
    return made


def granted(hand: ByHand) -> list[Call]:
    return [command.call for command in hand.others if isinstance(command, GrantCall)]


def refused(hand: ByHand) -> list[tuple[Call, BaseException]]:
    return [(c.call, c.error) for c in hand.others if isinstance(c, RefuseCall)]


def test_a_call_is_granted_and_billed() -> None:
    hand = pair(max_cost=Decimal("1"))
    made = call(hand, "a", usd="0.40")
    assert granted(hand) == [made]
    assert hand.core.dispatcher.budget.reserved == Amount(Decimal("0.40"))
    hand.tell(stimuli.CallEnded(made, cost("0.10"), hand.now))
    assert (
        hand.core.dispatcher.budget.reserved.cost_usd,
        hand.core.dispatcher.budget.spent.cost_usd,
    ) == (
        0,
        Decimal("0.10"),
    )
    assert hand.core.usage.cost_usd == Decimal("0.10")


def test_the_end_of_one_call_serves_the_next() -> None:
    one = Resource("service", 1)
    hand = pair()
    first, second = call(hand, "a", one), call(hand, "b", one)
    assert granted(hand) == [first]
    hand.core.handle(stimuli.CallEnded(first, cost("0"), hand.now))
    assert hand.core.has_work, "else no worker comes to look"
    hand.drain()
    assert granted(hand) == [first, second]


def test_a_full_resource_holds_up_its_own_line_only() -> None:
    hand = pair()
    held = call(hand, "a", Resource("slow", 1))
    waiting = call(hand, "a", Resource("slow", 1))
    other = call(hand, "b", Resource("other", 1))
    assert granted(hand) == [held, other]
    hand.tell(stimuli.CallEnded(held, cost("0"), hand.now))
    assert granted(hand) == [held, other, waiting]


def test_for_money_nobody_overtakes() -> None:
    hand = pair(max_cost=Decimal("1"))
    held = call(hand, "a", usd="0.60")
    large, small = call(hand, "b", usd="0.70"), call(hand, "b", usd="0.10")
    assert granted(hand) == [held]
    hand.tell(stimuli.CallEnded(held, cost("0.20"), hand.now))
    assert granted(hand) == [held, large, small]


def test_a_call_that_can_never_be_paid_ends_the_run() -> None:
    hand = pair(max_cost=Decimal("1"))
    made = call(hand, "a", usd="1.10")
    [(which, error)] = refused(hand)
    assert which is made
    assert isinstance(error, BudgetExceededError)
    assert sorted(hand.cancelling) == ["a", "b"]
    hand.stopped("a").stopped("b")
    assert hand.core.finished
    assert hand.core.outcome_error is error


def test_a_synchronous_call_is_refused_rather_than_kept_waiting() -> None:
    hand = pair()
    call(hand, "a", Resource("service", 1))
    made = call(hand, "b", Resource("service", 1), wait=False)
    [(which, error)] = refused(hand)
    assert which is made
    assert "would have to wait" in str(error)


def test_a_caller_that_goes_before_it_was_granted_leaves_the_line() -> None:
    one = Resource("service", 1)
    hand = pair()
    first, gone, last = call(hand, "a", one), call(hand, "a", one), call(hand, "b", one)
    hand.tell(stimuli.CallEnded(gone, cost("0"), hand.now))
    hand.tell(stimuli.CallEnded(first, cost("0"), hand.now))
    assert granted(hand) == [first, last]


def test_a_call_of_an_attempt_that_is_stopping_is_refused() -> None:
    one = Resource("service", 1)
    hand = pair()
    first = call(hand, "a", one)
    waiting = call(hand, "b", one)
    hand.tell(stimuli.RunCancelled("enough", hand.now))
    assert [which for which, _ in refused(hand)] == [waiting]
    hand.tell(stimuli.CallEnded(first, cost("0"), hand.now)).stopped("a").stopped("b")
    assert hand.state("a") is State.CANCELLED


def test_a_call_waits_for_another_run_and_is_woken_by_it() -> None:
    admission, one = Admission(), Resource("service", 1)
    mine, theirs = (
        pair(run_id="mine", admission=admission),
        pair(run_id="theirs", admission=admission),
    )
    first, second = call(mine, "a", one), call(theirs, "a", one)
    mine.tell(stimuli.CallEnded(first, cost("0"), mine.now))
    assert [c.run for c in mine.others if isinstance(c, WakeRun)] == ["theirs"]
    theirs.core.handle(stimuli.ResourceFreed(theirs.now))
    assert theirs.core.has_work, "else no worker comes to look"
    theirs.drain()
    assert granted(theirs) == [second]


def test_of_two_calls_that_wait_the_second_keeps_its_place_in_line() -> None:
    admission, one = Admission(), Resource("service", 1)
    mine, theirs = (
        pair(run_id="mine", admission=admission),
        pair(run_id="theirs", admission=admission),
    )
    held = call(mine, "a", one)
    first, second = call(theirs, "a", one), call(theirs, "b", one)
    again = call(mine, "b", one)
    mine.tell(stimuli.CallEnded(held, cost("0"), mine.now))
    theirs.tell(stimuli.ResourceFreed(theirs.now))
    assert granted(theirs) == [first]
    theirs.tell(stimuli.CallEnded(first, cost("0"), theirs.now))
    mine.tell(stimuli.ResourceFreed(mine.now))
    assert granted(mine) == [held, again]
    mine.tell(stimuli.CallEnded(again, cost("0"), mine.now))
    assert [c.run for c in mine.others if isinstance(c, WakeRun)] == ["theirs", "theirs"]
    theirs.tell(stimuli.ResourceFreed(theirs.now))
    assert granted(theirs) == [first, second]


@pytest.mark.parametrize("usd", ["0", "0.10"])
def test_a_grant_is_settled_once_even_after_the_run_was_stopped(usd: str) -> None:
    hand = pair(max_cost=Decimal("1"))
    made = call(hand, "a", Resource("service", 1), usd)
    hand.tell(stimuli.RunCancelled("enough", hand.now))
    hand.tell(stimuli.CallEnded(made, cost(usd), hand.now))
    hand.stopped("a").stopped("b")
    assert hand.core.finished
    assert not hand.core.dispatcher.budget.reserved
    assert hand.core.dispatcher.admission.held("service") == 0


def test_a_call_that_was_woken_in_vain_is_still_in_line() -> None:
    admission, three = Admission(), Resource("service", 3)
    mine = pair(run_id="mine", admission=admission)
    theirs = pair(run_id="theirs", admission=admission)
    held = [call(mine, path, three) for path in ("a", "a", "b")]
    waiting = [call(theirs, path, three) for path in ("a", "a", "b")]
    for made in held[:2]:
        mine.tell(stimuli.CallEnded(made, cost("0"), mine.now))
    assert [c.run for c in mine.others if isinstance(c, WakeRun)] == ["theirs", "theirs"]
    theirs.tell(stimuli.ResourceFreed(theirs.now))
    assert granted(theirs) == waiting[:2], "both at once, so the second waking is in vain"
    theirs.tell(stimuli.ResourceFreed(theirs.now))
    mine.others.clear()
    mine.tell(stimuli.CallEnded(held[2], cost("0"), mine.now))
    assert [c.run for c in mine.others if isinstance(c, WakeRun)] == ["theirs"]
    theirs.tell(stimuli.ResourceFreed(theirs.now))
    assert granted(theirs) == waiting
