"""Graphs: building, checking, compiling and analysing them; nothing here runs one."""

from dagorch.graph.graph import Graph
from dagorch.graph.plan import Plan
from dagorch.models.ref import BranchRef, Ref

__all__ = ["BranchRef", "Graph", "Plan", "Ref"]
