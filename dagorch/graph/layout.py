"""
Layout: turns one checked graph into the arrays of a plan.

Graphs inside it have been laid out before. Nothing is checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagorch.graph import plan as kinds
from dagorch.graph.definition import NO_DEFAULT
from dagorch.graph.edges import EdgeTable, constants
from dagorch.graph.order import Order
from dagorch.graph.plan import CollectionBinder, EdgeRule, Plan
from dagorch.models.policy import DEFAULT_POLICY
from dagorch.nodes.base import Kind, Node
from dagorch.nodes.function import Function, context_parameter
from dagorch.nodes.llm import LLM
from dagorch.nodes.merge import Merge
from dagorch.nodes.types import value_check

if TYPE_CHECKING:
    from dagorch.graph.definition import Definition, Entry

__all__ = ["lay_out"]

_CODES = {
    Kind.LLM: kinds.LLM_CALL,
    Kind.BRANCH: kinds.BRANCH,
    Kind.MERGE: kinds.MERGE,
    Kind.LOOP: kinds.LOOP,
    Kind.MAP: kinds.MAP,
    Kind.SUBGRAPH: kinds.SUBGRAPH,
    Kind.ASK: kinds.ASK,
}
_NO_BINDER: tuple[tuple[str, int], ...] = ()
_NO_NODES: frozenset[int] = frozenset()


def lay_out(
    graph: Definition,
    table: EdgeTable,
    order: Order,
    bodies: Mapping[str, Plan],
    fallbacks: Mapping[str, Plan],
) -> Plan:
    """
    Lay out one graph.

    Args:
        graph: A graph without problems.
        table: Its edges.
        order: The edges between its nodes, by number.
        bodies: The plans of the nodes' bodies, by the node's id.
        fallbacks: The plans of the nodes' fallbacks, by the node's id.

    Cost: O(V + E).
    """
    plan = Plan()
    plan.name = graph.name
    plan.size = len(graph.entries)
    plan.nodes = tuple([entry.node for entry in graph.entries.values()])
    plan.inputs = {i.name: i.default for i in graph.inputs.values()}
    slot_of = table.slot_of
    plan.bodies = {slot_of[id]: body for id, body in bodies.items()}
    plan.fallbacks = {slot_of[id]: body for id, body in fallbacks.items()}
    plan.fallback_defaults = {
        index: _defaults_for(plan.nodes[index], body) for index, body in plan.fallbacks.items()
    }
    plan.outputs = tuple([slot_of[ref.id] for ref in graph.outputs])
    _lay_edges(plan, table, order)
    _lay_nodes(plan, graph, table)
    _lay_ranks(plan, order)
    _lay_order(plan)
    return plan


def _defaults_for(node: Node[Any], fallback: Plan) -> dict[str, Any]:
    """Return the defaults of a node for the inputs that its fallback requires."""
    return {
        parameter.name: node.default_of(parameter.name)
        for parameter in node.parameters()
        if not parameter.required and fallback.inputs.get(parameter.name) is NO_DEFAULT
    }


def _lay_edges(plan: Plan, table: EdgeTable, order: Order) -> None:
    plan.edges = len(order.sources)
    plan.edge_source, plan.edge_target = order.sources, order.targets
    plan.in_start, plan.in_degree, plan.out_edges = order.starts, order.in_degree, order.out_edges
    plan.edge_rules = bytes([table.rules[place] for place in order.places])
    plan.cleanups = _NO_NODES
    if EdgeRule.ANY_END in plan.edge_rules:
        rules = zip(plan.edge_target, plan.edge_rules, strict=True)
        plan.cleanups = frozenset(target for target, rule in rules if rule == EdgeRule.ANY_END)
    plan.labels = {}
    if table.labels:
        for edge, place in enumerate(order.places):
            if place in table.labels:
                plan.labels[edge] = table.labels[place]
    plan.roots = tuple([i for i, count in enumerate(order.in_degree) if not count])
    sinks = tuple([i for i, count in enumerate(plan.needed_by()) if not count])
    plan.outputs = plan.outputs or sinks
    plan.output_ids = tuple([plan.nodes[i].id for i in plan.outputs])
    plan.single_output = len(plan.outputs) == 1
    protected = bytearray(plan.size)
    for i in (*sinks, *plan.outputs):
        protected[i] = 1
    plan.protected = bytes(protected)


class _Columns:
    """The columns that the walk over the nodes fills, most of them with a byte per node."""

    __slots__ = (
        "cancels_as_unit", "expands", "has_inputs", "kept", "kinds", "needs_policy", "priorities",
        "resources", "unconditional",
    )  # fmt: skip

    def __init__(self, plan: Plan) -> None:
        self.kinds, self.has_inputs = bytearray(plan.size), bytearray(plan.size)
        self.needs_policy, self.kept = bytearray(plan.size), bytearray(plan.protected)
        self.unconditional = bytearray(b"\x01") * plan.size
        self.cancels_as_unit = True
        self.expands = False
        self.priorities: dict[int, int] = {}
        self.resources: dict[str, str] = {}


def _lay_nodes(plan: Plan, graph: Definition, table: EdgeTable) -> None:
    """Fill the columns in one walk; the usual node, a function without a policy, costs least."""
    plan.checks, plan.functions = [None] * plan.size, [None] * plan.size
    plan.binders = [_NO_BINDER] * plan.size
    plan.contexts, plan.constants = {}, {}
    plan.collections, plan.control_edges_start = {}, {}
    columns = _Columns(plan)
    for i, entry in enumerate(graph.entries.values()):
        node = entry.node
        if type(node) is Function:
            _lay_function(plan, columns, i, node)
        else:
            _lay_other(plan, columns, i, entry)
        if table.parameters_of[i] or entry.bindings is not None:
            _lay_values(plan, columns, i, entry, table)
        if node.policy is not DEFAULT_POLICY:
            _lay_policy(plan, columns, i, node)
    for edge in plan.labels:
        columns.unconditional[plan.edge_source[edge]] = 0
    plan.kinds, plan.has_inputs = bytes(columns.kinds), bytes(columns.has_inputs)
    plan.needs_policy, plan.unconditional = (
        bytes(columns.needs_policy),
        bytes(columns.unconditional),
    )
    plan.protected, plan.priorities = bytes(columns.kept), columns.priorities

    inner: dict[int, Plan] = {}
    for body in (*plan.bodies.values(), *plan.fallbacks.values()):
        inner[id(body)] = body
        inner.update((id(deeper), deeper) for deeper in body.inner)
    plan.inner = tuple(inner.values())
    plan.flat = not inner and not columns.expands
    plan.cancels_as_unit = plan.flat and columns.cancels_as_unit and not plan.cleanups
    pairs = zip(plan.kinds, plan.needs_policy, strict=True)
    plan.slot_only = bytes([code <= kinds.SYNC and not needs for code, needs in pairs])
    inside = {name: user for body in plan.inner for name, user in body.resources.items()}
    plan.resources = {**inside, **columns.resources}


def _lay_function(plan: Plan, columns: _Columns, i: int, node: Function) -> None:
    signature = node.signature
    columns.kinds[i] = kinds.ASYNC if signature.is_async else kinds.SYNC
    if node.expand:
        columns.expands = True
    else:
        plan.checks[i] = value_check(signature.returns)
    context = context_parameter(signature)
    if context is not None:
        plan.contexts[i] = context
    elif signature.is_async and not node.expand:
        plan.functions[i] = node.fn


def _lay_other(plan: Plan, columns: _Columns, i: int, entry: Entry) -> None:
    node = entry.node
    columns.kinds[i] = _CODES[node.kind]
    if isinstance(node, Merge):
        start, stop = plan.in_start[i], plan.in_start[i + 1]
        has_order = bool(entry.after or entry.after_end)
        if has_order:
            plan.control_edges_start[i] = start + len(entry.sources)
        if node.quorum > 0:
            columns.cancels_as_unit = False
        if has_order or node.quorum > 0:
            for source in plan.edge_source[start:stop]:
                columns.unconditional[source] = 0
    elif isinstance(node, LLM):
        if i in plan.bodies:
            columns.kinds[i] = kinds.SUBGRAPH
        else:
            columns.needs_policy[i] = 1
    elif node.kind is Kind.ASK:
        plan.checks[i] = value_check(node.output_type())


def _lay_values(plan: Plan, columns: _Columns, i: int, entry: Entry, table: EdgeTable) -> None:
    """Record what feeds each parameter: a slot, several slots, or a constant."""
    grouped = table.collections.get(i, ())
    inside = table.collected(i) if grouped else ()
    plan.binders[i] = tuple(
        [
            (name, table.slots[place])
            for place in range(table.starts[i], table.starts[i + 1])
            if (name := table.parameters[place]) is not None and place not in inside
        ]
    )
    if grouped:
        plan.collections[i] = tuple(
            [
                CollectionBinder(name, tuple([table.slots[place] for place in places]), collection)
                for name, collection, places in grouped
            ]
        )
    constant = constants(entry)
    if constant:
        plan.constants[i] = constant
    columns.has_inputs[i] = bool(plan.binders[i] or constant or grouped)


def _lay_policy(plan: Plan, columns: _Columns, i: int, node: Node[Any]) -> None:
    policy = node.policy
    columns.needs_policy[i] = 1
    columns.kept[i] |= policy.keep
    if policy.priority is not None:
        columns.priorities[i] = policy.priority
    alone = policy.timeout_seconds, policy.attempt_timeout_seconds, policy.hedge_after
    if alone != (None, None, None):
        columns.cancels_as_unit = False
    for name in policy.resources:
        columns.resources[name] = node.id


def _lay_ranks(plan: Plan, order: Order) -> None:
    """Estimate the seconds of each node, and of the longest path from it on."""
    plan.weights = [1.0] * plan.size
    for i, body in plan.bodies.items():
        plan.weights[i] = body.span
    neg_rank, targets = [0.0] * plan.size, plan.edge_target
    for i in reversed(order.nodes):
        longest = 0.0
        for edge in plan.out_edges[i]:
            rank = neg_rank[targets[edge]]
            if rank < longest:
                longest = rank
        neg_rank[i] = longest - plan.weights[i]
    plan.neg_rank = neg_rank
    plan.span = -min(neg_rank, default=0.0)


def _lay_order(plan: Plan) -> None:
    """Sort the nodes of a flat plan by the key of the ready queue."""
    plan.start_order = plan.start_position = None
    if not plan.flat:
        return
    plan.start_order = sorted(range(plan.size), key=plan.neg_rank.__getitem__)
    if plan.priorities:
        plan.start_order.sort(key=lambda index: -plan.priorities.get(index, 0))
    plan.start_position = [0] * plan.size
    for rank, index in enumerate(plan.start_order):
        plan.start_position[index] = rank
