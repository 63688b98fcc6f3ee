"""Progress and cost counters for work outside of a run; a run has its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dagorch.errors import DefinitionError

__all__ = ["CostEntry", "CostTracker", "ProgressTracker", "calculate_progress"]


def calculate_progress(completed: int, total: int) -> float:
    """
    Return the progress in percent, 0 to 100; 100 if there is nothing to do.

    Raises:
        DefinitionError: A number is negative.

    Example:
        >>> calculate_progress(3, 10), calculate_progress(0, 0), calculate_progress(12, 10)
        (30.0, 100.0, 100.0)
    """
    if completed < 0 or total < 0:
        raise DefinitionError(f"completed={completed} of total={total}: neither may be below 0")
    return 100.0 if not total else min(100.0, 100.0 * completed / total)


class ProgressTracker:
    """
    Count the tasks that have ended.

    Args:
        total_tasks: At least 0.

    Attributes:
        total_tasks: The number of tasks.
        completed: How many completed.
        failed: How many failed; they count as progress.

    Raises:
        DefinitionError: A number is negative.

    Example:
        >>> tracker = ProgressTracker(total_tasks=10)
        >>> tracker.update(completed=3)
        >>> tracker.percentage()
        30.0
    """

    def __init__(self, total_tasks: int) -> None:
        calculate_progress(0, total_tasks)
        self.total_tasks = total_tasks
        self.completed = 0
        self.failed = 0

    def update(self, completed: int | None = None, failed: int | None = None) -> None:
        """Set the counts; None keeps a count."""
        completed = self.completed if completed is None else completed
        failed = self.failed if failed is None else failed
        calculate_progress(min(completed, failed), self.total_tasks)
        self.completed, self.failed = completed, failed

    def percentage(self) -> float:
        """Return the progress in percent, 0 to 100."""
        return calculate_progress(self.completed + self.failed, self.total_tasks)

    def __repr__(self) -> str:
        return f"<ProgressTracker {self.completed + self.failed} of {self.total_tasks}>"


@dataclass(frozen=True, slots=True)
class CostEntry:
    """One cost and its metadata."""

    cost_usd: Decimal
    metadata: Mapping[str, Any]


class CostTracker:
    """
    Sum costs without rounding.

    Attributes:
        entries: Every cost, in the order added.

    Example:
        >>> tracker = CostTracker()
        >>> tracker.add_cost(0.05, metadata={"model": "grok-3"})
        >>> tracker.add_cost(0.10, metadata={"model": "gpt-4"})
        >>> tracker.total_cost, tracker.by("model")
        (0.15, {'grok-3': 0.05, 'gpt-4': 0.1})
    """

    def __init__(self) -> None:
        self.entries: list[CostEntry] = []

    def add_cost(self, cost: float | Decimal, metadata: Mapping[str, Any] | None = None) -> None:
        """
        Add a cost in dollars.

        Raises:
            DefinitionError: The cost is not a number of at least 0.
        """
        try:
            amount = Decimal(str(cost))
        except ArithmeticError:
            raise DefinitionError(f"cost={cost!r} must be a number of dollars") from None
        if not amount.is_finite() or amount < 0:
            raise DefinitionError(f"cost={cost!r} must be a number of dollars of at least 0")
        self.entries.append(CostEntry(amount, dict(metadata or {})))

    @property
    def total_cost(self) -> float:
        """The sum in dollars, as a float."""
        return float(sum((entry.cost_usd for entry in self.entries), Decimal(0)))

    def by(self, key: str) -> dict[Any, float]:
        """Sum the costs by the value of a metadata key; entries without the key are left out."""
        sums: dict[Any, Decimal] = {}
        for entry in self.entries:
            if key in entry.metadata:
                name = entry.metadata[key]
                sums[name] = sums.get(name, Decimal(0)) + entry.cost_usd
        return {name: float(amount) for name, amount in sums.items()}

    def __repr__(self) -> str:
        return f"<CostTracker ${self.total_cost}>"
