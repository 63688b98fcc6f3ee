"""
Nodes with a body: loop, map and subgraph.

The scheduler opens and closes the frames of a body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from dagorch.errors import DefinitionError
from dagorch.models.arity import takes
from dagorch.models.bounds import count_problem
from dagorch.models.suggest import suggest_options
from dagorch.nodes.base import Kind, Node
from dagorch.nodes.signature import ParameterSpec, function_name, signature_of

__all__ = ["Body", "Loop", "Map", "OnItemError", "Subgraph", "items_problem"]

OnItemError = Literal["fail", "skip", "collect"]


class Body(Protocol):
    """What a container needs to know of a graph: its name, inputs and the type of its value."""

    @property
    def name(self) -> str: ...

    def parameters(self) -> tuple[ParameterSpec, ...]: ...

    def output_type(self) -> Any: ...

    def default_of(self, parameter: str) -> Any: ...


def _input_name(body: Body, wanted: str | None, default: str) -> str:
    """Return the body's input that the container fills: `wanted`, else `default`, else any."""
    names = [parameter.name for parameter in body.parameters()]
    if wanted is not None:
        return wanted
    if default in names or not names:
        return default
    return names[0]


def items_problem(value: object) -> str | None:
    """Return why a map cannot run over a value, or None."""
    if isinstance(value, str | bytes):
        return "is text, whose items are its letters; pass a ref, or a list of texts"
    if isinstance(value, Mapping):
        return "is a mapping; pass a list of its keys, values or items"
    return None if isinstance(value, Iterable) else "is not a sequence"


def _check_input_name(node: Node[Any], option: str) -> None:
    name = getattr(node, option)
    if not isinstance(name, str | None):
        raise DefinitionError(
            f"{node.kind.value} {node.id!r}: {option}={name!r:.60} must be the name of an input of "
            "the body, as text"
        )


def _check_body(node: Node[Any], body: object) -> None:
    if not hasattr(body, "entries"):
        raise DefinitionError(
            f"{node.kind.value} {node.id!r}: the body {body!r:.60} is not a graph; add the node or "
            "function to a Graph, and pass that"
        )


@suggest_options
@dataclass(frozen=True, slots=True)
class Subgraph(Node[Any]):
    """A whole graph as one step, with the graph's inputs."""

    kind: ClassVar[Kind] = Kind.SUBGRAPH

    body: Body

    def __post_init__(self) -> None:
        Node.__post_init__(self)
        _check_body(self, self.body)

    def parameters(self) -> tuple[ParameterSpec, ...]:
        return self.body.parameters()

    def output_type(self) -> Any:
        return self.body.output_type()

    def default_of(self, parameter: str) -> Any:
        return self.body.default_of(parameter)


@suggest_options
@dataclass(frozen=True, slots=True)
class Loop(Node[Any]):
    """
    A body that runs repeatedly; each pass takes the value of the pass before as its state.

    Args:
        id: The node's id.
        body: A graph whose value has the type of its state input.
        max_iterations: Bound on the passes; reaching it is a normal end with `converged=False`.
        until: Takes the state after each pass; a true result ends the loop. None: run all passes.
        state_input: The body's input that takes the state; None: `state`, else its first input.
    """

    kind: ClassVar[Kind] = Kind.LOOP

    body: Body
    max_iterations: int | None = None
    until: Callable[[Any], Any] | None = None
    state_input: str | None = None

    def __post_init__(self) -> None:
        Node.__post_init__(self)
        _check_body(self, self.body)
        _check_input_name(self, "state_input")
        if self.max_iterations is not None:
            problem = count_problem("max_iterations", self.max_iterations)
            if problem:
                raise DefinitionError(f"loop {self.id!r}: {problem}")
        if self.until is not None and not callable(self.until):
            raise DefinitionError(f"loop {self.id!r}: until={self.until!r} is not callable")
        if self.until is not None and not takes(self.until, 1):
            raise DefinitionError(
                f"loop {self.id!r}: until={function_name(self.until)} must take one argument, the "
                "state after a pass"
            )
        if self.until is not None and signature_of(self.until).is_async:
            raise DefinitionError(
                f"loop {self.id!r}: until is async; compute its result in the body and test it here"
            )

    @property
    def parameter(self) -> str:
        return _input_name(self.body, self.state_input, "state")

    def parameters(self) -> tuple[ParameterSpec, ...]:
        return self.body.parameters()

    def output_type(self) -> Any:
        return self.body.output_type()

    def default_of(self, parameter: str) -> Any:
        return self.body.default_of(parameter)


@suggest_options
@dataclass(frozen=True, slots=True)
class Map(Node[list[Any]]):
    """
    A body that runs once per item of a sequence; the value is a list, in item order.

    Args:
        id: The node's id.
        body: A graph.
        item_input: The body's input that takes the item; None: `item`, else its first input. The
            map itself takes the whole sequence under that name.
        max_parallel: Items in flight; None: as many as the run has slots.
        on_item_error: `fail`: the map fails; `skip`: the result leaves the item out; `collect`:
            the result has the error in place of the item.
    """

    kind: ClassVar[Kind] = Kind.MAP

    body: Body
    item_input: str | None = None
    max_parallel: int | None = None
    on_item_error: OnItemError = "fail"

    def __post_init__(self) -> None:
        Node.__post_init__(self)
        _check_body(self, self.body)
        _check_input_name(self, "item_input")
        if self.max_parallel is not None:
            problem = count_problem("max_parallel", self.max_parallel)
            if problem:
                raise DefinitionError(f"map {self.id!r}: {problem}")
        if self.on_item_error not in ("fail", "skip", "collect"):
            raise DefinitionError(
                f"map {self.id!r}: on_item_error={self.on_item_error!r} is not 'fail', 'skip' or "
                "'collect'"
            )

    @property
    def parameter(self) -> str:
        return _input_name(self.body, self.item_input, "item")

    def parameters(self) -> tuple[ParameterSpec, ...]:
        return tuple(
            ParameterSpec(p.name, Any, True) if p.name == self.parameter else p
            for p in self.body.parameters()
        )

    def default_of(self, parameter: str) -> Any:
        return self.body.default_of(parameter)

    def items_of(self, value: Any) -> tuple[Any, ...]:
        """Return the items of a value. Raises `TypeError` if a map cannot run over it."""
        problem = items_problem(value)
        if problem:
            raise TypeError(f"map {self.id!r} runs over {value!r:.60}, which {problem}")
        return tuple(value)

    def output_type(self) -> Any:
        inner = self.body.output_type()
        return (
            list[Any]
            if inner is Any or self.on_item_error == "collect"
            else list.__class_getitem__(inner)
        )
