"""Remove terminal escape sequences and control characters from untrusted text."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["clean", "escape_controls", "one_line"]

_SEQUENCES: Final = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: title, link, clipboard; up to its terminator
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # device control strings
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[ -/]*[0-~]"  # other escapes
)
# Every control character except newline and tab, and the characters that change text direction.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SPACE: Final = re.compile(r"\s+")


def clean(text: str) -> str:
    r"""
    Remove everything that a terminal would interpret instead of showing.

    `\r\n` becomes `\n`.

    Example:
        >>> clean("\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07line\r\nnext\ttab")
        'red line\nnext\ttab'
    """
    text = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    return _CONTROLS.sub("", text)


def escape_controls(json_text: str) -> str:
    r"""
    Escape the control characters that JSON permits in its strings; the JSON means the same.

    Example:
        >>> escape_controls('{"a": "\x9b31m\u202e"}')
        '{"a": "\\u009b31m\\u202e"}'
    """
    return _CONTROLS.sub(
        lambda found: found[0] if found[0] < " " else f"\\u{ord(found[0]):04x}", json_text
    )


def one_line(text: str) -> str:
    r"""
    Clean a text and join its lines.

    Example:
        >>> one_line("  two\n lines ")
        'two lines'
    """
    return _SPACE.sub(" ", clean(text)).strip()
