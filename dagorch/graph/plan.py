"""
The plan: a checked graph as flat arrays, indexed by integers, shared by every run of it.

`layout.py` makes plans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from dagorch.graph.collection import Collection
    from dagorch.nodes.base import Node

__all__ = [
    "ASK", "ASYNC", "ATTEMPT_KINDS", "BRANCH", "LLM_CALL", "LOOP", "MAP", "MERGE", "SUBGRAPH",
    "SYNC", "CollectionBinder", "EdgeRule", "Plan",
]  # fmt: skip

ASYNC: Final = 0
"""Kinds of node, as the core sees them."""
SYNC: Final = 1
LLM_CALL: Final = 2
BRANCH: Final = 3
MERGE: Final = 4
LOOP: Final = 5
MAP: Final = 6
SUBGRAPH: Final = 7
ASK: Final = 8
ATTEMPT_KINDS: Final = frozenset((ASYNC, SYNC, LLM_CALL))
"""Kinds that make attempts, and so hold slots."""


class EdgeRule(IntEnum):
    """The effect of the end of an edge's source on its target. See `scheduler/edges.py`."""

    OPTIONAL = 0
    """The target does without a dead edge: its parameter keeps the default, a merge the rest."""
    REQUIRED = 1
    """A dead edge skips the target."""
    ANY_END = 2
    """The edge is live however its source ends."""


class CollectionBinder(NamedTuple):
    """A parameter that takes a collection of values as one value."""

    parameter: str
    slots: tuple[int, ...]
    """Of the refs of `collection`, in their order."""
    collection: Collection


