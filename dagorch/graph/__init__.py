"""Graphs: building, checking, compiling and analysing them; nothing here runs one."""

from dagorch.graph.graph import Graph
from dagorch.graph.plan import Plan
from dagorch.graph.structure import (
    ancestors,
    bottlenecks,
    descendants,
    max_antichain,
    transitive_reduction,
    width,
)
from dagorch.models.ref import BranchRef, Ref

__all__ = [
    "BranchRef",
    "Graph",
    "Plan",
    "Ref",
    "ancestors",
    "bottlenecks",
    "descendants",
    "max_antichain",
    "transitive_reduction",
    "width",
]
