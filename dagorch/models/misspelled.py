"""
Finds a misspelled model name before a call is paid for or refused.

Only letters inside a word count. Other digits and suffixes are versions that the price list may
not have yet, such as `grok-3-mini-2` or `gpt-4o-2024-11-20`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["intended_name"]

_WORDS = re.compile(r"[A-Za-z]+|[^A-Za-z]+")
_MIN_LETTERS = 3
"""Shorter words are versions, as the `o` of `gpt-4o` is."""


def intended_name(name: str, known: Iterable[str]) -> str | None:
    """
    Return the known name from which one letter was inserted, dropped or swapped, or None.

    Example:
        >>> intended_name("grokk-3", ["grok-3", "grok-3-mini"])
        'grok-3'
        >>> intended_name("grok-4", ["grok-3"]), intended_name("gpt-5o", ["gpt-5"])
        (None, None)
    """
    names = set(known)
    if name in names:
        return None
    words = _WORDS.findall(name)
    return next((other for other in sorted(names) if _is_slip(words, _WORDS.findall(other))), None)


def _is_slip(words: list[str], known: list[str]) -> bool:
    if len(words) != len(known):
        return False
    pairs = [(word, other) for word, other in zip(words, known, strict=True) if word != other]
    if len(pairs) != 1:
        return False
    word, other = pairs[0]
    are_letters = word.isalpha() and other.isalpha()
    return are_letters and len(other) >= _MIN_LETTERS and _one_edit(word, other)


def _one_edit(word: str, other: str) -> bool:
    """Return whether one letter was inserted, dropped or replaced, or two neighbours swapped."""
    start = 0
    while start < min(len(word), len(other)) and word[start] == other[start]:
        start += 1
    rest, other_rest = word[start:], other[start:]
    if len(word) == len(other):
        swapped = rest[:2] == other_rest[1::-1] and rest[2:] == other_rest[2:]
        return swapped or rest[1:] == other_rest[1:]
    return rest[1:] == other_rest or rest == other_rest[1:]
