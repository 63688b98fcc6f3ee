"""
The compiler: graphs to plans, each body before the graph that contains it, without recursion.

`validate.py` checks one graph, `layout.py` lays one out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dagorch.errors import CycleError, DefinitionError, Problem
from dagorch.graph.builder import body_of
from dagorch.graph.edges import resolve_edges
from dagorch.graph.layout import lay_out
from dagorch.graph.order import Order
from dagorch.graph.tools import conversation
from dagorch.graph.validate import MAX_PROBLEMS, check, cycle_problem
from dagorch.models.policy import DEFAULT_POLICY
from dagorch.nodes.base import Node
from dagorch.nodes.llm import LLM

if TYPE_CHECKING:
    from dagorch.graph.definition import Definition
    from dagorch.graph.plan import Plan

__all__ = ["compile_graph"]


class _InnerGraphs:
    """The graphs inside one graph, by the id of the node that holds them."""

    __slots__ = ("bodies", "fallbacks")

    def __init__(self, graph: Definition) -> None:
        self.bodies: dict[str, Definition] = {}
        self.fallbacks: dict[str, Definition] = {}
        for id, entry in graph.entries.items():
            node = entry.node
            body = getattr(node, "body", None)
            if body is not None:
                self.bodies[id] = body
            elif isinstance(node, LLM) and node.tools:
                try:
                    self.bodies[id] = conversation(node, graph.new)
                except DefinitionError as error:
                    raise DefinitionError([Problem(str(error), id, entry.where)]) from error
            if node.policy is not DEFAULT_POLICY:
                fallback = node.policy.fallback
                if isinstance(fallback, Node) or hasattr(fallback, "entries"):
                    optional = {parameter.name for parameter in node.parameters()}
                    self.fallbacks[id] = body_of(fallback, graph.new, optional)

    def all(self) -> Iterable[Definition]:
        yield from self.bodies.values()
        yield from self.fallbacks.values()


def compile_graph(graph: Definition) -> Plan:
    """
    Check a graph and every graph inside it, and compile them all.

    A graph that has not changed since is compiled once.

    Raises:
        DefinitionError: See `Graph.compile`.
    """
    if graph.plan is not None:
        return graph.plan
    order, inner_graphs = _inner_first(graph)
    plans: dict[int, Plan] = {}
    problems: list[Problem] = []
    cycle: tuple[str, ...] = ()
    for inner in order:
        if inner.plan is not None:
            plans[id(inner)] = inner.plan
            continue
        inside = inner_graphs[id(inner)]
        table = resolve_edges(inner)
        node_order = Order(table)
        problems += check(inner, table, inside.fallbacks)
        if node_order.cycle:
            found = _cycle_ids(inner, node_order.cycle)
            problems.append(cycle_problem(inner, found))
            cycle = cycle or found
        if len(problems) >= MAX_PROBLEMS:
            break
        if not problems:
            bodies = {node: plans[id(body)] for node, body in inside.bodies.items()}
            fallbacks = {node: plans[id(body)] for node, body in inside.fallbacks.items()}
            plan = lay_out(inner, table, node_order, bodies, fallbacks)
            inner.plan = plans[id(inner)] = plan
    if problems:
        subject = f"graph {graph.name!r}"
        if cycle:
            raise CycleError(problems, cycle=cycle, subject=subject)
        raise DefinitionError(problems, subject=subject)
    return plans[id(graph)]


def _inner_first(graph: Definition) -> tuple[list[Definition], dict[int, _InnerGraphs]]:
    """Return every graph reachable through bodies, each after the graphs it contains."""
    inner_graphs: dict[int, _InnerGraphs] = {}
    order: list[Definition] = []
    open_ids: set[int] = set()
    stack: list[tuple[Definition, bool]] = [(graph, False)]
    while stack:
        current, finished = stack.pop()
        key = id(current)
        if finished:
            open_ids.discard(key)
            order.append(current)
            continue
        if key in open_ids:
            raise DefinitionError(
                f"graph {current.name!r} contains itself; a body cannot hold its own graph"
            )
        if key in inner_graphs:
            continue
        inner_graphs[key] = _InnerGraphs(current)
        open_ids.add(key)
        stack.append((current, True))
        stack.extend((inner, False) for inner in inner_graphs[key].all())
    return order, inner_graphs


def _cycle_ids(graph: Definition, cycle: list[int]) -> tuple[str, ...]:
    """Return the ids of a cycle; the one that sorts first is both the first and the last."""
    entries = list(graph.entries)
    ids = [entries[number] for number in cycle]
    first = ids.index(min(ids))
    return (*ids[first:], *ids[:first], ids[first])
