"""What a document is made of, whatever its format. Text in here is plain: no format's markup."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal
from unicodedata import bidirectional

__all__ = [
    "Block", "Code", "Content", "Heading", "Items", "Paragraph", "Picture", "Quote", "Rule",
    "Span", "Spans", "Table", "is_rtl", "plain_text", "raised", "rewritten", "runs_of_spans",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one style; a newline in it breaks the line."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    link: str = ""
    """An address with `http:`, `https:` or `mailto:`, or `#` and the id of an entry of a table."""


Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section."""

    level: int
    """From 1, which is below the document's own title, to 6."""
    spans: Spans


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    spans: Spans
    aside: bool = False
    """Whether it tells of what comes below it, rather than being part of it."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[tuple[Block, ...], ...]
    start: int | None = None
    """The first number; None for bullets."""


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to be kept as they are."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """What somebody else says."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, each row as long as the head."""

    head: tuple[Spans, ...]
    rows: tuple[tuple[Spans, ...], ...]
    right: tuple[int, ...] = ()
    """Columns of figures, from 0."""
    ids: tuple[str, ...] = ()
    """What links to a row say, a row each; empty if nothing links here."""
    small: bool = False
    """Whether it is for looking things up, rather than for reading."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing."""

    svg: str
    caption: str
    """What it shows, for those too who do not see it."""
    mermaid: str = ""
    """The same for a format that holds text alone; empty if there is none."""


Block = Heading | Paragraph | Items | Code | Quote | Table | Rule | Picture


@dataclass(frozen=True, slots=True)
class Content:
    """A whole document."""

    title: str
    """One line."""
    kind: str
    """What made it, as in `Dream Cascade`."""
    date: str
    facts: tuple[tuple[str, str], ...]
    """What and how much: state, time, cost, tokens."""
    notice: str
    """What a reader must know before the rest; empty if all is well."""
    tone: Literal["", "partial", "failed"]
    """How grave that is."""
    blocks: tuple[Block, ...]


def plain_text(spans: Iterable[Span]) -> str:
    """
    Give the words alone.

    Example:
        >>> plain_text([Span("Bees "), Span("dance", bold=True)])
        'Bees dance'
    """
    return "".join(span.text for span in spans)


def is_rtl(spans: Iterable[Span]) -> bool:
    r"""
    Whether a text runs from right to left, which its first letter with a direction tells.

    Example:
        >>> is_rtl([Span("42: \u05d3\u05d1\u05d5\u05e8\u05d9\u05dd")]), is_rtl([Span("Bees")])
        (True, False)
    """
    letters = (bidirectional(letter) for span in spans for letter in span.text)
    return next((side for side in letters if side in ("L", "R", "AL")), "L") != "L"


def raised(blocks: Iterable[Block], top: int) -> tuple[Block, ...]:
    """
    Move headings so that the highest of them has a level.

    Example:
        >>> [block.level for block in raised([Heading(2, ()), Heading(4, ())], 1)]
        [1, 3]
    """
    blocks = tuple(blocks)
    levels = [block.level for block in blocks if isinstance(block, Heading)]
    by = top - min(levels, default=top)
    return tuple(
        replace(block, level=max(1, min(6, block.level + by)))
        if isinstance(block, Heading)
        else block
        for block in blocks
    )


def rewritten(blocks: Iterable[Block], change: Callable[[Spans], Spans]) -> tuple[Block, ...]:
    """Change every run of spans, in reading order; code and pictures stay as they are."""
    return tuple(_rewritten(block, change) for block in blocks)


def _rewritten(block: Block, change: Callable[[Spans], Spans]) -> Block:
    match block:
        case Heading() | Paragraph():
            return replace(block, spans=change(block.spans))
        case Items():
            return replace(block, items=tuple(rewritten(item, change) for item in block.items))
        case Quote():
            return replace(block, blocks=rewritten(block.blocks, change))
        case Table():
            head, *rows = (tuple(change(cell) for cell in row) for row in (block.head, *block.rows))
            return replace(block, head=head, rows=tuple(rows))
        case _:
            return block


def runs_of_spans(blocks: Iterable[Block]) -> list[Spans]:
    """
    Give every run of spans in reading order.

    Example:
        >>> runs_of_spans([Rule(), Quote((Paragraph((Span("Bees"),)),))])
        [(Span(text='Bees', ...),)]
    """
    found: list[Spans] = []

    def keep(spans: Spans) -> Spans:
        found.append(spans)
        return spans

    rewritten(blocks, keep)
    return found
