"""Checks of numbers that users pass as options: counts and durations."""

from __future__ import annotations

import math
from numbers import Real

__all__ = ["count_problem", "seconds_problem", "temperature_problem"]


def count_problem(name: str, value: object, least: int = 1) -> str | None:
    """
    Return what is wrong with a count, or None.

    Example:
        >>> count_problem("attempts", "3")
        "attempts='3' must be a whole number of at least 1"
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return None
    return f"{name}={value!r:.60} must be a whole number of at least {least}"


def seconds_problem(name: str, value: object, *, zero: bool = False) -> str | None:
    """
    Return what is wrong with a duration, or None.

    Args:
        name: The option.
        value: Any object; None is a duration that is not limited.
        zero: Whether 0 is allowed.

    Example:
        >>> seconds_problem("timeout_seconds", 0)
        'timeout_seconds=0 must be a number of seconds above 0; leave it out for no limit'
    """
    if value is None:
        return None
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and (number > 0 or (zero and number == 0)):
            return None
    wanted = "of at least 0" if zero else "above 0; leave it out for no limit"
    return f"{name}={value!r:.60} must be a number of seconds {wanted}"


def temperature_problem(value: object) -> str | None:
    """
    Return what is wrong with a temperature, or None; None is the service's own.

    Example:
        >>> temperature_problem("low")
        "temperature='low' must be a number of at least 0"
    """
    if value is None or (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
    ):
        return None
    return f"temperature={value!r:.60} must be a number of at least 0"
