"""
What the engine asks of the world, as a Protocol.

Adapters implement them, the runner knows nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol, runtime_checkable

from dagorch.models.llm import LLMRequest, LLMResponse

__all__ = ["Provider"]


@runtime_checkable
class Provider(Protocol):
    """
    Something that answers an LLM request.

    A provider does one exchange and reports it truly. It does not retry, count, limit or
    cache: the engine does, for all providers alike.
    """

    @property
    def name(self) -> str:
        """The service's name (`openai`); limits are kept under it."""
        ...

    @property
    def default_model(self) -> str:
        """The model that a request without one gets."""
        ...

    @property
    def max_concurrency(self) -> int | None:
        """How many exchanges may be under way at once, over all runs; None is no bound."""
        ...

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """The most that this request can cost, or None where the price is unknown."""
        ...

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Send the request once and give the whole answer.

        Args:
            request: What to send.
            on_text: Called with each piece of the answer's text as it arrives; must not block.

        Raises:
            ProviderError: The service failed, told apart by kind.
        """
        ...

    async def aclose(self) -> None:
        """Close what is open on this event loop; the provider can be used again."""
        ...
