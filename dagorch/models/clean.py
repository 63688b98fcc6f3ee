"""Text from outside made harmless for a terminal: no escape sequences, no control codes."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["clean", "one_line"]

_SEQUENCES: Final = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # a title, a link, the clipboard: up to its end
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # strings for the device
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, the cursor
    r"|\x1b[ -/]*[0-~]"  # single escapes
)
# All control characters but newline and tab; and those that turn the direction of text around.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SPACE: Final = re.compile(r"\s+")


def clean(text: str) -> str:
    r"""
    Take out whatever a terminal would obey rather than show; line ends become newlines.

    Example:
        >>> clean("\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07line\r\nnext\ttab")
        'red line\nnext\ttab'
    """
    text = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    return _CONTROLS.sub("", text)


def one_line(text: str) -> str:
    r"""
    Clean a text and put it on one line.

    Example:
        >>> one_line("  two\n lines ")
        'two lines'
    """
    return _SPACE.sub(" ", clean(text)).strip()
