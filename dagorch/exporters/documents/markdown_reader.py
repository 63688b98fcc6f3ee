"""
Parses Markdown into blocks, for all formats alike.

The text of a model comes out as plain text in known blocks: without HTML, control characters or
unsafe addresses. An image becomes a link to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from dagorch.exporters.documents.blocks import (
    Block,
    Code,
    Heading,
    Items,
    Paragraph,
    Quote,
    Rule,
    Span,
    Spans,
    Table,
)
from dagorch.exporters.documents.text_blocks import autolinked, safe_link, safe_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

__all__ = ["MAX_LENGTH", "read_markdown"]

MAX_LENGTH: Final = 100_000
"""Characters read of one text; about thirty pages."""
_MAX_ROWS: Final = 1_000
_MAX_COLUMNS: Final = 20
"""Limits of a table, so that it fits a page and a document."""


def read_markdown(text: str, max_length: int = MAX_LENGTH) -> tuple[Block, ...]:
    r"""
    Parse a text that a model wrote.

    Args:
        text: CommonMark with tables and strikethrough; any other text works too.
        max_length: Characters to read. If the text is longer, the last block says so.

    Example:
        >>> heading, paragraph = read_markdown("# Bees\n<b>They</b> *dance*")
        >>> heading.level, [(span.text, span.italic) for span in paragraph.spans]
        (1, [('<b>They</b> ', False), ('dance', True)])
    """
    from markdown_it.tree import SyntaxTreeNode

    root = SyntaxTreeNode(_parser().parse(safe_text(text[:max_length])))
    blocks = tuple(_blocks(root.children))
    if len(text) > max_length:
        omitted = len(text) - max_length
        blocks += (_remark(f"{omitted:,} more characters are omitted; the result has them all."),)
    return blocks


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _remark(text: str) -> Paragraph:
    return Paragraph((Span(text, italic=True),))


def _blocks(nodes: Iterable[SyntaxTreeNode]) -> Iterator[Block]:
    for node in nodes:
        match node.type:
            case "heading":
                yield Heading(int(node.tag[1]), _spans(node))
            case "paragraph":
                yield Paragraph(_spans(node))
            case "bullet_list":
                yield Items(_items(node))
            case "ordered_list":
                yield Items(_items(node), int(node.attrs.get("start", 1)))
            case "fence" | "code_block":
                language = re.sub(r"[^\w+#-].*", "", safe_text(node.info))
                yield Code(safe_text(node.content).rstrip("\n"), language)
            case "blockquote":
                yield Quote(tuple(_blocks(node.children)))
            case "table":
                yield from _table(node)
            case "hr":
                yield Rule()


def _items(node: SyntaxTreeNode) -> tuple[tuple[Block, ...], ...]:
    return tuple(tuple(_blocks(item.children)) for item in node.children)


def _table(node: SyntaxTreeNode) -> Iterator[Block]:
    rows = [row.children[:_MAX_COLUMNS] for part in node.children for row in part.children]
    header, *shown = (tuple(_spans(cell) for cell in row) for row in rows[: 1 + _MAX_ROWS])
    right_aligned = tuple(
        column
        for column, cell in enumerate(rows[0])
        if str(cell.attrs.get("style", "")).endswith("right")
    )
    yield Table(header, tuple(shown), right_aligned)
    columns = len(node.children[0].children[0].children)
    if len(rows) > 1 + _MAX_ROWS or columns > _MAX_COLUMNS:
        yield _remark("A part of this table is omitted; the result has it all.")


def _spans(node: SyntaxTreeNode) -> Spans:
    return tuple(
        linked
        for span in _merged(_inline(node.children, Span("")))
        for linked in ([span] if span.link or span.code else autolinked(span))
    )


def _inline(nodes: Iterable[SyntaxTreeNode], style: Span) -> Iterator[Span]:
    for node in nodes:
        match node.type:
            case "inline":
                yield from _inline(node.children, style)
            case "text":
                yield replace(style, text=safe_text(node.content))
            case "code_inline":
                yield replace(style, text=safe_text(node.content), code=True)
            case "softbreak":
                yield replace(style, text=" ")
            case "hardbreak":
                yield replace(style, text="\n")
            case "strong":
                yield from _inline(node.children, replace(style, bold=True))
            case "em":
                yield from _inline(node.children, replace(style, italic=True))
            case "s":
                yield from _inline(node.children, replace(style, strike=True))
            case "link":
                address = style.link or safe_link(str(node.attrs.get("href", "")))
                yield from _inline(node.children, replace(style, link=address))
            case "image":
                address = style.link or safe_link(str(node.attrs.get("src", "")))
                yield replace(style, text=safe_text(node.content) or "picture", link=address)


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    """Merge adjacent spans of the same style, and drop empty ones."""
    last = Span("")
    for span in spans:
        if replace(last, text="") == replace(span, text=""):
            last = replace(last, text=last.text + span.text)
        else:
            if last.text:
                yield last
            last = span
    if last.text:
        yield last
