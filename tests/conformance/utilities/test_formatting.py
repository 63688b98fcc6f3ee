"""Durations and costs as people read them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dagorch import DefinitionError, format_cost, format_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"), (0.0042, "4 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (59.94, "59.9 s"),
        (59.96, "1 min 0 s"), (75, "1 min 15 s"), (3599.4, "59 min 59 s"), (3599.6, "1 h 0 min"),
        (90_000, "25 h 0 min"),
    ],
)  # fmt: skip
def test_durations_as_text(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(DefinitionError, match=f"seconds={value} must be a finite number"):
        format_duration(value)
    with pytest.raises(DefinitionError, match=f"usd={value} must be a finite number of dollars"):
        format_cost(value)


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0, "$0.00"), (0.05, "$0.050"), (0.1, "$0.10"), (1234.5, "$1,234.50"),
        (Decimal("0.000123"), "$0.00012"), (Decimal("0.1") + Decimal("0.2"), "$0.30"),
    ],
)  # fmt: skip
def test_costs_as_text(usd: Decimal | float, text: str) -> None:
    assert format_cost(usd) == text
