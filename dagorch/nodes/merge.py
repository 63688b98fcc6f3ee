"""
Merge nodes: they join several edges and fold their values.

The reducers are in `reducers.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.models.arity import takes
from dagorch.models.suggest import suggest_options
from dagorch.nodes.base import Kind, Node
from dagorch.nodes.reducers import REDUCERS, Reducer
from dagorch.nodes.signature import ParameterSpec, function_name, signature_of

__all__ = ["Merge", "Wait"]

Wait = Literal["all", "any"] | int


@suggest_options
@dataclass(frozen=True, slots=True)
class Merge(Node[Any]):
    """
    A step that waits for several nodes and folds their values.

    Args:
        id: The node's id.
        reducer: A name of `REDUCERS`, or a pure function of the list of values, in edge order.
        wait: `all`: fold every live edge once none is pending. `any`, or a quorum n: fold the
            first n values, and cancel the nodes that nothing else waits for.
        tolerate_failures: With `all`: fold the live edges even if a source failed.
    """

    kind: ClassVar[Kind] = Kind.MERGE

    reducer: str | Reducer = "list"
    wait: Wait = "all"
    tolerate_failures: bool = False

    def __post_init__(self) -> None:
        Node.__post_init__(self)
        if isinstance(self.reducer, str) and self.reducer not in REDUCERS:
            raise DefinitionError(
                f"merge {self.id!r}: no reducer {self.reducer!r}"
                + (did_you_mean(self.reducer, REDUCERS) or f"; there are {', '.join(REDUCERS)}")
            )
        if not isinstance(self.reducer, str) and not callable(self.reducer):
            raise DefinitionError(f"merge {self.id!r}: reducer {self.reducer!r} is not callable")
        if not isinstance(self.reducer, str) and not takes(self.reducer, 1):
            raise DefinitionError(
                f"merge {self.id!r}: the reducer {function_name(self.reducer)} must take one "
                "argument, the list of values"
            )
        if not isinstance(self.reducer, str) and signature_of(self.reducer).is_async:
            raise DefinitionError(
                f"merge {self.id!r}: the reducer is async; merge with 'list' and add a function "
                "node"
            )
        quorum = isinstance(self.wait, int) and not isinstance(self.wait, bool)
        if self.wait not in ("all", "any") and not (quorum and self.quorum >= 1):
            raise DefinitionError(
                f"merge {self.id!r}: wait={self.wait!r} is not 'all', 'any' or a number of at "
                "least 1"
            )
        if not isinstance(self.tolerate_failures, bool):
            raise DefinitionError(
                f"merge {self.id!r}: tolerate_failures={self.tolerate_failures!r:.60} must be True "
                "or False"
            )
        if self.tolerate_failures and self.wait != "all":
            raise DefinitionError(
                f"merge {self.id!r}: tolerate_failures goes with wait='all'; a quorum tolerates "
                "them anyway"
            )

    @property
    def quorum(self) -> int:
        """The number of live edges at which the merge fires; 0 for all."""
        if isinstance(self.wait, str):
            return 1 if self.wait == "any" else 0
        return self.wait

    @property
    def fold(self) -> Callable[[list[Any]], Any]:
        return REDUCERS[self.reducer] if isinstance(self.reducer, str) else self.reducer

    def parameters(self) -> tuple[ParameterSpec, ...]:
        return ()

    def output_type(self) -> Any:
        return signature_of(self.fold).returns
