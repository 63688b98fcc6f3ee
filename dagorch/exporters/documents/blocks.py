"""The content model of documents, independent of the format. All text is plain, without markup."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal
from unicodedata import bidirectional

__all__ = [
    "Block", "Code", "Content", "Heading", "Items", "Paragraph", "Picture", "Quote", "Rule",
    "Span", "Spans", "Table", "all_spans", "is_rtl", "map_spans", "plain_text", "shift_headings",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one style. A newline breaks the line."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    link: str = ""
    """An `http:`, `https:` or `mailto:` address, or `#` and the id of a table row."""


Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section."""

    level: int
    """1 to 6; the document's own title is above level 1."""
    spans: Spans


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    spans: Spans
    aside: bool = False
    """Whether it describes the block below, such as an agent's model and cost."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[tuple[Block, ...], ...]
    start: int | None = None
    """The first number; None for bullets."""


@dataclass(frozen=True, slots=True)
class Code:
    """Preformatted text."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """A block quotation."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; every row is as long as the header."""

    header: tuple[Spans, ...]
    rows: tuple[tuple[Spans, ...], ...]
    right_aligned: tuple[int, ...] = ()
    """Columns of numbers, from 0."""
    row_ids: tuple[str, ...] = ()
    """The link target of each row; empty if nothing links here."""
    compact: bool = False
    """Whether it is reference material, set in smaller type."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal line."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing."""

    svg: str
    caption: str
    """Also the alternative text."""
    mermaid: str = ""
    """The same drawing for text-only formats; empty if there is none."""


Block = Heading | Paragraph | Items | Code | Quote | Table | Rule | Picture


@dataclass(frozen=True, slots=True)
class Content:
    """A whole document."""

    title: str
    """One line."""
    workflow: str
    """The kind of workflow, such as `Dream Cascade`."""
    date: str
    facts: tuple[tuple[str, str], ...]
    """Names and values: state, time, cost, tokens."""
    notice: str
    """A warning above the content; empty after a complete run."""
    severity: Literal["", "partial", "failed"]
    """How serious the notice is."""
    blocks: tuple[Block, ...]


def plain_text(spans: Iterable[Span]) -> str:
    """
    Join the text of spans.

    Example:
        >>> plain_text([Span("Bees "), Span("dance", bold=True)])
        'Bees dance'
    """
    return "".join(span.text for span in spans)


def is_rtl(spans: Iterable[Span]) -> bool:
    r"""
    Whether a text runs from right to left: its first letter with a direction decides.

    Example:
        >>> is_rtl([Span("42: \u05d3\u05d1\u05d5\u05e8\u05d9\u05dd")]), is_rtl([Span("Bees")])
        (True, False)
    """
    directions = (bidirectional(letter) for span in spans for letter in span.text)
    return next((found for found in directions if found in ("L", "R", "AL")), "L") != "L"


def shift_headings(blocks: Iterable[Block], top: int) -> tuple[Block, ...]:
    """
    Shift all headings by the same number of levels, so that the highest one is at `top`.

    Example:
        >>> [block.level for block in shift_headings([Heading(2, ()), Heading(4, ())], 1)]
        [1, 3]
    """
    blocks = tuple(blocks)
    levels = [block.level for block in blocks if isinstance(block, Heading)]
    offset = top - min(levels, default=top)
    return tuple(
        replace(block, level=max(1, min(6, block.level + offset)))
        if isinstance(block, Heading)
        else block
        for block in blocks
    )


def map_spans(blocks: Iterable[Block], change: Callable[[Spans], Spans]) -> tuple[Block, ...]:
    """Apply a function to every text, in reading order. Code and pictures stay unchanged."""
    return tuple(_map_spans(block, change) for block in blocks)


def _map_spans(block: Block, change: Callable[[Spans], Spans]) -> Block:
    match block:
        case Heading() | Paragraph():
            return replace(block, spans=change(block.spans))
        case Items():
            return replace(block, items=tuple(map_spans(item, change) for item in block.items))
        case Quote():
            return replace(block, blocks=map_spans(block.blocks, change))
        case Table():
            header, *rows = (
                tuple(change(cell) for cell in row) for row in (block.header, *block.rows)
            )
            return replace(block, header=header, rows=tuple(rows))
        case _:
            return block


def all_spans(blocks: Iterable[Block]) -> list[Spans]:
    """
    List every text in reading order.

    Example:
        >>> all_spans([Rule(), Quote((Paragraph((Span("Bees"),)),))])
        [(Span(text='Bees', ...),)]
    """
    found: list[Spans] = []

    def collect(spans: Spans) -> Spans:
        found.append(spans)
        return spans

    map_spans(blocks, collect)
    return found
