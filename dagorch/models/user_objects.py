"""Safe reads of user objects, whose methods may raise any error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from dagorch.errors import RunError
from dagorch.models.truncate import truncate

__all__ = ["error_flag", "error_text", "is_mock", "passes", "short_repr", "with_class"]


def error_text(error: BaseException) -> str:
    """
    Return the message of an error.

    Example:
        >>> error_text(ValueError("no such place"))
        'no such place'
    """
    try:
        return str.__str__(str(error))  # exactly a str: __str__ may return a subclass
    except Exception as failure:
        return f"<its message is unknown: __str__ raised {type(failure).__name__}>"


def error_flag(error: BaseException, name: str, *, default: bool) -> bool:
    """
    Return whether an attribute of an error is true, or `default` if it cannot be read.

    Example:
        >>> error_flag(ValueError(), "retryable", default=True)
        True
    """
    try:
        return bool(getattr(error, name, default))
    except Exception:  # a property or a __bool__ of the user's; the error itself is reported
        return default


def passes(check: Callable[[Any], bool] | None, value: Any) -> bool:
    """
    Return whether a value passes a check. False if the check raises, True without a check.

    Example:
        >>> passes(str.isdigit, "12"), passes(str.isdigit, 12), passes(None, 12)
        (True, False, True)
    """
    try:
        return check is None or check(value)
    except Exception:  # the caller reports the value as wrong
        return False


def is_mock(value: object) -> bool:
    """Return whether a value is a mock; there is none until `unittest.mock` is imported."""
    mock = sys.modules.get("unittest.mock")
    return mock is not None and isinstance(value, mock.NonCallableMock)


def with_class(error: Exception) -> Exception:
    """
    Return the error, or a `RunError` around it if its `__class__` raises in `isinstance`.

    Example:
        >>> with_class(ValueError("no such place"))
        ValueError('no such place')
    """
    try:
        isinstance(error, RunError)
    except Exception:
        name = type(error).__name__
        wrapped = RunError(f"{name}: {error_text(error)} (its __class__ cannot be read)")
        wrapped.__cause__ = error
        return wrapped
    return error


def short_repr(value: Any, limit: int) -> str:
    """
    Return the `repr` of a value, at most `limit` characters long.

    Example:
        >>> short_repr("bees navigate by the sun", 16)
        "'bees navigate…"
    """
    try:
        return truncate(str.__str__(repr(value)), limit)
    except Exception as failure:
        return f"<its repr is unknown: __repr__ raised {type(failure).__name__}>"
