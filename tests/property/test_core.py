"""
Random graphs on the engine and on the reference: the same end, time and value everywhere.

The invariants are checked after each step of each of these runs, by the driver. Where the rules
leave the outcome to the order within one instant, see `reference.py` for what is compared.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagorch.models.events import Event
from tests.property.circumstances import (
    INPUTS,
    compare_seed,
    options,
    parallel,
    spec_of,
    world_of,
)
from tests.property.compare import compare
from tests.property.driver import drive
from tests.property.graphs import LIMITS, plain, specs
from tests.property.reference_model import Frame, weight
from tests.property.spec import GraphSpec
from tests.property.world import World

QUICK, BATCH = 200, 50
FULL, FULL_BATCH = 10_200, 600


def agree(seeds: range) -> Counter[str]:
    """Compare them all; return what was seen, so that a test can require some cases."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        verdict = compare_seed(seed)
        if (
            verdict.reference.tied
        ):  # a quorum with several candidates at one instant: either is right
            verdict = compare_seed(seed, instant=False)
        if verdict.reference.tied:
            seen["tied"] += 1
            continue
        assert not verdict.differences, f"seed {seed}:\n" + "\n".join(verdict.differences)
        seen["graphs"] += 1
        seen["instants"] += verdict.instants
        seen.update(ending.end for ending in verdict.driven.ends.values())
        seen.update(ending.error for ending in verdict.driven.ends.values() if ending.error)
        seen["node runs"] += len(verdict.driven.ends)
        seen["steps"] += verdict.driven.steps
        seen["retries"] += sum(attempt.number > 1 for attempt in verdict.driven.started)
    return seen


@pytest.mark.parametrize("first", range(0, QUICK, BATCH))
def test_every_node_run_ends_as_the_reference_says(first: int) -> None:
    seen = agree(range(first, first + BATCH))
    assert seen["tied"] <= 2
    assert seen["instants"] <= seen["node runs"] // 20


@pytest.mark.full
@pytest.mark.parametrize("first", range(QUICK, QUICK + FULL, FULL_BATCH))
def test_every_node_run_ends_as_the_reference_says_in_ten_thousand_graphs(first: int) -> None:
    agree(range(first, first + FULL_BATCH))


@given(specs(), st.integers(0, 10**6), st.integers(1, 8))
@settings(max_examples=20)
def test_a_graph_that_breaks_the_engine_is_shrunk(spec: GraphSpec, seed: int, slots: int) -> None:
    verdict = compare(spec, World(seed, instant=False), slots, INPUTS, limits=LIMITS, seed=seed)
    assert verdict.reference.tied or not verdict.differences


def test_the_random_graphs_cover_every_feature() -> None:
    seen = agree(range(QUICK, QUICK + 100))
    for thing in ("completed", "failed", "skipped", "blocked", "cancelled", "retries"):
        assert seen[thing] > 20, thing
    for error in (
        "QuorumError",
        "ExpansionError",
        "NodeTimeoutError",
        "ValueError",
        "RateLimitedError",
    ):
        assert seen[error], error
    kinds: Counter[str] = Counter()
    for seed in range(QUICK, QUICK + 100):
        spec = spec_of(seed)
        for node in spec.everything():
            kinds[node.kind] += 1
            kinds["fallback node"] += isinstance(node.fallback, GraphSpec)
            kinds["fallback value"] += isinstance(node.fallback, int)
            kinds[f"wait {node.wait if isinstance(node.wait, str) else 'n'}"] += (
                node.kind == "merge"
            )
            kinds["tolerate"] += node.tolerate
            kinds[node.on_item_error] += node.kind == "map"
            kinds["gate"] += node.kind == "merge" and bool(node.after)
            kinds["any end"] += bool(node.after_end)
            kinds["optional"] += any(not p.required for p in node.params)
    assert min(kinds.values()) > 5, kinds
    assert len(kinds) == 9 + 2 + 3 + 1 + 3 + 3


# -- the same commands for the same seed ----------------------------------------------------------


def commands_of(seed: int) -> list[str]:
    return drive(spec_of(seed), world_of(seed), parallel(seed), INPUTS, **options(seed)).commands


@pytest.mark.parametrize("seed", range(60))
def test_the_same_seed_gives_the_same_commands(seed: int) -> None:
    assert commands_of(seed) == commands_of(seed)


@pytest.mark.parametrize("seed", range(60))
def test_the_fast_path_gives_the_commands_and_events_of_the_slow_path(seed: int) -> None:
    def told(*, quick: bool, observed: bool) -> tuple[list[str], list[Event]]:
        chosen = options(seed) | {"quick": quick, "observed": observed}
        driven = drive(spec_of(seed), world_of(seed), parallel(seed), INPUTS, **chosen)
        return driven.commands, driven.events

    for observed in (False, True):
        assert told(quick=True, observed=observed) == told(quick=False, observed=observed)


def test_another_process_with_other_hashes_gives_the_same_commands() -> None:
    program = (
        "from tests.property.test_core import commands_of, fingerprint;"
        "print(fingerprint([line for seed in range(20) for line in commands_of(seed)]))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
        ).stdout
        for seed in ("1", "2")
    }
    assert printed == {
        fingerprint([line for seed in range(20) for line in commands_of(seed)]) + "\n"
    }


def fingerprint(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# -- greedy is near the optimum -----------------------------------------------------------


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 8, 1000])
def test_the_makespan_is_within_work_over_p_plus_span(slots: int) -> None:
    for seed in range(30):
        spec = plain(random.Random(seed), 60)
        world = World(seed, instant=True)
        makespan = drive(spec, world, slots, INPUTS, checked=False).time
        seconds = {node.id: world.act(node, node.id, 1).seconds for node in spec.nodes}
        work, span = sum(seconds.values()), longest(spec, seconds)
        assert makespan <= work / slots + span + 1e-9
        assert makespan >= max(work / slots, span) - 1e-9
        if slots == 1:
            assert makespan == pytest.approx(work)
        if slots == 1000:
            assert makespan == pytest.approx(span)


def longest(spec: GraphSpec, seconds: dict[str, float]) -> float:
    """The longest chain, by brute force over the edges."""
    frame = Frame(spec, "", {}, None, 0)
    total = {id: seconds[id] for id in frame.runs}
    for _ in frame.runs:  # one pass for each node of the longest possible chain
        for id, run in frame.runs.items():
            total[id] = seconds[id] + max(
                (total[edge.source_id] for edge in run.edges), default=0.0
            )
    assert all(weight(node) == 1.0 for node in spec.nodes)
    return max(total.values())
