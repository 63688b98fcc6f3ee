"""The Markdown parser: what it keeps and what it removes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.exporters.documents.blocks import (
    Code,
    Heading,
    Items,
    Paragraph,
    Quote,
    Rule,
    Span,
    Table,
    all_spans,
    plain_text,
)
from dagorch.exporters.documents.markdown_reader import read_markdown
from dagorch.exporters.documents.text_blocks import safe_link, text_spans
from tests.unit.exporters.documents.hostile import HOSTILE


def spans(text: str) -> tuple[Span, ...]:
    (paragraph,) = read_markdown(text)
    assert isinstance(paragraph, Paragraph)
    return paragraph.spans


def test_every_kind_of_block() -> None:
    text = (
        "## Head\n\ntext\nwraps\n\n- a\n  1. one\n- b\n\n3. three\n\n"
        "```python x\nif a:\n    b\n```\n\n> said\n\n| l | r |\n|---|--:|\n| 1 | 2 |\n\n---\n\n"
        "    indented"
    )
    head, paragraph, bullets, numbers, code, quote, table, rule, indented = read_markdown(text)
    assert head == Heading(2, (Span("Head"),))
    assert paragraph == Paragraph((Span("text wraps"),))
    assert isinstance(bullets, Items)
    assert bullets.start is None
    assert [len(item) for item in bullets.items] == [2, 1]
    assert bullets.items[0][1] == Items(((Paragraph((Span("one"),)),),), 1)
    assert numbers == Items(((Paragraph((Span("three"),)),),), 3)
    assert code == Code("if a:\n    b", "python")
    assert quote == Quote((Paragraph((Span("said"),)),))
    assert table == Table(
        ((Span("l"),), (Span("r"),)), (((Span("1"),), (Span("2"),)),), right_aligned=(1,)
    )
    assert rule == Rule()
    assert indented == Code("indented")


def test_every_style_of_text() -> None:
    assert spans("a **b *c*** ~~d~~ `e` \\\nf") == (
        Span("a "),
        Span("b ", bold=True),
        Span("c", bold=True, italic=True),
        Span(" "),
        Span("d", strike=True),
        Span(" "),
        Span("e", code=True),
        Span(" \nf"),
    )


def test_links_are_kept_and_addresses_in_the_text_become_links() -> None:
    assert spans("[it](https://e.x/a?b=1) or https://e.x/b. Or <https://e.x/c>") == (
        Span("it", link="https://e.x/a?b=1"),
        Span(" or "),
        Span("https://e.x/b", link="https://e.x/b"),
        Span(". Or "),
        Span("https://e.x/c", link="https://e.x/c"),
    )
    assert spans("[![alt](https://e.x/p.png)](https://e.x/)") == (Span("alt", link="https://e.x/"),)
    assert text_spans("mail a@b.c or http://x.y") == (
        Span("mail a@b.c or "),
        Span("http://x.y", link="http://x.y"),
    )


def test_an_image_becomes_a_link() -> None:
    assert spans("![chart](https://e.x/c.png)") == (Span("chart", link="https://e.x/c.png"),)
    assert spans("![](data:image/png;base64,AA)") == (Span("picture"),)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_becomes_plain_text_and_safe_links(name: str) -> None:
    for run in all_spans(read_markdown(HOSTILE[name])):
        for span in run:
            assert not span.link or span.link == safe_link(span.link)
            assert not set(span.text) & set("\x00\x07\x08\x1b\x9b\u202e\u2066\ud800\uffff")
            span.text.encode("utf-8")


def test_html_is_text() -> None:
    (paragraph,) = read_markdown("<b>bold</b> &lt;i&gt;")
    assert plain_text(paragraph.spans) == "<b>bold</b> <i>"


def test_a_text_that_is_too_long_is_cut_with_a_remark() -> None:
    blocks = read_markdown("word " * 100, 250)
    assert plain_text(blocks[-1].spans) == (
        "250 more characters are omitted; the result has them all."
    )


@given(st.text(max_size=300))
def test_any_text_parses(text: str) -> None:
    for run in all_spans(read_markdown(text)):
        assert all(span.text for span in run)


@pytest.mark.parametrize(
    ("rows", "columns", "shown"),
    [(1_001, 2, (1_000, 2)), (3, 21, (3, 20)), (1_000, 20, (1_000, 20))],
)
def test_a_table_that_is_too_large_is_cut_with_a_remark(
    rows: int, columns: int, shown: tuple[int, int]
) -> None:
    lines = ["|a" * columns, "|-" * columns, *["|b" * columns] * rows]
    table, *more = read_markdown("\n".join(lines))
    assert isinstance(table, Table)
    assert (len(table.rows), len(table.header)) == shown
    remark = "A part of this table is omitted; the result has it all."
    assert [plain_text(spans) for spans in all_spans(more)] == (
        [] if shown == (rows, columns) else [remark]
    )
