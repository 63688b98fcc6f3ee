"""A document as Markdown: text that means itself in any reader. A graph goes in as Mermaid."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from dagorch.exporters.documents.blocks import (
    Block,
    Code,
    Content,
    Heading,
    Items,
    Paragraph,
    Picture,
    Quote,
    Rule,
    Span,
    Spans,
    Table,
)

__all__ = ["to_markdown"]

# What Markdown would take for its own; a lone star or an underscore within a word it does not.
_MARKUP: Final = re.compile(
    r"[\\`~]|\*(?!\s)|(?<!\s)\*|(?<!\w)_|_(?!\w)|\](?=[(:\[])|<(?=[A-Za-z/!?])|&(?=#|\w+;)"
)
_OPENING: Final = re.compile(r"^(\s*)(?=#{1,6}(?:\s|$)|[-+](?:\s|$)|>|=+\s*$|-+\s*$|\||~~~)")
_NUMBER: Final = re.compile(r"^(\s*\d{1,9})(?=[.)](?:\s|$))")
_TICKS: Final = re.compile("`+")


def to_markdown(content: Content) -> str:
    """
    Write a document as Markdown.

    Whatever stands in it that Markdown or HTML would obey is escaped.
    """
    facts = " · ".join([content.kind, content.date, *(f"{n}: {v}" for n, v in content.facts)])
    parts = [f"# {_inline((Span(content.title),))}", f"*{_escaped(facts)}*"]
    if content.notice:
        parts.append(f"> **{_escaped(content.notice)}**")
    parts += _written(content.blocks, 1)
    return "\n\n".join(parts) + "\n"


def _written(blocks: Iterable[Block], deeper: int = 0) -> list[str]:
    return [text for block in blocks if (text := _block(block, deeper))]


def _block(block: Block, deeper: int) -> str:
    match block:
        case Heading():
            return f"{'#' * min(6, block.level + deeper)} {_inline(block.spans)}"
        case Paragraph():
            text = "\n".join(map(_line, _inline(block.spans).split("\n")))
            return f"*{text}*" if block.aside else text
        case Items():
            return _list(block)
        case Code():
            return _fenced(block.text, block.language)
        case Quote():
            text = "\n\n".join(_written(block.blocks))
            return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
        case Table():
            return _table(block)
        case Rule():
            return "---"
        case Picture():
            return (
                f"{_fenced(block.mermaid.strip(), 'mermaid')}\n\n{block.caption}"
                if block.mermaid
                else ""
            )


def _list(block: Items) -> str:
    lines = []
    for number, item in enumerate(block.items, block.start or 0):
        mark = "-" if block.start is None else f"{number}."
        text = "\n\n".join(_written(item))
        indented = text.replace("\n", "\n" + " " * (len(mark) + 1))
        lines.append(f"{mark} {indented}".rstrip())
    is_tight = all(len(item) == 1 for item in block.items)
    return ("\n" if is_tight else "\n\n").join(lines)


def _fenced(text: str, language: str) -> str:
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _table(block: Table) -> str:
    rule = ["---:" if column in block.right else "---" for column in range(len(block.head))]
    rows = [[_cell(cell) for cell in row] for row in (block.head, *block.rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:]))


def _cell(spans: Spans) -> str:
    return _inline(spans).replace("|", "\\|").replace("  \n", " ").replace("\n", " ")


def _inline(spans: Spans) -> str:
    parts = []
    for link, group in groupby(spans, key=lambda span: span.link):
        inner = list(group)
        text = "".join(map(_span, inner))
        address = link if link.startswith(("http", "mailto")) else ""
        if address and all(span == Span(address, link=address) for span in inner):
            text = f"<{address}>"
        elif address:
            text = f"[{text}](<{address}>)"
        parts.append(text)
    return "".join(parts)


def _span(span: Span) -> str:
    text = span.text
    bare = text.strip()
    if not bare:
        return text.replace("\n", "  \n")
    before, _, after = text.partition(bare)
    if span.code:
        ticks = "`" * (1 + max(map(len, _TICKS.findall(bare)), default=0))
        room = " " if bare.startswith("`") or bare.endswith("`") else ""
        inner = f"{ticks}{room}{bare}{room}{ticks}"
    else:
        inner = _escaped(bare)
        if span.link:
            inner = re.sub(r"(?<!\\)([\[\]])", r"\\\1", inner) if span.link[0] != "#" else inner
    marks = "**" * span.bold + "*" * span.italic + "~~" * span.strike
    whole = f"{before}{marks}{inner}{marks[::-1]}{after}"
    return whole.replace("\n", "  \n")


def _escaped(text: str) -> str:
    return _MARKUP.sub(lambda match: "\\" + match[0], text)


def _line(line: str) -> str:
    """Keep a line of text from opening a block of another kind."""
    return _NUMBER.sub(r"\1\\", _OPENING.sub(r"\1\\", line))
