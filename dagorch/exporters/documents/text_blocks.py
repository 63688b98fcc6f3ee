"""Plain text as spans and blocks: unsafe characters removed, addresses turned into links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from dagorch.exporters.documents.blocks import Heading, Paragraph, Span, Spans, Table
from dagorch.models.clean import clean

__all__ = [
    "autolinked", "heading", "paragraph", "safe_link", "safe_text", "table", "text_spans",
]  # fmt: skip

_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'`\\)\]}]+")
_SAFE_LINK: Final = re.compile(r"(?:https?://|mailto:)[^\s<>\"'`\\\x00-\x20]+", re.IGNORECASE)
_NOT_CHARACTERS: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")


def safe_text(text: str) -> str:
    """Remove control characters, and replace what no format can hold."""
    return _NOT_CHARACTERS.sub("\ufffd", clean(text))


def safe_link(address: str) -> str:
    """
    Return an address if a reader may follow it, else an empty string.

    Example:
        >>> safe_link("https://e.org/a"), safe_link("javascript:alert(1)")
        ('https://e.org/a', '')
    """
    address = safe_text(address).strip()
    return address if _SAFE_LINK.fullmatch(address) else ""


def autolinked(span: Span) -> Iterator[Span]:
    """Split a span at the addresses in its text, and turn these into links."""
    end = 0
    for match in _ADDRESS.finditer(span.text):
        address = match[0].rstrip(".,;:!?*_")
        if match.start() > end:
            yield replace(span, text=span.text[end : match.start()])
        yield replace(span, text=address, link=address)
        end = match.start() + len(address)
    if end < len(span.text):
        yield replace(span, text=span.text[end:])


def text_spans(text: str, *, bold: bool = False) -> Spans:
    """Turn one paragraph of plain text into spans."""
    return tuple(autolinked(Span(safe_text(text), bold)))


def heading(level: int, text: str) -> Heading:
    """Make a heading of plain text."""
    return Heading(level, text_spans(text))


def paragraph(text: str) -> Paragraph:
    """Make a paragraph of plain text."""
    return Paragraph(text_spans(text))


def table(
    header: Iterable[str],
    rows: Iterable[Iterable[str | Spans]],
    right_aligned: Iterable[int] = (),
    row_ids: Iterable[str] = (),
    *,
    compact: bool = False,
) -> Table:
    """Make a table whose cells are plain text or spans."""
    return Table(
        tuple(map(text_spans, header)),
        tuple(
            tuple(text_spans(cell) if isinstance(cell, str) else cell for cell in row)
            for row in rows
        ),
        tuple(right_aligned),
        tuple(row_ids),
        compact,
    )
