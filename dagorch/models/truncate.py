"""
Shorten text to a number of characters; a cut shows as `…`.

Text measured in terminal cells is cut in `exporters/pictures/text_width.py`: some characters
take two cells.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "truncate",
    "truncate_at_sentence",
    "truncate_line",
    "truncate_middle",
    "truncate_with_count",
]

_SENTENCE_END: Final = re.compile(r"[.!?](?=\s)|[。！？]")
_MIN_KEPT: Final = 0.6
"""The share of the limit that a cut at a sentence or a word must keep."""


def truncate(text: str, limit: int) -> str:
    """
    Cut the end of a text that is longer than `limit` characters.

    Example:
        >>> truncate("bees navigate by the sun", 16)
        'bees navigate b…'
    """
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def truncate_line(text: str, limit: int) -> str:
    r"""
    Keep the first line of a text, and at most `limit` characters of it.

    Example:
        >>> truncate_line("ValueError: no such place\nat all", 20)
        'ValueError: no such…'
        >>> truncate_line("two\nlines", 20)
        'two…'
    """
    line = text.partition("\n")[0].rstrip()
    return text if text == line and len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def truncate_middle(text: str, limit: int = 32) -> str:
    """
    Cut the middle of a text: ids differ least there.

    The default is what the box of a node in a picture holds.

    Example:
        >>> truncate_middle("a_rather_long_name_of_a_node_run_7", 20)
        'a_rather_…ode_run_7'
    """
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def truncate_with_count(text: str, limit: int) -> str:
    """
    Keep the first `limit` characters, and say how many are missing.

    Example:
        >>> truncate_with_count("bees navigate by the sun", 13)
        'bees navigate… (11 more characters)'
    """
    missing = len(text) - limit
    return text if missing <= 0 else f"{text[:limit]}… ({missing:,} more characters)"


def truncate_at_sentence(text: str, limit: int, *, in_bytes: bool = False) -> str:
    """
    Cut a text at the end of a sentence or of a word, if there is one close to the limit.

    A text that ends with a whole sentence gets no `…`.

    Args:
        text: White space around it is dropped.
        limit: Characters, or UTF-8 bytes. Bytes bound the tokens of any script.
        in_bytes: Whether `limit` counts bytes.

    Example:
        >>> truncate_at_sentence("Bees see. Bees smell. Bees dance.", 24)
        'Bees see. Bees smell.'
        >>> truncate_at_sentence("Bees navigate by the sun", 16)
        'Bees navigate…'
    """
    text = text.strip()
    length = len(text.encode()) if in_bytes else len(text)
    if length <= limit:
        return text
    head = text.encode()[:limit].decode(errors="ignore") if in_bytes else text[:limit]
    shortest = len(head) * _MIN_KEPT
    ends = [match.end() for match in _SENTENCE_END.finditer(head + " ")]
    if ends and ends[-1] >= shortest:
        return head[: ends[-1]].strip()
    blank = head.rfind(" ")
    return (head[:blank] if blank >= shortest else head).rstrip(" ,;:") + "…"
