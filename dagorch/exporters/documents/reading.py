"""
From Markdown to blocks: the one parser of all formats. Nothing is written here.

Whatever a model wrote comes out as plain text in known shapes: no HTML, no control characters,
no address but one that a reader may follow; a picture becomes a link to it.
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
from dagorch.models.clean import clean

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

__all__ = ["MAX_LENGTH", "followed", "read_markdown", "read_spans", "safe"]

MAX_LENGTH: Final = 100_000
"""Characters of one text that are read; thirty pages or so."""
_MAX_ROWS: Final = 1_000
_MAX_COLUMNS: Final = 20
"""Of a table; more would fill books, or not fit a page."""
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'`\\)\]}]+")
_FOLLOWED: Final = re.compile(r"(?:https?://|mailto:)[^\s<>\"'`\\\x00-\x20]+", re.IGNORECASE)
_NOT_TEXT: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")


def read_markdown(text: str, most: int = MAX_LENGTH) -> tuple[Block, ...]:
    r"""
    Read a text that a model wrote.

    Args:
        text: Markdown as CommonMark has it, with tables and struck text; or anything else.
        most: Characters that are read of it; where there are more, the last line says so.

    Example:
        >>> heading, paragraph = read_markdown("# Bees\n<b>They</b> *dance*")
        >>> heading.level, [(span.text, span.italic) for span in paragraph.spans]
        (1, [('<b>They</b> ', False), ('dance', True)])
    """
    from markdown_it.tree import SyntaxTreeNode

    blocks = tuple(_blocks(SyntaxTreeNode(_parser().parse(safe(text[:most]))).children))
    if len(text) > most:
        left = f"{len(text) - most:,} more characters are left out; the result has them all."
        blocks += (Paragraph((Span(left, italic=True),)),)
    return blocks


def read_spans(text: str) -> Spans:
    """Read plain text of one paragraph, in which addresses become links."""
    return tuple(_linked(Span(safe(text))))


def followed(address: str) -> str:
    """
    Give an address if a reader may follow it, else nothing.

    Example:
        >>> followed("https://e.org/a"), followed("javascript:alert(1)")
        ('https://e.org/a', '')
    """
    address = safe(address).strip()
    return address if _FOLLOWED.fullmatch(address) else ""


def safe(text: str) -> str:
    """Take out what no format can hold, or would obey rather than show."""
    return _NOT_TEXT.sub("\ufffd", clean(text))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


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
                language = re.sub(r"[^\w+#-].*", "", safe(node.info))
                yield Code(safe(node.content).rstrip("\n"), language)
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
    shown = [tuple(_spans(cell) for cell in row) for row in rows[: 1 + _MAX_ROWS]]
    right = tuple(
        column
        for column, cell in enumerate(rows[0])
        if str(cell.attrs.get("style", "")).endswith("right")
    )
    yield Table(shown[0], tuple(shown[1:]), right)
    if len(rows) > len(shown) or len(node.children[0].children[0].children) > _MAX_COLUMNS:
        left = "A part of this table is left out; the result has it all."
        yield Paragraph((Span(left, italic=True),))


def _spans(node: SyntaxTreeNode) -> Spans:
    return tuple(
        linked
        for span in _joined(_inline(node.children, Span("")))
        for linked in ([span] if span.link or span.code else _linked(span))
    )


def _inline(nodes: Iterable[SyntaxTreeNode], style: Span) -> Iterator[Span]:
    for node in nodes:
        match node.type:
            case "inline":
                yield from _inline(node.children, style)
            case "text":
                yield replace(style, text=safe(node.content))
            case "code_inline":
                yield replace(style, text=safe(node.content), code=True)
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
                address = style.link or followed(str(node.attrs.get("href", "")))
                yield from _inline(node.children, replace(style, link=address))
            case "image":
                address = style.link or followed(str(node.attrs.get("src", "")))
                yield replace(style, text=safe(node.content) or "picture", link=address)


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Put neighbours of one style together."""
    last: Span | None = None
    for span in spans:
        if last is not None and replace(last, text="") == replace(span, text=""):
            last = replace(last, text=last.text + span.text)
        else:
            if last is not None and last.text:
                yield last
            last = span
    if last is not None and last.text:
        yield last


def _linked(span: Span) -> Iterator[Span]:
    """Make links of addresses that stand in the text as they are."""
    at = 0
    for match in _ADDRESS.finditer(span.text):
        address = match[0].rstrip(".,;:!?*_")
        if match.start() > at:
            yield replace(span, text=span.text[at : match.start()])
        yield replace(span, text=address, link=address)
        at = match.start() + len(address)
    if at < len(span.text):
        yield replace(span, text=span.text[at:])
