"""Branch nodes: the user's function picks the labels on which outgoing edges are live."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from dagorch.errors import DefinitionError
from dagorch.models.several import several
from dagorch.models.suggest import suggest_options
from dagorch.models.user_objects import short_repr
from dagorch.nodes.base import Kind, Node
from dagorch.nodes.signature import ParameterSpec, signature_of

__all__ = ["Branch", "labels_of"]


@suggest_options
@dataclass(frozen=True, slots=True)
class Branch(Node[str]):
    """
    A step that picks one or more of its labels; edges with other labels are dead.

    Args:
        id: The node's id.
        select: Takes the inputs by name. It returns a label, several in a list, tuple or set, or
            a bool if the labels are `("true", "false")`. It must be sync and quick, because it
            runs on the event loop.
        labels: Every label that `select` may pick.
    """

    kind: ClassVar[Kind] = Kind.BRANCH

    select: Callable[..., Any]
    labels: tuple[str, ...] = ("true", "false")

    def __post_init__(self) -> None:
        Node.__post_init__(self)
        object.__setattr__(self, "labels", several(self.labels, f"branch {self.id!r}: labels"))
        if not callable(self.select):
            raise DefinitionError(f"branch {self.id!r}: select={self.select!r} is not callable")
        if not self.labels or any(not isinstance(label, str) or not label for label in self.labels):
            raise DefinitionError(
                f"branch {self.id!r}: labels={self.labels!r} must be strings, at least one"
            )
        if len(set(self.labels)) != len(self.labels):
            raise DefinitionError(f"branch {self.id!r}: labels={self.labels!r} has a label twice")
        if signature_of(self.select).is_async:
            raise DefinitionError(
                f"branch {self.id!r}: select is async; compute the value in a function node and "
                "select on its output"
            )

    def parameters(self) -> tuple[ParameterSpec, ...]:
        return signature_of(self.select).parameters

    def output_type(self) -> Any:
        return str

    def default_of(self, parameter: str) -> Any:
        return inspect.signature(self.select).parameters[parameter].default


def labels_of(branch: Branch, picked: object) -> tuple[str, ...]:
    """
    Return the labels that the return value of `select` stands for.

    Raises:
        ValueError: It is not a label of this branch, nor a collection of them.

    Example:
        >>> labels_of(Branch("b", bool), True)
        ('true',)
    """
    if picked is True or picked is False:
        chosen: tuple[object, ...] = ("true" if picked else "false",)
    elif isinstance(picked, (list, tuple, set, frozenset)):
        chosen = tuple(picked)
    else:
        chosen = (picked,)
    wrong = [label for label in chosen if label not in branch.labels]
    if wrong or not chosen:
        known = ", ".join(map(repr, branch.labels))
        raise ValueError(
            f"select of branch {branch.id!r} picked {short_repr(picked, 80)}; its labels are "
            f"{known}"
        )
    return tuple(label for label in branch.labels if label in chosen)
