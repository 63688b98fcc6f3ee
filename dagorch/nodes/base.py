"""
The base of all nodes: an id, parameters, an output type and a policy.

Each kind of node has a class in a module of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, Generic, TypeVar

from dagorch.errors import DefinitionError
from dagorch.ids import RESERVED_CHARACTERS
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.nodes.signature import ParameterSpec

__all__ = ["ATTEMPTING_KINDS", "Kind", "Node"]

T = TypeVar("T")


class Kind(StrEnum):
    """The kinds of node."""

    FUNCTION = "function"
    LLM = "llm"
    BRANCH = "branch"
    MERGE = "merge"
    LOOP = "loop"
    MAP = "map"
    SUBGRAPH = "subgraph"
    ASK = "ask"


ATTEMPTING_KINDS: Final = frozenset({Kind.FUNCTION, Kind.LLM})
"""The kinds whose node runs make attempts."""


@dataclass(frozen=True, slots=True)
class Node(Generic[T]):
    """
    A typed step of a graph. It is immutable, so one node can be in several graphs.

    Raises:
        DefinitionError: The id is blank or has a character that paths use (`/ [ ]`), or the
            policy is not a `Policy`.
    """

    kind: ClassVar[Kind]

    id: str
    """The name of the node, unique in its graph."""
    policy: Policy = field(default=DEFAULT_POLICY, kw_only=True)

    def __post_init__(self) -> None:
        check_id(self.id)
        if not isinstance(self.policy, Policy):
            raise DefinitionError(
                f"{self.kind.value} {self.id!r}: policy={self.policy!r:.60} is not a Policy; pass "
                "policy=Policy(...)"
            )

    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Return the inputs that the node takes."""
        raise NotImplementedError

    def output_type(self) -> Any:
        """Return the annotation of the node's value; `Any` if unknown."""
        raise NotImplementedError

    def default_of(self, parameter: str) -> Any:
        """Return the default of an optional parameter."""
        raise NotImplementedError


def check_id(id: object) -> None:
    """Raise `DefinitionError` if an id cannot be part of a path such as `refine[2]/critic`."""
    if not isinstance(id, str) or not id.strip():
        raise DefinitionError(f"an id must be a string that is not empty, not {id!r}")
    # The quick test accepts most ids: an identifier has no forbidden character.
    if not id.isidentifier() and RESERVED_CHARACTERS.search(id):
        raise DefinitionError(
            f"the id {id!r} contains '/', '[', ']' or a control character, which are reserved "
            "for paths such as 'refine[2]/critic'"
        )
