"""
Money: reserved before it is spent, waited for while some may come back, and a stop when none can.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from dagorch import LLM, Graph
from dagorch.errors import BudgetExceededError
from dagorch.models.usage import Amount, Usage
from dagorch.scheduler.budget import Budget
from dagorch.scheduler.states import State
from tests.unit.scheduler.by_hand import ByHand, cost


def asking(count: int, **options: object) -> ByHand:
    graph = Graph("asking")
    for place in range(count):
        graph.add(LLM(f"n{place}", prompt="Hello"))
    return ByHand(graph, **options).start()  # type: ignore[arg-type]


def usd(dollars: str) -> Amount:
    return Amount(Decimal(dollars))


def test_reserved_and_spent_stay_within_the_ceiling() -> None:
    budget = Budget(Decimal("1.00"))
    assert budget.reserve(usd("0.60"))
    assert not budget.reserve(usd("0.41"))
    assert budget.reserve(usd("0.40"))
    budget.settle(usd("0.60"), cost("0.05"))
    assert (budget.spent, budget.reserved) == (Amount(Decimal("0.05"), 15), usd("0.40"))
    assert budget.fits(usd("0.55"))
    assert not budget.fits(usd("0.56"))


def test_what_never_fits_is_told_from_what_may_fit_later() -> None:
    budget = Budget(Decimal("1.00"))
    budget.reserve(usd("0.90"))
    assert not budget.fits(usd("0.50"))
    assert not budget.never_fits(usd("0.50"))
    budget.settle(usd("0.90"), cost("0.80"))
    assert budget.never_fits(usd("0.50"))


def test_tokens_have_a_ceiling_of_their_own() -> None:
    budget = Budget(max_tokens=100)
    assert budget.reserve(Amount(Decimal(5), 60))
    assert not budget.reserve(Amount(Decimal(0), 41))
    assert not budget.never_fits(Amount(Decimal(0), 100))
    budget.settle(Amount(Decimal(5), 60), Usage(20, 30))
    assert budget.never_fits(Amount(Decimal(0), 51))
    assert "up to 51 tokens, but of the run's max_tokens=100 50 are used" in budget.explain(
        Amount(Decimal(0), 51)
    )


def test_of_two_ceilings_either_holds() -> None:
    budget = Budget(Decimal(1), 100)
    assert not budget.fits(Amount(Decimal(2), 1))
    assert not budget.fits(Amount(Decimal("0.5"), 101))
    assert budget.fits(Amount(Decimal(1), 100))
    assert "could cost up to $2" in budget.explain(Amount(Decimal(2), 1))


def test_without_a_ceiling_everything_fits() -> None:
    budget = Budget()
    assert budget.reserve(usd("1e9"))
    assert not budget.never_fits(usd("1e9"))


def test_an_attempt_waits_while_a_reservation_may_come_back() -> None:
    hand = asking(3, price="0.40", max_cost=Decimal("1.00"))
    assert sorted(hand.running) == ["n0", "n1"]
    hand.succeed("n0", "hi", cost("0.10"))
    assert sorted(hand.running) == ["n1", "n2"]
    hand.succeed("n1", "hi", cost("0.10")).succeed("n2", "hi", cost("0.10"))
    assert hand.core.finished
    assert hand.core.outcome_error is None
    assert hand.core.dispatcher.budget.spent == Amount(Decimal("0.30"), 45)


def test_the_run_stops_once_nothing_is_reserved_and_the_next_does_not_fit() -> None:
    hand = asking(3, price="0.40", max_cost=Decimal("1.00"))
    hand.succeed("n0", "hi", cost("0.40"))
    assert "n2" not in hand.running
    assert not hand.core.finished, "0.40 may still come back"
    hand.succeed("n1", "hi", cost("0.40"))
    assert hand.core.finished
    assert isinstance(hand.core.outcome_error, BudgetExceededError)
    assert hand.state("n2") is State.CANCELLED


@pytest.mark.parametrize("count", [1, 3])
def test_a_first_attempt_that_does_not_fit_stops_the_run_at_once(count: int) -> None:
    hand = asking(count, price="0.40", max_cost=Decimal("0.30"))
    assert hand.core.finished
    assert isinstance(hand.core.outcome_error, BudgetExceededError)
    assert not hand.running


def test_free_nodes_pass_whoever_waits_for_money() -> None:
    graph = Graph("mixed")

    async def free() -> int: ...

    for place in range(3):
        graph.add(LLM(f"n{place}", prompt="Hello"))
    graph.function(free)
    hand = ByHand(graph, price="0.90", max_cost=Decimal("1.00")).start()
    assert sorted(hand.running) == ["free", "n0"]


def test_a_failed_attempt_costs_too() -> None:
    hand = asking(1, price="0.40", max_cost=Decimal("1.00"))
    hand.fail("n0", OSError("no"), cost("0.30")).wait(5)
    hand.succeed("n0", "hi", cost("0.20"))
    assert hand.core.dispatcher.budget.spent == Amount(Decimal("0.50"), 30)
    assert hand.core.usage.cost_usd == Decimal("0.50")


def test_nested_runs_stop_as_a_whole() -> None:
    body = Graph("body")
    body.add(LLM("say", prompt="Hello"))
    graph = Graph("outer")
    graph.subgraph(body)
    hand = ByHand(graph, price="0.40", max_cost=Decimal("0.10")).start()
    assert hand.core.finished
    assert isinstance(hand.core.outcome_error, BudgetExceededError)
    assert hand.state("body") is State.CANCELLED


def test_what_is_set_aside_is_for_its_owner_alone() -> None:
    budget = Budget(Decimal("1.00"))
    budget.set_aside = own = usd("0.60")
    assert budget.fits(usd("0.40"))
    assert not budget.fits(usd("0.41"))
    assert budget.never_fits(usd("0.41"))
    assert budget.fits(usd("1.00"), own)
    assert not budget.fits(usd("1.01"), own)
    assert "$0.60 set aside" in budget.explain(usd("0.41"))
    assert budget.reserve(usd("0.70"), own)
    assert (budget.reserved, budget.set_aside) == (usd("0.70"), Amount())
    budget.give_back(usd("0.70"), own)
    assert (budget.reserved, budget.set_aside, budget.holders) == (Amount(), own, 0)


def test_an_amount_may_have_to_fit_several_times() -> None:
    budget = Budget(Decimal("1.00"), 100)
    assert budget.fits(Amount(Decimal("0.25"), 25), times=4)
    assert not budget.fits(Amount(Decimal("0.25"), 26), times=4)
    assert not budget.fits(Amount(Decimal("0.26"), 25), times=4)
    budget.settle(Amount(), cost("9.00"))
    assert budget.fits(Amount()), "nothing fits even beyond a soft ceiling"


def test_nothing_is_paid_after_the_first_refusal_but_what_is_set_aside() -> None:
    graph = Graph("finish")
    for name in ("a", "b", "kept"):
        graph.add(LLM(name, prompt="Hello"))
    hand = ByHand(
        graph, price="0.50", max_cost=Decimal("0.90"), finishes=True, set_aside={2: usd("0.50")}
    ).start()
    assert hand.state("a") is State.SKIPPED
    assert hand.state("b") is State.SKIPPED
    assert list(hand.running) == ["kept"]
    hand.fail("kept", usage=cost("0.10")).wait(60)
    budget = hand.core.dispatcher.budget
    assert (budget.spent.cost_usd, budget.set_aside) == (Decimal("0.10"), Amount())
    assert list(hand.running) == ["kept"], "0.40 were set aside still, and 0.40 are free"
    hand.succeed("kept", "done", cost("0.50"))
    assert budget.spent.cost_usd == Decimal("0.60")
    assert hand.core.finished
