"""Text without lone surrogates, which are half a character and cannot be sent or written."""

from __future__ import annotations

from typing import Final

__all__ = ["HALF_A_CHARACTER", "is_well_formed", "well_formed"]

HALF_A_CHARACTER: Final = (
    "has half a character (a lone surrogate), which cannot be sent; decode its bytes with "
    "errors='replace'"
)
"""The message for a text that is not well formed."""


def is_well_formed(text: str) -> bool:
    """Return whether a text can be encoded."""
    if str.isascii(text):
        return True
    try:
        str.encode(text)
    except UnicodeEncodeError:
        return False
    return True


def well_formed(text: str) -> str:
    r"""
    Return a text with U+FFFD for each lone surrogate; two halves of one character are joined.

    Example:
        >>> well_formed("caf\udce9"), well_formed("\ud83d" + "\udc1d") == "\U0001f41d"
        ('caf\ufffd', True)
    """
    if is_well_formed(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
