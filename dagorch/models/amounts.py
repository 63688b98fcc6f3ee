"""Format durations and dollar amounts for people."""

from __future__ import annotations

import math
from decimal import Decimal

from dagorch.errors import DefinitionError

__all__ = ["format_cost", "format_duration"]


def format_duration(seconds: float) -> str:
    """
    Format a duration with about three significant digits.

    Args:
        seconds: Finite and at least 0.

    Raises:
        DefinitionError: `seconds` is infinite or not a number.

    Example:
        >>> [format_duration(value) for value in (0.0042, 3.14159, 75, 7300)]
        ['4 ms', '3.1 s', '1 min 15 s', '2 h 1 min']
    """
    if not math.isfinite(seconds):
        raise DefinitionError(f"seconds={seconds!r} must be a finite number")
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def format_cost(usd: Decimal | float) -> str:
    """
    Format an amount of dollars; a small amount keeps two significant digits.

    Raises:
        DefinitionError: `usd` is infinite or not a number.

    Example:
        >>> [format_cost(value) for value in (Decimal("1.5"), Decimal("0.000123"), 0)]
        ['$1.50', '$0.00012', '$0.00']
    """
    value = Decimal(str(usd))
    if not value.is_finite():
        raise DefinitionError(f"usd={usd!r} must be a finite number of dollars")
    if not value or value >= Decimal("0.1"):
        return f"${value:,.2f}"
    places = 1 - value.adjusted()
    return f"${value:.{min(places, 8)}f}"
