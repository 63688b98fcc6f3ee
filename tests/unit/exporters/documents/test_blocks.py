"""The content model of documents."""

from __future__ import annotations

from dagorch.exporters.documents.blocks import (
    Heading,
    Picture,
    Rule,
    Span,
    is_rtl,
    shift_headings,
)


def test_headings_move_together() -> None:
    blocks = [Heading(2, ()), Rule(), Heading(5, ()), Picture("<svg/>", "x")]
    assert [block.level for block in shift_headings(blocks, 3) if isinstance(block, Heading)] == [
        3,
        6,
    ]
    assert shift_headings([Rule()], 2) == (Rule(),)


def test_the_first_letter_with_a_direction_decides() -> None:
    assert is_rtl([Span("1. "), Span("\u05e9\u05dc")])
    assert not is_rtl([Span("a \u05e9")])
    assert not is_rtl([Span("123")])
