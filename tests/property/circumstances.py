"""
How a random graph is run, decided by a seed: slots, chance, clock, interruptions,
listeners.
"""

from __future__ import annotations

import random
from typing import Any

from tests.property.compare import Verdict, compare
from tests.property.graphs import LIMITS, generate
from tests.property.spec import GraphSpec
from tests.property.world import World

__all__ = ["INPUTS", "compare_seed", "options", "parallel", "spec_of", "world_of"]

INPUTS = {"x": 3}


def spec_of(seed: int, **options: Any) -> GraphSpec:
    return generate(random.Random(seed), **options)


def world_of(seed: int, *, instant: bool | None = None) -> World:
    """Every second world is instant, as the real runner is: its evaluations take no time at all."""
    return World(seed, instant=seed % 2 == 0 if instant is None else instant)


def parallel(seed: int) -> int:
    """Return one to eight slots, sometimes an unlimited number."""
    return random.Random(f"slots {seed}").choice((1, 2, 3, 4, 5, 6, 7, 8, 1000))


def options(seed: int) -> dict[str, Any]:
    """Return options for `Driver`."""
    chance = random.Random(f"options {seed}")
    return {
        "limits": LIMITS,
        "seed": seed,
        "start": chance.choice((0.0, 100.0)),
        "run_timeout": chance.choice((None, None, None, None, chance.uniform(1.0, 20.0))),
        "cancel_at": chance.choice((None, None, None, None, None, chance.uniform(0.5, 15.0))),
        "observed": chance.random() < 0.25,
        "quick": chance.random() < 0.6,
    }


def compare_seed(seed: int, *, instant: bool | None = None) -> Verdict:
    """Run the graph of a seed on the engine and on the reference."""
    world = world_of(seed, instant=instant)
    return compare(spec_of(seed), world, parallel(seed), INPUTS, **options(seed))
