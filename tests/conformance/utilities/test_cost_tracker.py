"""`CostTracker`."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from dagorch import CostTracker, DefinitionError


def test_as_documented() -> None:
    tracker = CostTracker()
    tracker.add_cost(0.05, metadata={"model": "grok-3"})
    assert tracker.total_cost == 0.05


def test_the_sum_is_exact() -> None:
    tracker = CostTracker()
    for _ in range(10):
        tracker.add_cost(0.1)
    tracker.add_cost(Decimal("0.2"))
    assert tracker.total_cost == 1.2


def test_costs_are_grouped_by_metadata() -> None:
    tracker = CostTracker()
    labels = {"model": "grok-3"}
    tracker.add_cost(0.05, metadata=labels)
    labels["model"] = "changed afterwards"
    tracker.add_cost(0.10, metadata={"model": "gpt-4", "step": "plan"})
    tracker.add_cost(0.20, metadata={"model": "gpt-4"})
    tracker.add_cost(1)
    assert tracker.by("model") == {"grok-3": 0.05, "gpt-4": 0.3}
    assert tracker.by("step") == {"plan": 0.1}
    assert tracker.total_cost == 1.35


@pytest.mark.parametrize("cost", [-0.01, math.nan, math.inf, "ten", None])
def test_an_invalid_amount_is_refused_and_not_added(cost: float) -> None:
    tracker = CostTracker()
    with pytest.raises(DefinitionError, match="dollars"):
        tracker.add_cost(cost)
    assert not tracker.entries
