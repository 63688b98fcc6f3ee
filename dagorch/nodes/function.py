"""Function nodes: an async or sync Python function that takes its inputs by name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from dagorch.errors import DefinitionError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.messages import MessagesLike, build_request
from dagorch.models.suggest import suggest_options
from dagorch.models.usage import Usage
from dagorch.nodes.base import Kind, Node
from dagorch.nodes.signature import FunctionSignature, ParameterSpec, signature_of

__all__ = ["Context", "Function"]

D = TypeVar("D")


class Context(Generic[D]):
    """
    What a function may know of its run. The function declares a parameter annotated `Context`.

    The engine supplies that parameter. It is not an input, and not part of any key.

    Attributes:
        run_id: The run's id.
        path: The path of this node run, such as `refine[2]/critic`.
        attempt: The number of the attempt, from 1.
        deps: What the caller passed as `run(deps=...)`.
    """

    __slots__ = ("_exchange", "_exchange_sync", "_usage", "attempt", "deps", "path", "run_id")

    def __init__(
        self,
        run_id: str,
        path: str,
        attempt: int,
        deps: D,
        exchange: Callable[[LLMRequest, Callable[[str], None] | None], Awaitable[LLMResponse]],
        exchange_sync: Callable[[LLMRequest], LLMResponse],
        usage: Callable[[str], Usage],
    ) -> None:
        self.run_id = run_id
        self.path = path
        self.attempt = attempt
        self.deps = deps
        self._exchange = exchange
        self._exchange_sync = exchange_sync
        self._usage = usage

    @property
    def usage(self) -> Usage:
        """The usage of this node run's calls so far, including those of failed attempts."""
        return self._usage("")

    def usage_of(self, node: str) -> Usage:
        """Return what a node of the same graph has used so far, by its id."""
        return self._usage(node)

    async def acomplete(
        self, messages: MessagesLike, model: str | None = None, **options: Any
    ) -> LLMResponse:
        """
        Call the run's provider. The call uses this attempt's slot and counts on the run's bill.

        Args:
            messages: Dicts with `role` and `content`, or `Message`s.
            model: A model of one of the run's providers; None for the default provider's own.
            options: Fields of `LLMRequest`, such as `max_tokens`.

        Raises:
            DefinitionError: A message or an option is malformed, or the run has no provider for
                the model.
            BudgetExceededError: The call's worst case does not fit under the run's ceiling.
            ProviderError: The service failed.
        """
        return await self._exchange(build_request(messages, model, options), None)

    def complete(
        self, messages: MessagesLike, model: str | None = None, **options: Any
    ) -> LLMResponse:
        """Call the run's provider from a sync function, blocking its thread; see `acomplete`."""
        return self._exchange_sync(build_request(messages, model, options))

    async def exchange(
        self, request: LLMRequest, on_text: Callable[[str], None] | None = None
    ) -> LLMResponse:
        """Send a prepared request; see `acomplete`. `on_text` also takes the text in pieces."""
        return await self._exchange(request, on_text)

    def exchange_sync(self, request: LLMRequest) -> LLMResponse:
        """Send a prepared request; see `complete`."""
        return self._exchange_sync(request)


@suggest_options
@dataclass(frozen=True, slots=True)
class Function(Node[Any]):
    """
    A step that calls a Python function.

    An async function runs on the event loop, a sync one in a worker thread. With `expand=True` the
    function returns a `Graph`, which is compiled and runs in its place.

    Example:
        >>> def double(number: int) -> int:
        ...     return 2 * number
        >>> [p.name for p in Function("double", double).parameters()]
        ['number']
    """

    kind: ClassVar[Kind] = Kind.FUNCTION

    fn: Callable[..., Any]
    expand: bool = False
    _signature: FunctionSignature = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        Node.__post_init__(self)
        fn = self.fn
        if not callable(fn):
            raise DefinitionError(f"function node {self.id!r}: {fn!r:.60} is not callable")
        if not isinstance(self.expand, bool):
            raise DefinitionError(
                f"function node {self.id!r}: expand={self.expand!r:.60} must be True or False"
            )
        object.__setattr__(self, "_signature", signature_of(fn))

    @property
    def signature(self) -> FunctionSignature:
        """The function's signature; annotations that could not be resolved are tried again."""
        known = self._signature
        return signature_of(self.fn) if known.unresolved else known

    def parameters(self) -> tuple[ParameterSpec, ...]:
        signature = self.signature
        context = context_parameter(signature)
        if context is None:
            return signature.parameters
        return tuple(p for p in signature.parameters if p.name != context)

    def output_type(self) -> Any:
        return Any if self.expand else self.signature.returns

    def default_of(self, parameter: str) -> Any:
        return inspect.signature(self.fn).parameters[parameter].default


def context_parameter(signature: FunctionSignature) -> str | None:
    """Return the parameter annotated `Context` or `Context[...]`; None if there is none."""
    for parameter in signature.parameters:
        annotation = parameter.annotation
        if annotation is Context or getattr(annotation, "__origin__", None) is Context:
            return sys.intern(parameter.name)
    return None
