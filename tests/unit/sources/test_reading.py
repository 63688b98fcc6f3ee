"""HTML, XML and feeds from outside, broken in every way."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.sources.documents import passages
from dagorch.sources.feeds import read_feed
from dagorch.sources.text import iso_date, keywords, plain_text, read_page, tidy
from dagorch.sources.xml import parse_xml

TAGS = st.sampled_from(
    ["<p>", "</p>", "<nav>", "</nav>", "<main>", "</main>", "<title>", "</title>", "<br/>", "<!--"]
)


@given(st.lists(TAGS | st.text(max_size=20)))
def test_no_page_breaks_the_reader(pieces: list[str]) -> None:
    page = read_page("".join(pieces))
    assert page.text == page.text.strip()


@given(st.text(), st.integers(3, 40))
def test_passages_hold_every_word(text: str, most: int) -> None:
    pieces = list(passages(text, most))
    assert all(0 < len(piece) <= most for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


@given(st.text())
def test_tidy_and_keywords_take_anything(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)
    assert all(word == word.casefold() for word in keywords(text))
    assert iso_date(text) == "" or len(iso_date(text)) == 10
    plain_text(text)


@pytest.mark.parametrize(
    "piece",
    ["<a", "<!--", "<a x='", "<a x='>", "<a <", "<a <>", "<![CDATA[", "<![CDATA[>", "</", "&#x",
     "<?", "<?>", "<!", "<!x>", "<script>", "<title>", "<p>", "<a b=c>", "<a b c d", "</a <"],
)  # fmt: skip
def test_no_page_takes_long(piece: str) -> None:
    start = time.process_time()
    read_page(piece * 40_000)
    assert time.process_time() - start < 5


def test_comments_and_lone_signs_go_and_what_they_stand_in_stays() -> None:
    page = read_page("<p>a < b, <!-- <p>no --> c<d> e <img src='data:" + "x" * 50_000 + "'> f")
    assert page.text == "a b, c e f"


def test_end_tags_that_are_left_out_do_not_swallow_the_rest() -> None:
    page = read_page("<nav><ul><li>one<li>two</nav><p>The text.<p>More.")
    assert page.text == "The text.\nMore."


def test_only_the_main_part_is_read_where_it_is_marked() -> None:
    page = read_page('<div>menu</div><div role="main"><div>a</div>b</div><div>footer</div>')
    assert page.text == "a\nb"


@pytest.mark.parametrize(
    "body",
    [b"", b"<a>", b"no xml", b"<a/><b/>", b"\xff\xfe", b"<a>" * 200 + b"</a>" * 200],
    ids=["empty", "open", "text", "two", "bytes", "deep"],
)
def test_what_is_no_xml_is_told(body: bytes) -> None:
    with pytest.raises(ValueError, match="it is"):
        parse_xml(body)


def test_an_external_entity_is_not_fetched(tmp_path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    body = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a>&x;</a>'
    with pytest.raises(ValueError, match="declares the entity"):
        parse_xml(body.encode())
    outside = f'<!DOCTYPE a SYSTEM "{secret.as_uri()}"><a>b</a>'
    assert parse_xml(outside.encode()).text == "b"


@given(st.binary(max_size=200))
def test_no_bytes_break_the_feed_reader(body: bytes) -> None:
    try:
        read_feed(body, "x")
    except ValueError:
        return
