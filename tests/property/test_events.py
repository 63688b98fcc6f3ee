"""
The events of random graphs: numbered, in an order that makes sense for each node run, and
complete.
"""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from dagorch.models.events import Event, EventType
from tests.property.circumstances import INPUTS, options, parallel, spec_of, world_of
from tests.property.driver import Driven, drive

ENDS = {
    EventType.NODE_COMPLETED: "completed",
    EventType.NODE_FAILED: "failed",
    EventType.NODE_SKIPPED: "skipped",
    EventType.NODE_BLOCKED: "blocked",
    EventType.NODE_CANCELLED: "cancelled",
}
LETTERS = {
    EventType.NODE_READY: "r",
    EventType.NODE_STARTED: "s",
    EventType.NODE_PARKED: "p",
    EventType.MAP_OPENED: "i",
    EventType.ATTEMPT_FAILED: "f",
    EventType.NODE_RETRYING: "y",
    **dict.fromkeys(ENDS, "e"),
}
LIFE = re.compile(r"(r(si?(fys)*(fy?)?|ps?)?)?e")
"""An end alone: never ready. The last retry may not start; a fallback may, for a question."""


def observed(seed: int) -> Driven:
    chosen = options(seed) | {"observed": True, "checked": False}
    return drive(spec_of(seed), world_of(seed), parallel(seed), INPUTS, **chosen)


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_each_node_run_has_events_from_ready_to_its_end(first: int) -> None:
    for seed in range(first, first + 50):
        seen = observed(seed)
        lives: dict[str, list[Event]] = {}
        for event in seen.events:
            if event.path:
                lives.setdefault(event.path, []).append(event)
        assert lives.keys() == seen.ends.keys()
        for path, events in lives.items():
            life = "".join(LETTERS[event.type] for event in events)
            assert LIFE.fullmatch(life), (seed, path, life)
            assert ENDS[events[-1].type] == seen.ends[path].end


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_a_container_starts_before_its_children_and_ends_after_them(first: int) -> None:
    for seed in range(first, first + 50):
        seen = observed(seed)
        started: dict[str, int] = {}
        ended: dict[str, int] = {}
        for event in seen.events:
            if event.type is EventType.NODE_STARTED:
                started.setdefault(event.path, event.number)
            elif event.type in ENDS:
                ended[event.path] = event.number
        for path, end in ended.items():
            if "/" in path:
                owner = re.sub(r"\[(\d+|fallback)\]$", "", path.rpartition("/")[0])
                assert started[owner] < started.get(path, end) <= end < ended[owner]


def test_events_are_numbered_and_timed_and_the_runs_own_are_first_and_last() -> None:
    for seed in range(100):
        seen = observed(seed)
        events = seen.events
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert all(a.seconds <= b.seconds for a, b in pairwise(events))
        assert events[0].type is EventType.RUN_STARTED
        assert events[-1].type in (
            EventType.RUN_COMPLETED,
            EventType.RUN_FAILED,
            EventType.RUN_CANCELLED,
        )
        assert sum(not event.path for event in events) == 2


def test_progress_only_grows_and_is_100_only_when_the_run_completed() -> None:
    for seed in range(100):
        events = observed(seed).events
        assert all(a.progress <= b.progress for a, b in pairwise(events))
        assert all(event.progress < 100 for event in events[:-1])
        assert (events[-1].progress == 100) is (events[-1].type is EventType.RUN_COMPLETED)
