"""Runs of random graphs as results: the engine's core, driven on the tests' own clock."""

from __future__ import annotations

from typing import Any

from dagorch import Graph
from dagorch.models.result import Result
from dagorch.runner.outcome import result_of
from tests.property.circumstances import INPUTS, options, parallel, spec_of, world_of
from tests.property.driver import Driver
from tests.property.spec import GraphSpec, build
from tests.property.world import World

__all__ = ["ran", "ran_seed"]


def ran(spec: GraphSpec, world: World, slots: int, **how: Any) -> Result:
    """Run a graph; how it ended does not matter."""
    driver = Driver(spec, world, slots, checked=False, **how)
    driver.run(INPUTS)
    return result_of(driver.core, build(spec, world), 0)


def ran_seed(seed: int) -> tuple[Graph, Result]:
    """Run the graph of a seed in its circumstances."""
    result = ran(spec_of(seed), world_of(seed), parallel(seed), **options(seed))
    return result.graph, result
