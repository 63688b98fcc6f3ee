"""Documents as Markdown. Text is escaped, so that every reader shows it as it is."""

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

# What Markdown treats as markup. A star between spaces and an underscore in a word are not.
_MARKUP: Final = re.compile(
    r"[\\`~]|!(?=\[)|\*(?!\s)|(?<!\s)\*|(?<!\w)_|_(?!\w)|\](?=[(:\[])|<(?=[A-Za-z/!?])|&(?=#|\w+;)"
)
_BLOCK_MARKER: Final = re.compile(r"^(\s*)(?=#{1,6}(?:\s|$)|[-+](?:\s|$)|>|=+\s*$|-+\s*$|\||~~~)")
_LIST_NUMBER: Final = re.compile(r"^(\s*\d{1,9})(?=[.)](?:\s|$))")
_BACKTICKS: Final = re.compile("`+")
_MAX_LIST_NUMBER: Final = 999_999_999
"""CommonMark takes a longer number for text, and the code in its item for markup."""
_LANGUAGES: Final = """
ada asm awk bash c c# c++ clojure cmake cobol console cpp cs csharp css csv cuda d dart diff
dockerfile elixir elm erlang f# fortran fsharp gherkin glsl go graphql groovy haskell hcl
html http ini java javascript js json json5 jsonl jsx julia kotlin latex less lisp lua
makefile markdown matlab md nim nix objective-c ocaml pascal perl php powershell prolog
proto protobuf ps1 py python r regex rst ruby rust sass scala scheme scss sh shell solidity
sparql sql swift tcl terraform tex text toml ts tsv tsx txt typescript typst vb verilog vhdl
vim wasm xml yaml yml zig zsh
"""
"""Those that viewers only colour. Some viewers draw or run other ones: mermaid, dataviewjs."""


def to_markdown(content: Content) -> str:
    """
    Write a document as Markdown, with the graph as Mermaid.

    Everything in it that Markdown or HTML would interpret is escaped.
    """
    facts = " · ".join([content.workflow, content.date, *(f"{n}: {v}" for n, v in content.facts)])
    parts = [f"# {_inline((Span(content.title),))}", f"*{_escape(facts)}*"]
    if content.notice:
        parts.append(f"> **{_escape(content.notice)}**")
    parts += _blocks(content.blocks, 1)
    return "\n\n".join(parts) + "\n"


def _blocks(blocks: Iterable[Block], heading_offset: int = 0) -> list[str]:
    return [text for block in blocks if (text := _block(block, heading_offset))]


def _block(block: Block, heading_offset: int) -> str:
    match block:
        case Heading():
            return f"{'#' * min(6, block.level + heading_offset)} {_inline(block.spans)}"
        case Paragraph():
            text = "\n".join(map(_escape_line_start, _inline(block.spans).split("\n")))
            return f"*{text}*" if block.aside else text
        case Items():
            return _list(block)
        case Code():
            return _fenced(
                block.text, block.language if block.language in _LANGUAGES.split() else ""
            )
        case Quote():
            text = "\n\n".join(_blocks(block.blocks))
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
        mark = "-" if block.start is None else f"{min(number, _MAX_LIST_NUMBER)}."
        text = "\n\n".join(_blocks(item))
        indented = text.replace("\n", "\n" + " " * (len(mark) + 1))
        lines.append(f"{mark} {indented}".rstrip())
    is_tight = all(len(item) == 1 for item in block.items)
    return ("\n" if is_tight else "\n\n").join(lines)


def _fenced(text: str, language: str) -> str:
    fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _table(block: Table) -> str:
    rule = [
        "---:" if column in block.right_aligned else "---" for column in range(len(block.header))
    ]
    rows = [[_cell(cell) for cell in row] for row in (block.header, *block.rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:]))


def _cell(spans: Spans) -> str:
    return _inline(spans).replace("|", "\\|").replace("  \n", " ").replace("\n", " ")


def _inline(spans: Spans) -> str:
    parts: list[str] = []
    for link, group in groupby(spans, key=lambda span: span.link):
        inner = list(group)
        text = "".join(map(_span, inner))
        address = link if link.startswith(("http", "mailto")) else ""
        if address and all(span == Span(address, link=address) for span in inner):
            text = f"<{address}>"
        elif address:
            text = f"[{text}](<{address}>)"
        if address and parts and parts[-1].endswith("!"):
            parts[-1] = parts[-1][:-1] + "\\!"  # `!` before a link makes it an image
        parts.append(text)
    return "".join(parts)


def _span(span: Span) -> str:
    text = span.text
    stripped = text.strip()
    if not stripped:
        return text.replace("\n", "  \n")
    before, _, after = text.partition(stripped)
    if span.code:
        ticks = "`" * (1 + max(map(len, _BACKTICKS.findall(stripped)), default=0))
        padding = " " if "`" in (stripped[0], stripped[-1]) else ""
        inner = f"{ticks}{padding}{stripped}{padding}{ticks}"
    else:
        inner = _escape(stripped)
        if span.link:
            inner = re.sub(r"(?<!\\)([\[\]])", r"\\\1", inner) if span.link[0] != "#" else inner
    marks = "**" * span.bold + "*" * span.italic + "~~" * span.strike
    result = f"{before}{marks}{inner}{marks[::-1]}{after}"
    return result.replace("\n", "  \n")


def _escape(text: str) -> str:
    return _MARKUP.sub(lambda match: "\\" + match[0], text)


def _escape_line_start(line: str) -> str:
    """Escape what would start another kind of block."""
    return _LIST_NUMBER.sub(r"\1\\", _BLOCK_MARKER.sub(r"\1\\", line))
