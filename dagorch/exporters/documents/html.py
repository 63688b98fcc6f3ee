"""
Documents as a self-contained HTML page, with a light, a dark and a print style.

The page has no script. Its content security policy blocks scripts and all requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files
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

__all__ = ["to_html"]

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_ID: Final = re.compile(r'\bid="([^"]*)"')
_ID_REFERENCE: Final = re.compile(r'url\(#([^)]*)\)|href="#([^"]*)"')


def to_html(content: Content) -> str:
    """Write a document as a self-contained HTML page."""
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in content.facts
    )
    notice = f'<p class="notice {content.severity}" role="note">{escape(content.notice)}</p>\n'
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(content.title)}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n"
        f'<header>\n<p class="workflow">{escape(content.workflow)} · {escape(content.date)}</p>\n'
        f'<h1 dir="auto">{escape(content.title)}</h1>\n<dl>{facts}</dl>\n</header>\n<main>\n'
        f"{notice if content.notice else ''}{_Writer().blocks(content.blocks)}"
        "</main>\n</body>\n</html>\n"
    )


@cache
def _style() -> str:
    return files("dagorch.exporters.documents").joinpath("page.css").read_text("utf-8")


class _Writer:
    """Writes blocks; counts pictures, so that each gets ids of its own."""

    def __init__(self) -> None:
        self._pictures = 0

    def blocks(self, blocks: Iterable[Block]) -> str:
        return "".join(f"{self._block(block)}\n" for block in blocks)

    def _block(self, block: Block) -> str:
        match block:
            case Heading():
                tag = f"h{min(6, block.level + 1)}"
                return f'<{tag} dir="auto">{_inline(block.spans)}</{tag}>'
            case Paragraph():
                aside = ' class="aside"' if block.aside else ""
                return f'<p{aside} dir="auto">{_inline(block.spans)}</p>'
            case Items():
                return self._list(block)
            case Code():
                return f'<pre tabindex="0"><code>{escape(block.text)}</code></pre>'
            case Quote():
                return f"<blockquote>\n{self.blocks(block.blocks)}</blockquote>"
            case Table():
                return _table(block)
            case Rule():
                return "<hr>"
            case Picture():
                return self._picture(block)

    def _list(self, block: Items) -> str:
        tag = "ul" if block.start is None else "ol"
        start = f' start="{block.start}"' if block.start not in (None, 1) else ""
        items = "".join(f"<li>{self._item(item)}</li>\n" for item in block.items)
        return f"<{tag}{start}>\n{items}</{tag}>"

    def _item(self, item: tuple[Block, ...]) -> str:
        if item and isinstance(item[0], Paragraph):
            rest = f"\n{self.blocks(item[1:])}" if item[1:] else ""
            return f'<span dir="auto">{_inline(item[0].spans)}</span>{rest}'
        return self.blocks(item)

    def _picture(self, block: Picture) -> str:
        self._pictures += 1
        svg = _with_id_prefix(block.svg[block.svg.index("<svg") :], f"picture-{self._pictures}-")
        caption = f"<figcaption>{escape(block.caption)}</figcaption>"
        return f'<figure>\n<div tabindex="0">{svg}</div>\n{caption}\n</figure>'


def _with_id_prefix(svg: str, prefix: str) -> str:
    """Prefix the ids of a picture, so that no two pictures in a page share one."""
    svg = _ID.sub(lambda match: f'id="{prefix}{match[1]}"', svg)
    return _ID_REFERENCE.sub(
        lambda match: (
            f"url(#{prefix}{match[1]})" if match[1] is not None else f'href="#{prefix}{match[2]}"'
        ),
        svg,
    )


def _table(block: Table) -> str:
    columns = range(len(block.header))
    classes = [' class="number"' if column in block.right_aligned else "" for column in columns]
    head = "".join(
        f'<th scope="col"{css_class}>{_inline(cell)}</th>'
        for css_class, cell in zip(classes, block.header, strict=True)
    )
    ids = block.row_ids or [""] * len(block.rows)
    rows = "".join(
        f"<tr{f' id={chr(34)}{escape(id)}{chr(34)}' if id else ''}>"
        + "".join(
            f'<td{css_class} dir="auto">{_inline(cell)}</td>'
            for css_class, cell in zip(classes, row, strict=True)
        )
        + "</tr>\n"
        for id, row in zip(ids, block.rows, strict=True)
    )
    compact = " compact" if block.compact else ""
    return (
        f'<div class="scroll{compact}" tabindex="0">\n<table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n</div>"
    )


def _inline(spans: Spans) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    text = escape(span.text).replace("\n", "<br>")
    for applies, tag in (
        (span.code, "code"), (span.strike, "s"), (span.italic, "em"), (span.bold, "strong")
    ):  # fmt: skip
        if applies:
            text = f"<{tag}>{text}</{tag}>"
    if span.link:
        rel = "" if span.link.startswith("#") else ' rel="noopener noreferrer nofollow"'
        text = f'<a href="{escape(span.link)}"{rel}>{text}</a>'
    return text
