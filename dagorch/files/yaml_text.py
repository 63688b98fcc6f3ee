"""Readable YAML for plain data: long text in blocks, and quotes only when they are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from dagorch.files.syntax import plain_scalar
from dagorch.files.tree import Malformed, Position

__all__ = ["yaml_text"]

_WIDTH: Final = 100
_MAX_INLINE_WIDTH: Final = 60
_UNUSUAL: Final = re.compile(
    "[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""Characters that YAML treats as line ends, or that are invisible."""


def yaml_text(data: Any) -> str:
    r"""
    Return plain data as YAML that this reader, and any YAML 1.1 or 1.2 reader, reads back.

    Example:
        >>> print(yaml_text({"prompt": "One\nTwo", "n": 1, "say": "no", "of": ["a", "b"]}), end="")
        prompt: |-
          One
          Two
        n: 1
        say: "no"
        of: [a, b]
    """
    import yaml

    text: str = yaml.emit(_document(data), width=_WIDTH, allow_unicode=True)
    return text


def _document(data: Any) -> Iterator[Any]:
    from yaml import events

    yield events.StreamStartEvent()
    yield events.DocumentStartEvent(explicit=False)
    yield from _events(data)
    yield events.DocumentEndEvent(explicit=False)
    yield events.StreamEndEvent()


def _events(data: Any) -> Iterator[Any]:
    from yaml import events

    if isinstance(data, dict):
        yield events.MappingStartEvent(None, None, True, flow_style=not data)
        for key, value in data.items():
            yield _text(key)
            yield from _events(value)
        yield events.MappingEndEvent()
    elif isinstance(data, list):
        yield events.SequenceStartEvent(None, None, True, flow_style=_fits_a_line(data))
        for item in data:
            yield from _events(item)
        yield events.SequenceEndEvent()
    elif isinstance(data, str):
        yield _text(data)
    else:
        words = {None: "null", True: "true", False: "false"}
        is_word = data is None or isinstance(data, bool)
        yield events.ScalarEvent(None, None, (True, False), words[data] if is_word else repr(data))


def _text(text: str) -> Any:
    from yaml import events

    style: str | None = None
    if _UNUSUAL.search(text):
        style = '"'
    elif "\n" in text and not text.startswith((" ", "\n")):
        style = "|"
    elif not _is_plain(text):
        style = '"'
    return events.ScalarEvent(None, None, (style is None, True), text, style=style)


def _is_plain(text: str) -> bool:
    """Whether this reader, and others, read the unquoted text as text."""
    import yaml

    try:
        ours = plain_scalar(text, Position(1, 1))
    except Malformed:
        return False
    loader: Any = yaml.SafeLoader("")
    theirs = loader.resolve(yaml.ScalarNode, text, (True, False))
    return isinstance(ours, str) and str(theirs).endswith(":str")


def _fits_a_line(items: list[Any]) -> bool:
    """Whether a list is short and flat enough for one line."""
    flat = not any(isinstance(item, dict | list) for item in items)
    return flat and sum(len(str(item)) + 2 for item in items) <= _MAX_INLINE_WIDTH
