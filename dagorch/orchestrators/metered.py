"""
What a subclass has as `self.provider`: inside a node its calls are the run's, outside plain calls.

Which node is running is told by a context variable that the orchestrator's node functions set;
tasks and threads started from there inherit it. Nothing is counted here: the run does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.messages import MessagesLike, build_request
from dagorch.nodes.function import Context
from dagorch.ports import Provider, TokenBounded
from dagorch.providers.base import CompletionMethods
from dagorch.providers.router import Router

__all__ = ["MeteredProvider", "bound_to_node"]


@dataclass(frozen=True, slots=True)
class _Binding:
    """A node at work, for one orchestrator; beneath it those of the orchestrators around."""

    provider: MeteredProvider
    context: Context[Any]
    beneath: _Binding | None


_SEAT: ContextVar[_Binding | None] = ContextVar("dagorch_seat", default=None)


@contextmanager
def bound_to_node(provider: MeteredProvider, context: Context[Any]) -> Iterator[None]:
    """Let calls through `provider` be those of the node that `context` belongs to."""
    token = _SEAT.set(_Binding(provider, context, _SEAT.get()))
    try:
        yield
    finally:
        _SEAT.reset(token)


class MeteredProvider(CompletionMethods):
    """
    The provider of an orchestrator, with every call reserved, admitted and billed by its run.

    Args:
        router: Finds who answers.
        model: What a call without a model asks for; empty is the default provider's own default.
    """

    def __init__(self, router: Router, model: str = "") -> None:
        self._router = router
        self._model = model

    @property
    def name(self) -> str:
        """The service's name."""
        return self._found().name

    @property
    def default_model(self) -> str:
        """What a call without a model asks for."""
        provider, model = self._router.find(self._model)
        return model or provider.default_model

    @property
    def max_concurrency(self) -> int | None:
        """How many exchanges may be under way at once; None is no bound."""
        return self._found().max_concurrency

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """The most that this request can cost, or None where the price is unknown."""
        provider, request = self._addressed(self._complete_request(request))
        return provider.worst_case_usd(request)

    def bounds(self, request: LLMRequest) -> tuple[int, int | None]:
        """The most tokens that this request can have, and its answer; None is no bound."""
        provider, request = self._addressed(self._complete_request(request))
        return provider.bounds(request) if isinstance(provider, TokenBounded) else (0, None)

    def max_output_tokens(self, model: str = "") -> int | None:
        """The most tokens that a model writes in one answer, or None where unknown."""
        provider, model = self._router.find(model or self._model)
        return provider.max_output_tokens(model) if isinstance(provider, TokenBounded) else None

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """Send the request once, as the node that is at work."""
        request = self._complete_request(request)
        context = self._context()
        if context is None:
            provider, request = self._addressed(request)
            return await provider.exchange(request, on_text)
        return await context.exchange(request, on_text)

    def complete(
        self, messages: MessagesLike, model: str | None = None, **options: Any
    ) -> LLMResponse:
        """Ask once and wait for the answer; on the event loop use `acomplete`, or all wait."""
        context = self._context()
        if context is None:
            return super().complete(messages, model, **options)
        return context.exchange_sync(
            self._complete_request(build_request(messages, model, options))
        )

    async def aclose(self) -> None:
        """Close what is open on this event loop; the provider can be used again."""
        await self._found().aclose()
        await self._router.aclose()

    def _found(self) -> Provider:
        """Give the provider that answers a call without a model."""
        return self._router.find(self._model)[0]

    def _addressed(self, request: LLMRequest) -> tuple[Provider, LLMRequest]:
        provider, model = self._router.find(request.model)
        return provider, replace(request, model=model)

    def _complete_request(self, request: LLMRequest) -> LLMRequest:
        return request if request.model or not self._model else replace(request, model=self._model)

    def _context(self) -> Context[Any] | None:
        seat = _SEAT.get()
        while seat is not None and seat.provider is not self:
            seat = seat.beneath
        return seat.context if seat is not None else None

    def __repr__(self) -> str:
        return f"<MeteredProvider of {self._router!r}>"
