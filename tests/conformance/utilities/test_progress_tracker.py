"""`ProgressTracker`: how much is done."""

from __future__ import annotations

import pytest

from dagorch import DefinitionError, ProgressTracker, calculate_progress


def test_as_documented() -> None:
    tracker = ProgressTracker(total_tasks=10)
    tracker.update(completed=3)
    assert tracker.percentage() == 30.0


def test_an_update_sets_the_counts_and_does_not_add() -> None:
    tracker = ProgressTracker(total_tasks=4)
    tracker.update(completed=1)
    tracker.update(completed=2)
    assert tracker.percentage() == 50.0


def test_failed_tasks_count_as_done() -> None:
    tracker = ProgressTracker(4)
    tracker.update(completed=1, failed=2)
    assert (tracker.completed, tracker.failed, tracker.percentage()) == (1, 2, 75.0)
    tracker.update(completed=2)
    assert tracker.percentage() == 100.0


@pytest.mark.parametrize(
    ("completed", "total", "percent"), [(0, 3, 0.0), (1, 3, 100 / 3), (9, 3, 100.0), (0, 0, 100.0)]
)
def test_the_percentage(completed: int, total: int, percent: float) -> None:
    assert calculate_progress(completed, total) == pytest.approx(percent)


def test_negative_numbers_are_refused_and_change_nothing() -> None:
    with pytest.raises(DefinitionError, match=r"total=-1.*below 0"):
        ProgressTracker(-1)
    tracker = ProgressTracker(2)
    with pytest.raises(DefinitionError, match="completed=-1 of total=2"):
        tracker.update(completed=1, failed=-1)
    assert tracker.percentage() == 0.0
