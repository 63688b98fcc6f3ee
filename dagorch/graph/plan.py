"""
The plan.

A validated graph as flat integer-indexed arrays, made once and shared by every run of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from dagorch.graph.collection import Collection
    from dagorch.nodes.base import Node

__all__ = [
    "ASK", "ASYNC", "ATTEMPT_KINDS", "BRANCH", "LLM_CALL", "LOOP", "MAP", "MERGE", "SUBGRAPH",
    "SYNC", "CollectionBinder", "Plan",
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
        "binders", "bodies", "cancels_as_unit", "checks", "collections", "constants", "contexts",
        "control_edges_start", "edge_source", "edge_target", "edges", "fallbacks", "flat",
        "functions", "has_inputs", "in_degree", "in_start", "inner", "inputs", "kinds", "labels",
        "name", "needs_policy", "neg_rank", "nodes", "out_edges", "output_ids", "outputs",
        "priorities", "protected", "required", "resources", "single_output", "size", "slot_only",
        "sources", "span", "start_order", "start_rank", "unconditional", "weights",
    )  # fmt: skip

    name: str
    size: int
    """Nodes."""
    edges: int
    nodes: tuple[Node[Any], ...]
    kinds: bytes
    inputs: dict[str, Any]
    """Defaults of the inputs by name, in slot order; `NO_DEFAULT` where a value must be given."""
    control_edges_start: dict[int, int]
    """
    Of merges with an `after`.

    The first of its edges that carry order only, not a value to fold.
    """
    in_degree: list[int]
    in_start: list[int]
    out_edges: list[tuple[int, ...]]
    edge_source: list[int]
    edge_target: list[int]
    required: bytes
    """Per edge, 1 if its target is skipped when it dies."""
    labels: dict[int, frozenset[str]]
    """Of the edges that hang on a branch's label."""
    unconditional: bytes
    """
    Per node, 1 if completing it does no more to its successors than count down.

    No label, no quorum, no gate.
    """
    needs_policy: bytes
    """
    Per node, 1 if starting or ending it needs a look at its policy or kind.

    Limits, priorities, requests.
    """
    slot_only: bytes
    """Per node, 1 if it is a function without limits: what needs nothing but a slot."""
    binders: list[tuple[tuple[str, int], ...]]
    """Per node, the parameters and the slots that feed them."""
    has_inputs: bytes
    """Per node, 1 if it takes any input at all."""
    constants: dict[int, dict[str, Any]]
    collections: dict[int, tuple[CollectionBinder, ...]]
    """Of the nodes that take any: the parameters that `binders` leaves out."""
    functions: list[Callable[..., Any] | None]
    """
    Of async functions that are called with their inputs and nothing else.

    None for all other nodes.
    """
    checks: list[Callable[[object], bool] | None]
    """Per node, whether a value fits what its function promises."""
    contexts: dict[int, str]
    """Of functions that want a `Context`, the parameter."""
    neg_rank: list[float]
    """Minus the longest remaining path in estimated seconds, the node itself included."""
    flat: bool
    """Whether the root frame is all that there will be: nothing inside, no expansion."""
    start_order: list[int] | None
    """The nodes as they start, were all ready at once; None if the plan is not flat."""
    start_rank: list[int] | None
    """The position of each node in `start_order`."""
    weights: list[float]
    """Estimated seconds of the node itself."""
    span: float
    """The longest path of all."""
    priorities: Mapping[int, int]
    """Of nodes that set one."""
    bodies: dict[int, Plan]
    """Of containers, and of LLM nodes with tools."""
    fallbacks: dict[int, Plan]
    inner: tuple[Plan, ...]
    """Every distinct plan inside, however deep."""
    resources: dict[str, str]
    """The resources that policies name, those inside too, each with a node that does."""
    sources: tuple[int, ...]
    """Nodes with no edge in."""
    cancels_as_unit: bool
    """
    Whether attempts are cancelled only all together.

    It is flat and has no timeout and no quorum.
    """
    protected: bytes
    """Per node, 1 if it is a sink, an output or kept: never cancelled because nobody waits."""
    outputs: tuple[int, ...]
    output_ids: tuple[str, ...]
    single_output: bool
    """Whether the value is that of the one output, rather than a dict."""

    def __repr__(self) -> str:
        return f"<Plan {self.name!r}: {self.size} nodes, {self.edges} edges>"

    def slots_read(self, index: int) -> set[int]:
        """The slots of the values that a node reads, those that a merge folds included."""
        slots = {slot for _, slot in self.binders[index]}
        for binder in self.collections.get(index, ()):
            slots.update(binder.slots)
        if self.kinds[index] == MERGE:
            slots.update(self.edge_source[self.in_start[index] : self.in_start[index + 1]])
        return slots

    def index(self, id: str) -> int:
        """The number of a node. Raises `KeyError` if there is none of that id."""
        for number, node in enumerate(self.nodes):
            if node.id == id:
                return number
        raise KeyError(id)
