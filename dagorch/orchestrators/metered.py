"""
The `self.provider` of an orchestrator: its calls inside a node belong to the run.

Outside of a node they are plain calls. A context variable holds the running node; tasks and
threads that a node starts inherit it. The run counts and bills the calls.
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
    """The running node of one orchestrator, and of those that it is nested in."""

    provider: MeteredProvider
    context: Context[Any]
    outer: _Binding | None


_BINDING: ContextVar[_Binding | None] = ContextVar("dagorch_binding", default=None)


@contextmanager
def bound_to_node(provider: MeteredProvider, context: Context[Any]) -> Iterator[None]:
    """Make calls through `provider` belong to the node of `context`."""
    token = _BINDING.set(_Binding(provider, context, _BINDING.get()))
    try:
        yield
    finally:
        _BINDING.reset(token)


class MeteredProvider(CompletionMethods):
    """
    The provider of an orchestrator, whose run reserves, admits and bills every call.

    Args:
        router: Finds the provider of a model.
        model: The model of calls that do not name one; empty is the provider's default.
    """

    def __init__(self, router: Router, model: str = "") -> None:
        self.router = router
        self._model = model

    @property
    def name(self) -> str:
        """The service's name."""
        return self._default().name

    @property
    def default_model(self) -> str:
        """The model of calls that do not name one."""
        provider, model = self.router.find(self._model)
        return model or provider.default_model

    @property
    def max_concurrency(self) -> int | None:
        """The most concurrent exchanges; None is no bound."""
        return self._default().max_concurrency

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """Return the most that this request can cost, or None if the price is unknown."""
        provider, request = self._resolve(self._with_model(request))
        return provider.worst_case_usd(request)

    def bounds(self, request: LLMRequest) -> tuple[int, int | None]:
        """Return the most tokens of this request, and of its response; None is no bound."""
        provider, request = self._resolve(self._with_model(request))
        return provider.bounds(request) if isinstance(provider, TokenBounded) else (0, None)

    def max_output_tokens(self, model: str = "") -> int | None:
        """Return the most tokens in one response of a model, or None if unknown."""
        provider, model = self.router.find(model or self._model)
        return provider.max_output_tokens(model) if isinstance(provider, TokenBounded) else None

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """Send the request once, on behalf of the running node."""
        request = self._with_model(request)
        context = self._context()
        if context is None:
            provider, request = self._resolve(request)
            return await provider.exchange(request, on_text)
        return await context.exchange(request, on_text)

    def complete(
        self, messages: MessagesLike, model: str | None = None, **options: Any
    ) -> LLMResponse:
        """Send a request and block until the response; on the event loop use `acomplete`."""
        context = self._context()
        if context is None:
            return super().complete(messages, model, **options)
        return context.exchange_sync(self._with_model(build_request(messages, model, options)))

    async def aclose(self) -> None:
        """Close the connections of this event loop; the provider stays usable."""
        await self._default().aclose()
        await self.router.aclose()

    def _default(self) -> Provider:
        """Return the provider of calls that do not name a model."""
        return self.router.find(self._model)[0]

    def _resolve(self, request: LLMRequest) -> tuple[Provider, LLMRequest]:
        provider, model = self.router.find(request.model)
        return provider, replace(request, model=model)

    def _with_model(self, request: LLMRequest) -> LLMRequest:
        return request if request.model or not self._model else replace(request, model=self._model)

    def _context(self) -> Context[Any] | None:
        binding = _BINDING.get()
        while binding is not None and binding.provider is not self:
            binding = binding.outer
        return binding.context if binding is not None else None

    def __repr__(self) -> str:
        return f"<MeteredProvider of {self.router!r}>"
