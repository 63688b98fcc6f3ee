"""
The budget: money reserved before it is spent, so that a ceiling holds.

It decides nothing but whether a sum fits.
"""

from __future__ import annotations

from decimal import Decimal

__all__ = ["Budget"]

_ZERO = Decimal(0)


class Budget:
    """
    What a run has spent, what is reserved for work under way, and the ceiling over both.

    Example:
        >>> budget = Budget(Decimal("1.00"))
        >>> budget.reserve(Decimal("0.70")), budget.reserve(Decimal("0.70"))
        (True, False)
        >>> budget.settle(Decimal("0.70"), Decimal("0.10"))
        >>> budget.reserve(Decimal("0.70"))
        True
    """

    __slots__ = ("ceiling", "reserved", "spent")

    def __init__(self, ceiling: Decimal | None = None) -> None:
        self.ceiling = ceiling
        """Dollars; None is no ceiling."""
        self.reserved = _ZERO
        self.spent = _ZERO

    def fits(self, worst_case: Decimal) -> bool:
        """Whether a sum fits under the ceiling with what is spent and reserved."""
        return self.ceiling is None or self.spent + self.reserved + worst_case <= self.ceiling

    def reserve(self, worst_case: Decimal) -> bool:
        """Set money aside if it fits."""
        if not self.fits(worst_case):
            return False
        self.reserved += worst_case
        return True

    def never_fits(self, worst_case: Decimal) -> bool:
        """Whether the sum would not fit even if everything reserved came back."""
        return self.ceiling is not None and self.spent + worst_case > self.ceiling

    def settle(self, reserved: Decimal, actual: Decimal) -> None:
        """Give back what was set aside and book what was really spent."""
        self.reserved -= reserved
        self.spent += actual
