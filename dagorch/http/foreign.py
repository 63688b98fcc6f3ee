"""Numbers and JSON that other programs sent: bounded in size and depth, or not believed."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from numbers import Real
from typing import Any, Final

from pydantic_core import from_json

__all__ = ["bounded_number", "parse_json", "token_count"]

_MAX_NUMBER: Final = 1_000_000_000
"""Of dollars, and of tokens: a thousand times the largest context window."""
_MAX_DEPTH: Final = 200
"""As pydantic's parser has it."""


def token_count(value: Any) -> int:
    """
    Return a received number of tokens; None is 0.

    Raises:
        ValueError: It is no number, or one that cannot be true.

    Example:
        >>> token_count(12), token_count(12.0), token_count(None)
        (12, 12, 0)
        >>> token_count(-1)
        Traceback (most recent call last):
            ...
        ValueError: not a number of tokens: -1
    """
    if value is None:
        return 0
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= _MAX_NUMBER or value != int(value):
        raise ValueError(f"not a number of tokens: {value!r:.40}")
    return int(value)


def bounded_number(value: Any) -> Decimal | None:
    """
    Return a received number of dollars, tokens or seconds; None if it cannot be one.

    Example:
        >>> bounded_number(0.25), bounded_number("0.25"), bounded_number(-1)
        (Decimal('0.25'), Decimal('0.25'), None)
        >>> bounded_number(float("nan")), bounded_number("1e999999")
        (None, None)
    """
    if not isinstance(value, Real | Decimal | str) or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number <= _MAX_NUMBER else None


def parse_json(text: str | bytes) -> Any:
    """
    Parse JSON with the fastest parser available, as each reply has hundreds of small pieces.

    Raises:
        RecursionError, ValueError: It is not JSON, or nested more than 200 levels deep.
    """
    try:
        return from_json(text)
    except ValueError:
        # It accepts what a stream may send: control characters, and half a surrogate pair, where
        # an emoji was split.
        value = json.loads(text, strict=False)
        _check_depth(value)
        return value


def _check_depth(value: Any) -> None:
    """Raise ValueError for a value that later steps, which recurse, could not handle."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            part
            for outer in level
            if isinstance(outer, dict | list)
            for part in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise ValueError(f"nested more than {_MAX_DEPTH} levels deep")
