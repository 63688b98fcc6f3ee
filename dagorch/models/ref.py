"""Refs: typed handles to a node or input of a graph; they name a value and do not hold it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

__all__ = ["BranchRef", "Ref"]

T_co = TypeVar("T_co", covariant=True)


class Ref(Generic[T_co]):
    """
    The future value of a node or an input of one graph.

    Pass it to other nodes of the same graph, and to a `Result` to read the value.
    """

    __slots__ = ("graph", "id", "labels")

    def __init__(self, graph: Any, id: str, labels: frozenset[str] = frozenset()) -> None:
        self.graph = graph
        self.id = id
        self.labels = labels

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ref):
            return NotImplemented
        return self.graph is other.graph and self.id == other.id and self.labels == other.labels

    def __hash__(self) -> int:
        return hash((id(self.graph), self.id, self.labels))

    def __repr__(self) -> str:
        labels = "".join(f"[{label!r}]" for label in sorted(self.labels))
        return f"<ref {self.id}{labels}>"


class BranchRef(Ref[T_co]):
    """A branch; `ref["yes"]` is the edge for a label, `ref["yes", "maybe"]` for either of two."""

    __slots__ = ()

    def __getitem__(self, labels: str | tuple[str, ...]) -> Ref[T_co]:
        chosen = (labels,) if isinstance(labels, str) else labels
        return Ref(self.graph, self.id, frozenset(chosen))