class Plan:
    """
    A graph ready to run. Nodes are numbered in the order added, edges by target, then order.

    The edges into node `t` are `range(in_start[t], in_start[t + 1])`; a value's slot is the
    number of its node, or the number of nodes plus that of the input.
    """

    __slots__ = (
        "_numbers",
        "binders",
        "bodies",
        "cancels_as_unit",
        "checks",
        "cleanups",
        "collections",
        "constants",
        "contexts",
        "control_edges_start",
        "edge_rules",
        "edge_source",
        "edge_target",
        "edges",
        "fallback_defaults", "fallbacks",
        "flat",
        "functions",
        "has_inputs",
        "in_degree",
        "in_start",
        "inner",
        "inputs",
        "kinds",
        "labels",
        "name",
        "needs_policy",
        "neg_rank",
        "nodes",
        "out_edges",
        "output_ids",
        "outputs",
        "priorities",
        "protected",
        "resources",
        "roots",
        "single_output",
        "size",
        "slot_only",
        "span",
        "start_order",
        "start_position",
        "unconditional",
        "weights",
    )  # fmt: skip

    _numbers: dict[str, int]
    """The number of each node by id; made when it is first asked for."""
    name: str
    size: int
    """Number of nodes."""
    edges: int
    """Number of edges between nodes."""
    nodes: tuple[Node[Any], ...]
    kinds: bytes
    inputs: dict[str, Any]
    """The default of each input by name, in slot order; `NO_DEFAULT` if a run must supply it."""
    control_edges_start: dict[int, int]
    """For merges with an order: the first edge that carries order only, not a value to fold."""
    in_degree: list[int]
    in_start: list[int]
    out_edges: list[tuple[int, ...]]
    edge_source: list[int]
    edge_target: list[int]
    edge_rules: bytes
    """Per edge, its `EdgeRule`."""
    cleanups: frozenset[int]
    """The nodes that wait for an end of any kind, which run though another node failed."""
    labels: dict[int, frozenset[str]]
    """By edge, for edges from a branch: the labels on which they are live."""
    unconditional: bytes
    """
    Per node, 1 if its completion only counts down the pending edges of its successors.

    It is 0 if an edge out of it has a label, or leads into a merge with a quorum or an order.
    """
    needs_policy: bytes
    """Per node, 1 if starting or ending it depends on its policy, or if it calls a model."""
    slot_only: bytes
    """Per node, 1 if it is a function that needs nothing but a slot."""
    binders: list[tuple[tuple[str, int], ...]]
    """Per node, its parameters and the slots that feed them."""
    has_inputs: bytes
    """Per node, 1 if it takes at least one input."""
    constants: dict[int, dict[str, Any]]
    """By node, for nodes with constants: the values by parameter."""
    collections: dict[int, tuple[CollectionBinder, ...]]
    """By node, for nodes that take collections; `binders` leaves those parameters out."""
    functions: list[Callable[..., Any] | None]
    """Per node, its async function if it is called with the inputs alone; else None."""
    checks: list[Callable[[object], bool] | None]
    """Per node, the test of its value against the declared type; None if nothing can be tested."""
    contexts: dict[int, str]
    """By node, for functions that take a `Context`: the name of that parameter."""
    neg_rank: list[float]
    """Per node, minus the longest remaining path in estimated seconds, the node included."""
    flat: bool
    """Whether the root frame is the only one: no bodies, no fallbacks, no expansion."""
    start_order: list[int] | None
    """The nodes in the order in which they start if all are ready; None if not flat."""
    start_position: list[int] | None
    """The position of each node in `start_order`."""
    weights: list[float]
    """Per node, its own estimated seconds."""
    span: float
    """The longest path of all, in estimated seconds."""
    priorities: Mapping[int, int]
    """By node, for nodes that set a priority."""
    bodies: dict[int, Plan]
    """By node, for containers and for LLM nodes with tools."""
    fallbacks: dict[int, Plan]
    """By node, for nodes whose fallback is a node or a graph."""
    fallback_defaults: dict[int, dict[str, Any]]
    """By node, its defaults for inputs that its fallback requires."""
    inner: tuple[Plan, ...]
    """Every distinct plan inside this one, at any depth."""
    resources: dict[str, str]
    """The resources that policies name, those of inner plans too, each with a node that uses it."""
    roots: tuple[int, ...]
    """The nodes without edges into them."""
    cancels_as_unit: bool
    """Whether attempts are only ever cancelled together: flat, without timeouts and quorums."""
    protected: bytes
    """Per node, 1 if it is a sink, an output or kept, and so is never cancelled as unneeded."""
    outputs: tuple[int, ...]
    output_ids: tuple[str, ...]
    single_output: bool
    """Whether the graph's value is that of its one output, rather than a dict."""

    def __repr__(self) -> str:
        return f"<Plan {self.name!r}: {self.size} nodes, {self.edges} edges>"

    def needed_by(self) -> list[int]:
        """Return how many edges need each node: all out of it, except those for any end."""
        counts = [len(edges) for edges in self.out_edges]
        if EdgeRule.ANY_END in self.edge_rules:
            for edge, rule in enumerate(self.edge_rules):
                counts[self.edge_source[edge]] -= rule == EdgeRule.ANY_END
        return counts

    def slots_read(self, index: int) -> set[int]:
        """Return the slots that a node reads, including those that a merge folds."""
        slots = {slot for _, slot in self.binders[index]}
        for binder in self.collections.get(index, ()) if self.collections else ():
            slots.update(binder.slots)
        if self.kinds[index] == MERGE:
            slots.update(self.edge_source[self.in_start[index] : self.in_start[index + 1]])
        return slots

    def known_items(self, index: int) -> int | None:
        """Return the number of items of a map over a constant or a collection; else None."""
        parameter: str = getattr(self.nodes[index], "parameter", "")
        items = self.constants.get(index, {}).get(parameter)
        for binder in self.collections.get(index, ()):
            if binder.parameter == parameter:
                items = binder.collection.items
        return len(items) if isinstance(items, Sized) else None

    def index(self, id: str) -> int:
        """Return the number of a node. Raises `KeyError` if no node has that id."""
        return self._numbers_by_id()[id]

    def __contains__(self, id: object) -> bool:
        """Return whether a node has that id."""
        return id in self._numbers_by_id()

    def _numbers_by_id(self) -> dict[str, int]:
        try:
            return self._numbers
        except AttributeError:
            self._numbers = {node.id: number for number, node in enumerate(self.nodes)}
            return self._numbers
