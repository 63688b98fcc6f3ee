"""Refs: typed handles to a node or input of a graph; they name a value and do not hold it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeAlias, TypeVar

from dagorch.errors import DefinitionError
from dagorch.models.several import several

__all__ = ["REF_MARK", "BranchRef", "Ref", "Refs"]

REF_MARK: Final = "<dagorch.Ref "
"""The beginning of a ref's `repr`; templates refuse text that contains it."""

_BRANCH = "decide with graph.branch(...), or in a function node"
_INSIDE = "do it in a function node; for each item use graph.map(...)"

T_co = TypeVar("T_co", covariant=True)


class Ref(Generic[T_co]):
    """
    The future value of a node or an input of one graph.

    Pass it to other nodes of the same graph, and to a `Result` to read the value. It has no text,
    because there is no value before a run: `str(ref)` and an f-string raise a `DefinitionError`.
    `repr(ref)` is for debugging.
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

    def __bool__(self) -> bool:
        raise DefinitionError(self._no_value("to test with 'if'", _BRANCH))

    if not TYPE_CHECKING:  # type checkers refuse both as they are

        def __getitem__(self, key: Any) -> Any:
            """Refuse `ref[0]`, and a Python loop over a ref, which begins with it."""
            use = f"to take [{key!r:.60}] of, or to loop over"
            raise DefinitionError(self._no_value(use, _INSIDE))

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__") or name in Ref.__slots__:
                raise AttributeError(name)  # a protocol of Python, or a ref that is being copied
            raise AttributeError(self._no_value(f"to take {name!r} of", _INSIDE))

    def _no_value(self, use: str, advice: str) -> str:
        return f"{self!r} has no value {use} before the run; {advice}"

    def __repr__(self) -> str:
        labels = "".join(f"[{label!r}]" for label in sorted(self.labels))
        return f"{REF_MARK}{self.id!r}{labels}>"

    def __str__(self) -> NoReturn:
        raise DefinitionError(
            f"ref {self.id!r} has no text, because only a run has its value; a prompt takes the "
            f"value as '{{{self.id}}}' (without f before the quotes), a function as a parameter "
            f"bound to the ref; for debugging use repr(ref)"
        )

    def __format__(self, spec: str) -> str:
        return str(self)

    def __add__(self, other: object) -> NoReturn:
        raise DefinitionError(
            f"ref {self.id!r} cannot be added to anything, because only a run has its value; bind "
            "the ref to a parameter of a node, and add there"
        )

    __radd__ = __add__


class BranchRef(Ref[T_co]):
    """A branch; `ref["yes"]` is the edge for a label, `ref["yes", "maybe"]` for either of two."""

    __slots__ = ()

    def __getitem__(self, labels: str | tuple[str, ...]) -> Ref[T_co]:
        return Ref(self.graph, self.id, frozenset(several(labels, f"ref {self.id!r}: label")))


Refs: TypeAlias = Ref[Any] | Iterable[Ref[Any]]
"""A ref, or an iterable of refs."""
