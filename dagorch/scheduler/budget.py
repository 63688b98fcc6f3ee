"""
The budget: money and tokens are reserved before they are spent, so that a ceiling holds.

It only answers whether an amount fits; `dispatcher.py` decides what follows.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from dagorch.models.usage import NO_AMOUNT, Amount, Usage

__all__ = ["LEAST_COST", "Budget"]

LEAST_COST: Final = Decimal("1e-9")
"""
Reserved for a call whose cost is known only when it has ended.

It starts while less than the ceiling is spent.
"""


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

    __slots__ = ("holders", "max_cost", "max_tokens", "reserved", "set_aside", "spent")

    def __init__(self, max_cost: Decimal | None = None, max_tokens: int | None = None) -> None:
        self.max_cost = max_cost
        self.max_tokens = max_tokens
        self.reserved = NO_AMOUNT
        """For what is under way; some of it may come back."""
        self.holders = 0
        """How many attempts and calls that is."""
        self.set_aside = NO_AMOUNT
        """For node runs with `reserve` that are not under way: no others may use it."""
        self.spent = NO_AMOUNT

    def _is_below_ceilings(self, amount: Amount) -> bool:
        return (self.max_cost is None or amount.cost_usd <= self.max_cost) and (
            self.max_tokens is None or amount.tokens <= self.max_tokens
        )

    @property
    def is_kept(self) -> bool:
        """Whether all that is spent and kept is within the ceilings, as it always must be."""
        return self._is_below_ceilings(self.spent + self.reserved + self.set_aside)

    def fits(self, worst: Amount, own: Amount = NO_AMOUNT, times: int = 1) -> bool:
        """
        Return whether an amount fits beside what is spent, reserved and set aside.

        Args:
            worst: The amount; nothing always fits.
            own: What is set aside for it.
            times: How many of it must fit; `own` counts for each.
        """
        excess = worst.beyond(own) * times
        return not worst or self._is_below_ceilings(
            self.spent + self.reserved + self.set_aside + excess
        )

    def reserve(self, worst: Amount, own: Amount = NO_AMOUNT) -> bool:
        """Reserve an amount if it fits; it replaces what is set aside for it."""
        if not self.fits(worst, own):
            return False
        self.reserved += worst
        self.set_aside -= own
        self.holders += bool(worst)
        return True

    def give_back(self, worst: Amount, own: Amount = NO_AMOUNT) -> None:
        """Undo a reservation that was not used."""
        self.reserved -= worst
        self.set_aside += own
        self.holders -= bool(worst)

    def never_fits(self, worst: Amount, own: Amount = NO_AMOUNT) -> bool:
        """Return whether the amount would not fit even if all that is reserved came back."""
        return not self._is_below_ceilings(self.spent + self.set_aside + worst.beyond(own))

    def settle(self, reserved: Amount, usage: Usage) -> None:
        """Replace a reservation by what was really spent."""
        self.reserved -= reserved
        self.holders -= bool(reserved)
        self.spent += Amount(usage.cost_usd, usage.total_tokens)

    def explain(self, worst: Amount, own: Amount = NO_AMOUNT) -> str:
        """Return why an amount does not fit, and what to do."""
        others = self.set_aside - own
        if self.max_cost is not None and worst.cost_usd == LEAST_COST:
            return (
                f"costs money, but max_cost=${self.max_cost} is used up: ${self.spent.cost_usd} "
                "are spent; raise max_cost"
            )
        cost = self.spent.cost_usd + others.cost_usd + worst.cost_usd
        if self.max_cost is not None and cost > self.max_cost:
            aside = f" and ${others.cost_usd} set aside" if others.cost_usd else ""
            return (
                f"could cost up to ${worst.cost_usd}, but of max_cost=${self.max_cost} "
                f"${self.spent.cost_usd} are spent{aside}; raise max_cost or lower the node's "
                "max_tokens"
            )
        aside = f" and {others.tokens:,} set aside" if others.tokens else ""
        return (
            f"could use up to {worst.tokens:,} tokens, but of the run's max_tokens="
            f"{self.max_tokens:,} {self.spent.tokens:,} are used{aside}; raise it or lower the "
            "node's max_tokens"
        )
