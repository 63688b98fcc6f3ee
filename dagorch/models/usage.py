"""Tokens and money that a call, a node run or a run used, added without rounding."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

__all__ = ["NOTHING_USED", "NO_AMOUNT", "Amount", "Bill", "Usage"]

_ZERO = Decimal(0)
_COUNTS: Final = frozenset(
    {"input_tokens", "output_tokens", "total_tokens", "prompt_tokens", "completion_tokens",
     "cached_tokens", "reasoning_tokens"}
)  # fmt: skip
"""What can be read as from a dict."""


@dataclass(frozen=True, slots=True)
class Usage:
    """
    Tokens and dollars; `+` adds two, and `Usage()` is zero.

    The counts can also be read as from a dict of OpenAI's API, with its names.

    Example:
        >>> total = Usage(10, 5, Decimal("0.002")) + Usage(1, 1, Decimal("0.001"))
        >>> total.total_tokens, total.cost_usd
        (17, Decimal('0.003'))
        >>> total["prompt_tokens"], total.get("audio_tokens", 0)
        (11, 0)
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = _ZERO
    estimated: bool = False
    """True if any part is billed at its worst case, because the service reported no usage."""
    calls: int = 0
    """Exchanges with a provider, including failed ones."""
    cached_tokens: int = 0
    """The input tokens that the service read from its cache."""
    reasoning_tokens: int = 0
    """The output tokens spent on reasoning, if the service reports them."""

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def prompt_tokens(self) -> int:
        """The input tokens, under the name of OpenAI's API."""
        return self.input_tokens

    @property
    def completion_tokens(self) -> int:
        """The output tokens, under the name of OpenAI's API."""
        return self.output_tokens

    def __contains__(self, name: object) -> bool:
        return name in _COUNTS

    def __getitem__(self, name: str) -> int:
        if name in _COUNTS:
            return int(getattr(self, name))
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a count by its name, or the default if there is no such count."""
        return getattr(self, name) if name in _COUNTS else default

    @property
    def parts(self) -> dict[str, int]:
        """
        The counts that are part of the input or output tokens, without zeros.

        Example:
            >>> Usage(900, 40, cached_tokens=800).parts
            {'cached_tokens': 800}
        """
        counts = {"cached_tokens": self.cached_tokens, "reasoning_tokens": self.reasoning_tokens}
        return {name: count for name, count in counts.items() if count}

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
            self.estimated or other.estimated,
            self.calls + other.calls,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


NOTHING_USED = Usage()


@dataclass(frozen=True, slots=True)
class Amount:
    """
    Dollars and tokens to reserve or to spend; false if both are 0.

    Example:
        >>> Amount(Decimal("0.50"), 900) - Amount(Decimal("0.10"))
        Amount(cost_usd=Decimal('0.40'), tokens=900)
    """

    cost_usd: Decimal = _ZERO
    tokens: int = 0

    def __bool__(self) -> bool:
        return bool(self.cost_usd or self.tokens)

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cost_usd + other.cost_usd, self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.cost_usd - other.cost_usd, self.tokens - other.tokens)

    def __mul__(self, times: int) -> Amount:
        return Amount(self.cost_usd * times, self.tokens * times)

    def beyond(self, other: Amount) -> Amount:
        """Return by how much each part exceeds the other's; 0 if it does not."""
        return Amount(
            max(self.cost_usd - other.cost_usd, _ZERO), max(self.tokens - other.tokens, 0)
        )

    def most(self, other: Amount) -> Amount:
        """Return the larger of each part."""
        return self + other.beyond(self)


NO_AMOUNT = Amount()


@dataclass(frozen=True, slots=True)
class Bill:
    """The usage of one exchange, and the service and model that it is owed to."""

    service: str
    """The provider's name."""
    model: str
    """As requested."""
    attempt: int
    """The attempt of the node run that made the exchange, from 1."""
    usage: Usage
