"""What a call, a node run or a run used up: tokens and money, added exactly."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["NOTHING_USED", "NO_AMOUNT", "Amount", "Bill", "Usage"]

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Usage:
    """
    Tokens and money. Adding two gives the sum; the empty sum is `Usage()`.

    Example:
        >>> total = Usage(10, 5, Decimal("0.002")) + Usage(1, 1, Decimal("0.001"))
        >>> total.total_tokens, total.cost_usd
        (17, Decimal('0.003'))
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = _ZERO
    estimated: bool = False
    """True where a part was billed at its worst case because the service sent no usage."""
    calls: int = 0
    """Exchanges with a provider, failed ones too."""
    cached_tokens: int = 0
    """Of the input tokens, those that the service read from its cache."""
    reasoning_tokens: int = 0
    """Of the output tokens, those that went into reasoning, where the service says."""

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def parts(self) -> dict[str, int]:
        """
        Those counts that are a part of others, where they are not 0.

        Example:
            >>> Usage(900, 40, cached_tokens=800).parts
            {'cached_tokens': 800}
        """
        found = {"cached_tokens": self.cached_tokens, "reasoning_tokens": self.reasoning_tokens}
        return {name: count for name, count in found.items() if count}

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
    Money and tokens that something may use up; false if it is nothing.

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


NO_AMOUNT = Amount()


@dataclass(frozen=True, slots=True)
class Bill:
    """What one exchange used up, and with whom."""

    service: str
    """The provider's name."""
    model: str
    """As asked for."""
    attempt: int
    """Which of the node run's attempts made it, from 1."""
    usage: Usage
