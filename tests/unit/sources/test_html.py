"""HTML from services, broken in every way."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.sources.html import plain_text, read_page

TAGS = st.sampled_from(
    ["<p>", "</p>", "<nav>", "</nav>", "<main>", "</main>", "<title>", "</title>", "<br/>", "<!--"]
)


@given(st.lists(TAGS | st.text(max_size=20)))
def test_any_page_is_read(pieces: list[str]) -> None:
    page = read_page("".join(pieces))
    assert page.text == page.text.strip()
    assert "dagorch-end" not in page.title + page.text


@given(st.text())
def test_any_text_becomes_plain(text: str) -> None:
    plain_text(text)


@pytest.mark.parametrize(
    "piece",
    ["<a", "<!--", "<a x='", "<a x='>", "<a <", "<a <>", "<![CDATA[", "<![CDATA[>", "</", "&#x",
     "<?", "<?>", "<!", "<!x>", "<script>", "<title>", "<p>", "<a b=c>", "<a b c d", "</a <",
     "<div>", "<ul><li>", "<b><p>", "<a><table>", "<i><b></i>", "<svg>"],
)  # fmt: skip
def test_any_page_is_parsed_quickly(piece: str) -> None:
    start = time.process_time()
    read_page(piece * 40_000)
    assert time.process_time() - start < 5


def test_formatting_elements_left_open_are_not_repeated_in_each_paragraph() -> None:
    # HTML5 opens them again in each paragraph: 132 kB become 10 million elements.
    fonts = "".join(f"<font a={number}>" for number in range(1_000))
    page = read_page(f"<p>{fonts}</p>" + "<p>x</p>" * 10_000)
    assert page.text.split() == ["x"] * 10_000


def test_comments_and_unclosed_tags_go_and_the_text_around_them_stays() -> None:
    page = read_page("<p>a < b, <!-- <p>no --> c<d> e <img src='data:" + "x" * 50_000 + "'> f")
    assert page.text == "a < b, c e f"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<nav><ul><li>one<li>two</nav><p>The text.<p>More.", "The text.\nMore."),
        ("<nav><div>menu</nav><p>The text.", "The text."),
        ("<div><nav>menu</div><p>The text.", "The text."),
        ("<aside><table><tr><td>x</aside>The text.", "The text."),
        ("<NAV><nav>a</nav>b</NAV>The text.", "The text."),
    ],
)
def test_a_missing_end_tag_does_not_hide_the_rest(markup: str, text: str) -> None:
    assert read_page(markup).text == text


def test_only_the_main_part_is_read_if_it_is_marked() -> None:
    page = read_page('<div>menu</div><div role="main"><div>a</div>b</div><div>footer</div>')
    assert page.text == "a\nb"


def test_scripts_styles_and_null_characters_do_not_reach_the_text() -> None:
    page = read_page("<style>a>b</style><script>alert('</p>')</script>a\0b<svg><title>t</title>")
    assert (page.title, page.text) == ("", "ab")
