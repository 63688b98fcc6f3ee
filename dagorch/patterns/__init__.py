"""
Graph builders of the patterns; pure functions.

Each name is imported at its first use.
"""

from __future__ import annotations

from pkgutil import iter_modules
from typing import TYPE_CHECKING

from dagorch.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from dagorch.patterns.cascade import Cascade, Tier, cascade_graph
    from dagorch.patterns.conditional import Decision, conditional_graph
    from dagorch.patterns.iterative import iterative_graph
    from dagorch.patterns.sequential import sequential_graph
    from dagorch.patterns.subtasks import subtask_graph
    from dagorch.patterns.swarm import Swarm, swarm_graph

__all__ = [
    "Cascade",
    "Decision",
    "Swarm",
    "Tier",
    "cascade_graph",
    "conditional_graph",
    "iterative_graph",
    "sequential_graph",
    "subtask_graph",
    "swarm_graph",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dagorch.patterns.cascade": "Cascade Tier cascade_graph",
        "dagorch.patterns.conditional": "Decision conditional_graph",
        "dagorch.patterns.iterative": "iterative_graph",
        "dagorch.patterns.sequential": "sequential_graph",
        "dagorch.patterns.subtasks": "subtask_graph",
        "dagorch.patterns.swarm": "Swarm swarm_graph",
    },
    submodules=" ".join(module.name for module in iter_modules(__path__)),
)
