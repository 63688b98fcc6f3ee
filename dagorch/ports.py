"""
The protocols of the engine's adapters: providers, routers, search sources.

The runner knows adapters only through these.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol, runtime_checkable

from dagorch.models.finding import Finding
from dagorch.models.limits import Demand, Limits
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.rates import RateLimits

__all__ = [
    "HasAccount",
    "Provider",
    "RateLimited",
    "ReplyListener",
    "ReportsCosts",
    "Router",
    "Source",
    "TokenBounded",
]


class ReplyListener:
    """
    The engine's `on_text` argument of `Provider.exchange`; it also accepts the reply's headers.

    A provider that reads headers reports them at once, because a request counts against the rate
    limits until one window after its reply began. Otherwise the reply begins with its first
    text, or at its end.

    Args:
        on_text: Called with each piece of text.
        on_reply: Called once, with the rate limits in the headers of the reply.
        on_resend: Called before the request is sent again on another connection.
    """

    __slots__ = ("_on_reply", "_on_resend", "_on_text", "answered", "has_share", "needs_cost")

    def __init__(
        self,
        on_text: Callable[[str], None],
        on_reply: Callable[[RateLimits | None], None],
        on_resend: Callable[[], bool] = lambda: True,
    ) -> None:
        self._on_text = on_text
        self._on_reply = on_reply
        self._on_resend = on_resend
        self.answered = False
        self.has_share = False
        """Whether `max_tokens` of the request is its share of the run's ceiling."""
        self.needs_cost = False
        """Whether the response must report its cost; see `ReportsCosts`."""

    def __call__(self, text: str) -> None:
        """Report a piece of text."""
        if not self.answered:
            self.reply_began(None)
        self._on_text(text)

    def may_send_again(self) -> bool:
        """
        Whether to send a request again after its reused connection broke.

        The service may have counted the first one. If False, the exchange must fail without a
        reply.
        """
        return self._on_resend()

    def reply_began(self, rates: RateLimits | None) -> None:
        """Report that the headers of the reply have arrived."""
        if not self.answered:
            self.answered = True
            self._on_reply(rates)


@runtime_checkable
class Provider(Protocol):
    """
    A model service.

    A provider performs one exchange and reports its outcome. It does not retry, count, limit or
    cache: the engine does, in the same way for every provider.
    """

    @property
    def name(self) -> str:
        """The service's name (`openai`), the key of its limits."""
        ...

    @property
    def default_model(self) -> str:
        """The model of a request that does not name one."""
        ...

    @property
    def max_concurrency(self) -> int | None:
        """The most concurrent exchanges, across all runs; None is no bound."""
        ...

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """Return the most that this request can cost, or None if the price is unknown."""
        ...

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Send the request once and return the whole response.

        Args:
            request: The request to send.
            on_text: Called with each piece of the response's text when it arrives; must not
                block. The engine passes a `ReplyListener`, which has more methods.

        Raises:
            ProviderError: The service failed; the subclass says how.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections of this event loop; the provider stays usable."""
        ...


@runtime_checkable
class TokenBounded(Protocol):
    """
    A provider that knows the size of an exchange.

    This is optional: without it, a run cannot have a ceiling of tokens.
    """

    def bounds(self, request: LLMRequest) -> tuple[int, int | None]:
        """
        Return the most tokens of a request, and of its response.

        The second is None if nothing bounds the response.
        """
        ...

    def max_output_tokens(self, model: str = "") -> int | None:
        """Return the most tokens in one response of a model, or None if unknown."""
        ...


@runtime_checkable
class ReportsCosts(Protocol):
    """
    A provider without a price list, whose responses report what each call cost.

    This is optional: without it, a run cannot have a ceiling of dollars if the worst case is
    unknown. With it, a call starts while less than the ceiling is spent.
    """

    @property
    def reports_costs(self) -> bool:
        """Whether every response reports its cost."""
        ...


@runtime_checkable
class RateLimited(Protocol):
    """
    A provider that knows the rate limits of its service.

    This is optional: without it, `max_concurrency` and the limits in responses apply.
    """

    @property
    def limits(self) -> Limits | None:
        """The limits of the service; None if unknown."""
        ...

    def demand(self, request: LLMRequest) -> Demand:
        """Return what a request counts against the token limits."""
        ...


@runtime_checkable
class HasAccount(Protocol):
    """
    A provider that knows the account it uses.

    This is optional: without it, each provider object counts as an account of its own.
    """

    @property
    def account(self) -> str:
        """Equal for all providers that share the limits of a service; must not reveal the key."""
        ...


@runtime_checkable
class Router(Protocol):
    """
    Finds the provider of a model by the model's name.

    A run looks up every known model before it starts, and later the models that functions name. A
    lookup sends nothing and opens nothing.
    """

    def find(self, model: str, home: str = "") -> tuple[Provider, str]:
        """
        Return the provider of a model, and the provider's name for the model.

        Args:
            model: A name, or `provider:model`; empty is the default model of the default provider.
            home: The provider to use if the name of the model does not determine one.

        Raises:
            DefinitionError: There is no such provider, or it needs something that is missing.
        """
        ...

    def named(self, provider: str, model: str) -> tuple[Provider, str]:
        """Return the provider of that name for any model; raises like `find`."""
        ...

    def enter(self) -> None:
        """Called when a run that uses the router begins on this event loop."""
        ...

    async def leave(self) -> None:
        """Called when such a run ends; the last one of a loop closes the providers made there."""
        ...


@runtime_checkable
class Source(Protocol):
    """
    Something to search: a service, a folder, or anything that a user's class can search.

    A source performs one search and reports its outcome. It does not retry: the engine does. It
    keeps the pauses between requests that its service requires, for all its users.
    """

    @property
    def name(self) -> str:
        """The `source` of its findings."""
        ...

    def search(self, query: str, limit: int) -> Awaitable[list[Finding]] | list[Finding]:
        """
        Return the findings that match a question best; runs in a thread unless it is `async`.

        Args:
            query: Plain words, without search operators.
            limit: The most findings to return, the best first.

        Raises:
            SourceError: The search failed.
        """
        ...
