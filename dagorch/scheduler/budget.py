"""
The budget: money and tokens are reserved before they are spent, so that a ceiling holds.

It only answers whether an amount fits; `dispatcher.py` decides what follows.
"""

from __future__ import annotations

from decimal import Decimal

from dagorch.models.usage import NO_AMOUNT, Amount, Usage

__all__ = ["Budget"]


class Budget:
    """
    What a run has spent, what is reserved for running work, and the ceilings over both.

    Args:
        max_cost: Dollars; None means no ceiling.
        max_tokens: Tokens of input and output together; None means no ceiling.

    Example:
        >>> budget = Budget(Decimal("1.00"))
        >>> worst = Amount(Decimal("0.70"))
        >>> budget.reserve(worst), budget.reserve(worst)
        (True, False)
        >>> budget.settle(worst, Usage(cost_usd=Decimal("0.10")))
        >>> budget.reserve(worst)
        True
    """

    __slots__ = ("max_cost", "max_tokens", "reserved", "spent")

    def __init__(self, max_cost: Decimal | None = None, max_tokens: int | None = None) -> None:
        self.max_cost = max_cost
        self.max_tokens = max_tokens
        self.reserved = NO_AMOUNT
        self.spent = NO_AMOUNT

    def _is_below_ceilings(self, amount: Amount) -> bool:
        return (self.max_cost is None or amount.cost_usd <= self.max_cost) and (
            self.max_tokens is None or amount.tokens <= self.max_tokens
        )

    @property
    def is_kept(self) -> bool:
        """Whether spent plus reserved is within the ceilings, as it always must be."""
        return self._is_below_ceilings(self.spent + self.reserved)

    def fits(self, worst: Amount) -> bool:
        """Return whether an amount fits beside what is spent and reserved."""
        return self._is_below_ceilings(self.spent + self.reserved + worst)

    def reserve(self, worst: Amount) -> bool:
        """Reserve an amount if it fits."""
        if not self.fits(worst):
            return False
        self.reserved += worst
        return True

    def never_fits(self, worst: Amount) -> bool:
        """Return whether the amount would not fit even if all that is reserved came back."""
        return not self._is_below_ceilings(self.spent + worst)

    def settle(self, reserved: Amount, usage: Usage) -> None:
        """Replace a reservation by what was really spent."""
        self.reserved -= reserved
        self.spent += Amount(usage.cost_usd, usage.total_tokens)

    def explain(self, worst: Amount) -> str:
        """Return why an amount does not fit, and what to do."""
        if self.max_cost is not None and self.spent.cost_usd + worst.cost_usd > self.max_cost:
            return (
                f"could cost up to ${worst.cost_usd}, but of max_cost=${self.max_cost} "
                f"${self.spent.cost_usd} are spent; raise max_cost or lower the node's max_tokens"
            )
        return (
            f"could use up to {worst.tokens:,} tokens, but of the run's max_tokens="
            f"{self.max_tokens:,} {self.spent.tokens:,} are used; raise it or lower the node's "
            "max_tokens"
        )
