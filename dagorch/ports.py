"""
What the engine asks of the world, as a Protocol.

Adapters implement them, the runner knows nothing else.
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
    "Router",
    "Source",
    "TokenBounded",
]


class ReplyListener:
    """
    What the engine gives `Provider.exchange` as `on_text`: it also hears when a reply begins.

    A provider that sees the reply's headers says so at once, for the engine counts what it sent
    against the service's limits until one window after that. One that does not is taken to
    have been answered with its first text, or at the end.

    Args:
        on_text: Called with each piece of text.
        on_reply: Called once, with what the reply's headers say of the service's limits.
        on_resend: Asked before the same is sent once more on another connection.
    """

    __slots__ = ("_on_reply", "_on_resend", "_on_text", "answered")

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

    def __call__(self, text: str) -> None:
        """Take a piece of text."""
        if not self.answered:
            self.reply_began(None)
        self._on_text(text)

    def may_send_again(self) -> bool:
        """
        Whether a request may go out once more, whose connection broke as it was used again.

        The service may have counted it. If not, the exchange fails as one without a reply.
        """
        return self._on_resend()

    def reply_began(self, rates: RateLimits | None) -> None:
        """Take in that the reply's headers are there."""
        if not self.answered:
            self.answered = True
            self._on_reply(rates)


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
                The engine's own is a `ReplyListener`, which a provider may tell more.

        Raises:
            ProviderError: The service failed, told apart by kind.
        """
        ...

    async def aclose(self) -> None:
        """Close what is open on this event loop; the provider can be used again."""
        ...


@runtime_checkable
class TokenBounded(Protocol):
    """
    What a provider may know of the size of an exchange.

    Not part of `Provider`: without it a run can have no ceiling of tokens.
    """

    def bounds(self, request: LLMRequest) -> tuple[int, int | None]:
        """
        Give the most tokens that a request can have, and that its answer can.

        The second is None where nothing bounds the answer.
        """
        ...

    def max_output_tokens(self, model: str = "") -> int | None:
        """Give the most tokens that a model writes in one answer, or None where unknown."""
        ...


@runtime_checkable
class RateLimited(Protocol):
    """
    What a provider may know of its service's rates.

    Not part of `Provider`: one without it is bounded by `max_concurrency` and by what the
    service itself says.
    """

    @property
    def limits(self) -> Limits | None:
        """What the service permits; None is nothing known."""
        ...

    def demand(self, request: LLMRequest) -> Demand:
        """What a request asks of the service's tokens."""
        ...


@runtime_checkable
class HasAccount(Protocol):
    """
    What a provider may know of whose account it uses.

    Not part of `Provider`: without it each object is taken to be an account of its own.
    """

    @property
    def account(self) -> str:
        """Equal for all that share a service's limits; must not show the key."""
        ...


@runtime_checkable
class Router(Protocol):
    """
    Something that finds the provider of a model by the model's name.

    A run asks it before anything starts, for all that is known by then, and again where a
    function names a model of its own. Finding sends and opens nothing.
    """

    def find(self, model: str, home: str = "") -> tuple[Provider, str]:
        """
        The provider of a model, and the model's name as that provider knows it.

        Args:
            model: Its name, or `provider:model`; empty is the default provider's own default.
            home: The name of the provider that has it if its own name tells none.

        Raises:
            DefinitionError: There is none, or something is missing before it can be used.
        """
        ...

    def named(self, provider: str, model: str) -> tuple[Provider, str]:
        """The provider of that name, whatever the model is called; raises as `find`."""
        ...

    def enter(self) -> None:
        """A run that uses it begins on this event loop."""
        ...

    async def leave(self) -> None:
        """Such a run has ended, and the last of a loop closes there what the router had made."""
        ...


@runtime_checkable
class Source(Protocol):
    """
    Something that can be searched: a service, a folder, whatever a user's class knows of.

    A source does one search and reports it truly. It does not retry: the engine does. Where its
    service wants pauses between requests it keeps them itself, for all that use it.
    """

    @property
    def name(self) -> str:
        """What its findings are said to come from."""
        ...

    def search(self, query: str, limit: int) -> Awaitable[list[Finding]] | list[Finding]:
        """
        Find what is nearest to a question; write it `async`, or else it runs in a thread.

        Args:
            query: Plain words, no search language.
            limit: At most so many findings, the best first.

        Raises:
            SourceError: What is searched did not answer as it should.
        """
        ...
