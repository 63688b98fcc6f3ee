"""
Compiling: graphs to plans, bodies before what contains them, nothing recursive.

Checking is `validate.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dagorch.errors import CycleError, DefinitionError, Problem
from dagorch.graph import plan as kinds
from dagorch.graph.builder import body_of
from dagorch.graph.edges import Edge, constants, resolve
from dagorch.graph.plan import Plan
from dagorch.graph.tools import conversation
from dagorch.graph.validate import check
from dagorch.models.policy import DEFAULT_POLICY
from dagorch.nodes.base import Kind, Node
from dagorch.nodes.function import Function, context_parameter
from dagorch.nodes.llm import LLM
from dagorch.nodes.merge import Merge
from dagorch.nodes.types import value_check

if TYPE_CHECKING:
    from dagorch.graph.graph import Graph

__all__ = ["compile_graph"]

_CODES = {
    Kind.LLM: kinds.LLM_CALL,
    Kind.BRANCH: kinds.BRANCH,
    Kind.MERGE: kinds.MERGE,
    Kind.LOOP: kinds.LOOP,
    Kind.MAP: kinds.MAP,
    Kind.SUBGRAPH: kinds.SUBGRAPH,
    Kind.ASK: kinds.ASK,
}


class _Parts:
    """The graphs inside one graph, by the node that holds them."""

    __slots__ = ("bodies", "fallbacks")

    def __init__(self, graph: Graph) -> None:
        self.bodies: dict[str, Graph] = {}
        self.fallbacks: dict[str, Graph] = {}
        for id, entry in graph.entries.items():
            node = entry.node
            body = getattr(node, "body", None)
            if body is not None:
                self.bodies[id] = body
            elif isinstance(node, LLM) and node.tools:
                self.bodies[id] = conversation(node)
            if node.policy is not DEFAULT_POLICY:
                fallback = node.policy.fallback
                if isinstance(fallback, Node) or hasattr(fallback, "entries"):
                    self.fallbacks[id] = body_of(fallback)

    def all(self) -> Iterable[Graph]:
        yield from self.bodies.values()
        yield from self.fallbacks.values()


def compile_graph(graph: Graph) -> Plan:
    """
    Check a graph with every graph inside it, and compile them.

    Raises:
        DefinitionError: See `Graph.compile`.
    """
    order, parts = _inner_first(graph)
    plans: dict[int, Plan] = {}
    problems: list[Problem] = []
    cycle: tuple[str, ...] = ()
    for inner in order:
        if inner._plan is not None:
            plans[id(inner)] = inner._plan
            continue
        edges = resolve(inner)
        found = check(inner, edges, parts[id(inner)].fallbacks)
        problems += found.problems
        cycle = cycle or found.cycle
        if not problems:
            inner._plan = plans[id(inner)] = _plan(
                inner, edges, found.order, parts[id(inner)], plans
            )
    if problems:
        subject = f"graph {graph.name!r}"
        if cycle:
            raise CycleError(problems, cycle=cycle, subject=subject)
        raise DefinitionError(problems, subject=subject)
    return plans[id(graph)]


def _inner_first(graph: Graph) -> tuple[list[Graph], dict[int, _Parts]]:
    """Every graph reachable through bodies, each after those it contains."""
    parts: dict[int, _Parts] = {}
    order: list[Graph] = []
    open_ids: set[int] = set()
    stack: list[tuple[Graph, bool]] = [(graph, False)]
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
        if key in parts:
            continue
        parts[key] = _Parts(current)
        open_ids.add(key)
        stack.append((current, True))
        stack.extend((inner, False) for inner in parts[key].all())
    return order, parts


def _plan(  # noqa: C901  one pass over the nodes
    graph: Graph,
    edges: dict[str, list[Edge]],
    order: list[str],
    parts: _Parts,
    plans: dict[int, Plan],
) -> Plan:
    """Lay one checked graph out as arrays."""
    entries = graph.entries
    size = len(entries)
    number = {id: i for i, id in enumerate(entries)}
    slot = {name: size + k for k, name in enumerate(graph.inputs)}
    plan = Plan()
    plan.name = graph.name
    plan.size = size
    plan.nodes = tuple(entry.node for entry in entries.values())
    plan.inputs = {i.name: i.default for i in graph.inputs.values()}
    plan.bodies = {number[id]: plans[id_of(body)] for id, body in parts.bodies.items()}
    plan.fallbacks = {number[id]: plans[id_of(body)] for id, body in parts.fallbacks.items()}

    codes, wired = bytearray(size), bytearray(size)
    plain, limited = bytearray(b"\x01") * size, bytearray(size)
    sources: list[int] = []
    targets: list[int] = []
    required = bytearray()
    labels: dict[int, frozenset[str]] = {}
    starts = [0]
    out: list[list[int]] = [[] for _ in range(size)]
    binders: list[tuple[tuple[str, int], ...]] = []
    checks: list[Any] = []
    functions: list[Any] = []
    contexts: dict[int, str] = {}
    fixed: dict[int, dict[str, Any]] = {}
    priorities: dict[int, int] = {}
    gates: dict[int, int] = {}
    held: list[int] = []
    for i, (id, entry) in enumerate(entries.items()):
        node = entry.node
        if type(node) is Function:
            signature = node.signature
            codes[i] = kinds.ASYNC if signature.is_async else kinds.SYNC
            checks.append(None if node.expand else value_check(signature.returns))
            context = context_parameter(signature)
            if context is not None:
                contexts[i] = context
            simple = signature.is_async and context is None and not node.expand
            functions.append(node.fn if simple else None)
        else:
            codes[i] = (
                kinds.SUBGRAPH
                if id in parts.bodies and isinstance(node, LLM)
                else _CODES[node.kind]
            )
            checks.append(value_check(node.output_type()) if node.kind is Kind.ASK else None)
            functions.append(None)
        policy = node.policy
        if policy is not DEFAULT_POLICY:
            if policy.priority is not None:
                priorities[i] = policy.priority
            if policy.resources:
                held.append(i)
            limited[i] = 1
        if codes[i] == kinds.LLM_CALL:
            limited[i] = 1
        binder: list[tuple[str, int]] = []
        quorum = isinstance(node, Merge) and node.quorum > 0
        if entry.after and isinstance(node, Merge):
            gates[i] = len(sources) + len(entry.sources)
        for edge in edges[id]:
            name = edge.source
            if edge.parameter is not None:
                binder.append((edge.parameter, number[name] if edge.is_node else slot[name]))
            if not edge.is_node:
                continue
            source = number[name]
            e = len(sources)
            out[source].append(e)
            sources.append(source)
            targets.append(i)
            required.append(edge.required)
            if edge.labels:
                labels[e] = edge.labels
            if edge.labels or quorum or i in gates:
                plain[source] = 0
        starts.append(len(sources))
        binders.append(tuple(binder) if binder else _NO_BINDER)
        if entry.bindings is not None:
            constant = constants(graph, id)
            if constant:
                fixed[i] = constant
        wired[i] = bool(binder) or i in fixed

    plan.kinds, plan.plain, plan.limited, plan.wired = (
        bytes(codes),
        bytes(plain),
        bytes(limited),
        bytes(wired),
    )
    plan.direct = bytes(
        code <= kinds.SYNC and not bound for code, bound in zip(codes, limited, strict=True)
    )
    plan.edge_source, plan.edge_target, plan.required = sources, targets, bytes(required)
    plan.edges = len(sources)
    plan.labels, plan.in_start = labels, starts
    plan.in_degree = [starts[i + 1] - starts[i] for i in range(size)]
    plan.out_edges = [tuple(found) if found else _NO_EDGES for found in out]
    plan.binders, plan.checks, plan.contexts, plan.constants = binders, checks, contexts, fixed
    plan.functions = functions
    plan.priorities = priorities
    plan.gates = gates
    plan.sources = tuple(i for i in range(size) if not plan.in_degree[i])

    inner: dict[int, Plan] = {}
    for body in (*plan.bodies.values(), *plan.fallbacks.values()):
        inner[id_of(body)] = body
        inner.update((id_of(deeper), deeper) for deeper in body.inner)
    plan.inner = tuple(inner.values())
    plan.whole = not inner and not any(_cancels_alone(node) for node in plan.nodes)
    plan.resources = {name: found for body in plan.inner for name, found in body.resources.items()}
    plan.resources.update(
        (name, plan.nodes[i].id) for i in held for name in plan.nodes[i].policy.resources
    )

    plan.weights = [plan.bodies[i].span if i in plan.bodies else 1.0 for i in range(size)]
    neg_rank = [0.0] * size
    for id in reversed(order):
        i = number[id]
        longest = 0.0
        for e in out[i]:
            rank = neg_rank[targets[e]]
            if rank < longest:
                longest = rank
        neg_rank[i] = longest - plan.weights[i]
    plan.neg_rank = neg_rank
    plan.order, plan.place = None, None
    if not inner and not any(type(n) is Function and n.expand for n in plan.nodes):
        plan.order, plan.place = _start_order(plan)
    plan.span = -min(neg_rank, default=0.0)

    sinks = tuple(i for i in range(size) if not out[i])
    plan.outputs = tuple(number[ref.id] for ref in graph.outputs) or sinks
    plan.output_ids = tuple(plan.nodes[i].id for i in plan.outputs)
    plan.single_output = len(plan.outputs) == 1
    protected = bytearray(size)
    for i in (*sinks, *plan.outputs):
        protected[i] = 1
    for i, node in enumerate(plan.nodes):
        if node.policy.keep:
            protected[i] = 1
    plan.protected = bytes(protected)
    return plan


def _start_order(plan: Plan) -> tuple[list[int], list[int]]:
    """Sort the nodes by the key of the ready queue, for one frame; and the place of each."""
    order = sorted(range(plan.size), key=plan.neg_rank.__getitem__)
    if plan.priorities:
        order.sort(key=lambda index: -plan.priorities.get(index, 0))
    place = [0] * plan.size
    for at, index in enumerate(order):
        place[index] = at
    return order, place


def _cancels_alone(node: Node[Any]) -> bool:
    """Whether a run may have to cancel some attempts and not others because of this node."""
    if (isinstance(node, Function) and node.expand) or (
        isinstance(node, Merge) and node.quorum > 0
    ):
        return True
    policy = node.policy
    return policy is not DEFAULT_POLICY and not (
        policy.timeout_seconds is policy.attempt_timeout_seconds is None
    )


_NO_BINDER: tuple[tuple[str, int], ...] = ()
_NO_EDGES: tuple[int, ...] = ()
id_of = id
