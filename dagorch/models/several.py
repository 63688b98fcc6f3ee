"""Options that take several values: one alone may be passed without a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from dagorch.errors import DefinitionError

__all__ = ["listed", "several"]


def several(value: Any, option: str, one: Any = str, *, ordered: bool = False) -> tuple[Any, ...]:
    """
    Return the values of an option that takes several, as a tuple.

    A text is one value, not the sequence of its letters.

    Args:
        value: One value, or an iterable of values.
        option: The option, for the message: `LLM node 'x': stop`.
        one: The type, or the types, of one value, as `isinstance` takes them.
        ordered: The order of the values matters, so a set of two or more is refused.

    Raises:
        DefinitionError: The value is neither, or has no order.

    Example:
        >>> several("END", "stop"), several(["END", "STOP"], "stop")
        (('END',), ('END', 'STOP'))
    """
    if isinstance(value, one):
        return (value,)
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise DefinitionError(f"{option}={value!r:.60} must be one value or a list of values")
    if ordered and isinstance(value, Set) and len(value) > 1:
        raise DefinitionError(f"{option}={value!r:.60} is a set, which has no order; pass a list")
    return tuple(value)


def listed(value: Any) -> Any:
    """Return a text as a list of that text; return any other value unchanged, unchecked."""
    return [value] if isinstance(value, str) else value
