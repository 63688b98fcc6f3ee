"""
Ask nodes: a question to a person.

The node run is parked until the answer arrives, and holds no slot meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from dagorch.errors import DefinitionError
from dagorch.models.suggest import suggest_options
from dagorch.nodes.base import Kind, Node
from dagorch.nodes.signature import ParameterSpec
from dagorch.nodes.template import Template
from dagorch.nodes.types import is_plain_value

__all__ = ["Ask"]


@suggest_options
@dataclass(frozen=True, slots=True)
class Ask(Node[Any]):
    """
    A step that a person completes, through the run handle's `answer(path, value)`.

    Args:
        id: The node's id.
        question: A template; the `node_parked` event has the rendered text.
        output: The type that the answer must have.
    """

    kind: ClassVar[Kind] = Kind.ASK

    question: str
    output: Any = str

    def __post_init__(self) -> None:
        Node.__post_init__(self)
        try:
            Template(self.question)
        except DefinitionError as error:
            raise DefinitionError(f"ask {self.id!r}: {error}") from None

        if isinstance(self.output, str) or is_plain_value(self.output):
            raise DefinitionError(
                f"ask {self.id!r}: output={self.output!r:.60} is not a type; pass a type, not a "
                "value"
            )

    @property
    def template(self) -> Template:
        return Template(self.question)

    def parameters(self) -> tuple[ParameterSpec, ...]:
        return tuple(ParameterSpec(name, Any, True) for name in self.template.fields)

    def template_parts(self) -> tuple[str, ...]:
        """Return what the question takes of the inputs, such as `doc` or `doc.title`."""
        return self.template.parts

    def output_type(self) -> Any:
        return self.output
