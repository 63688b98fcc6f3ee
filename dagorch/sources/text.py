"""Text from services cleaned up: control codes, blanks, search words and dates."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from dagorch.models.clean import clean

__all__ = ["iso_date", "keywords", "tidy"]

MAX_WORDS: Final = 24
"""Search words of one query; services refuse longer ones."""
_MAX_WORD_CHARACTERS: Final = 60
_INVISIBLE: Final = re.compile("[\u200b\ufeff\ud800-\udfff]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STOP_WORDS: Final = _words(
    "a about an and any are as at be because been being but by can could did do does doing "
    "explain for from had has have how i if in into is it its me of on or our should so some "
    "tell than that the their them then there these they this those to us was we were what "
    "when where which who whom whose why will with would you your"
)


def tidy(text: str, max_characters: int = 20_000) -> str:
    r"""
    Remove control codes and invisible characters, collapse blanks, and cut the text.

    Example:
        >>> tidy(" \x1b[31mred\x1b[0m\t\tand\x07 blue\n\n\n\nnext ")
        'red and blue\n\nnext'
    """
    text = _INVISIBLE.sub("", clean(text[: 4 * max_characters]))
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()[:max_characters].rstrip()


def keywords(query: str) -> list[str]:
    """
    Return the words of a question that are worth searching for, each once, in lower case.

    The operators of search languages are removed. A question that consists of stop words only
    keeps them.

    Example:
        >>> keywords("How do bees (Apis mellifera) find their way home?")
        ['bees', 'apis', 'mellifera', 'find', 'way', 'home']
        >>> keywords("To be, or not?"), keywords("?!")
        (['not'], [])
    """
    words = [word.strip("_") for word in re.findall(r"\w+", query.casefold())]
    words = [word[:_MAX_WORD_CHARACTERS] for word in words if word]
    useful = [
        word for word in words if word not in _STOP_WORDS and (len(word) > 1 or not word.isascii())
    ]
    return list(dict.fromkeys(useful or words))[:MAX_WORDS]


def iso_date(value: str) -> str:
    """
    Return the day of a date in any format that services use, or an empty string.

    Example:
        >>> iso_date("Tue, 10 Jun 2003 04:00:00 GMT"), iso_date("2017-06-12T17:57:34Z")
        ('2003-06-10', '2017-06-12')
        >>> iso_date("20240131T081500Z"), iso_date("yesterday")
        ('2024-01-31', '')
    """
    value = value.strip()
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(value)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date().isoformat()
    return ""
