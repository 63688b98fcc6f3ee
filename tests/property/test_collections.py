"""
Random graphs with collections of refs, on the engine and on the reference.

The reference knows no collection: each of its refs is an edge of its own, and the value is put
together when the node is ready.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from dagorch.models.events import Event
from tests.property.circumstances import INPUTS, options, parallel, spec_of, world_of
from tests.property.compare import compare
from tests.property.driver import drive
from tests.property.graphs import with_collections
from tests.property.spec import GraphSpec

QUICK, BATCH = 60, 30
FULL, FULL_BATCH = 3_120, 500


def collected(seed: int) -> GraphSpec:
    return with_collections(spec_of(seed), random.Random(f"collections {seed}"))


def agree(seeds: range) -> Counter[str]:
    seen: Counter[str] = Counter()
    for seed in seeds:
        spec = collected(seed)
        verdict = compare(spec, world_of(seed), parallel(seed), INPUTS, **options(seed))
        if verdict.reference.tied:
            verdict = compare(
                spec, world_of(seed, instant=False), parallel(seed), INPUTS, **options(seed)
            )
        if verdict.reference.tied:
            seen["tied"] += 1
            continue
        assert not verdict.differences, f"seed {seed}:\n" + "\n".join(verdict.differences)
        taken = {node.id: node for node in spec.everything()}
        for path, ending in verdict.driven.ends.items():
            node = taken[path.rpartition("/")[2]]
            if any(p.items is not None for p in node.params):
                seen[ending.end] += 1
        for attempt in verdict.driven.started:
            node = taken[attempt.path.rpartition("/")[2]]
            left_out = [p for p in node.params if p.items is not None and not p.required]
            seen["defaults"] += any(f"'{p.name}'" not in attempt.inputs for p in left_out)
    return seen


@pytest.mark.parametrize("first", range(0, QUICK, BATCH))
def test_nodes_fed_by_collections_end_as_the_reference_says(first: int) -> None:
    assert agree(range(first, first + BATCH))["tied"] <= 2


@pytest.mark.full
@pytest.mark.parametrize("first", range(QUICK, QUICK + FULL, FULL_BATCH))
def test_nodes_fed_by_collections_end_as_the_reference_says_in_thousands(first: int) -> None:
    agree(range(first, first + FULL_BATCH))


def test_the_random_collections_show_every_end() -> None:
    seen = agree(range(QUICK, QUICK + 60))
    for thing in ("completed", "failed", "skipped", "blocked", "cancelled", "defaults"):
        assert seen[thing] > 5, (thing, seen)


@pytest.mark.parametrize("seed", range(20))
def test_the_fast_path_gives_the_commands_and_events_of_the_slow_one(seed: int) -> None:
    def told(*, quick: bool, observed: bool) -> tuple[list[str], list[Event]]:
        chosen = options(seed) | {"quick": quick, "observed": observed}
        driven = drive(collected(seed), world_of(seed), parallel(seed), INPUTS, **chosen)
        return driven.commands, driven.events

    for observed in (False, True):
        assert told(quick=True, observed=observed) == told(quick=False, observed=observed)
