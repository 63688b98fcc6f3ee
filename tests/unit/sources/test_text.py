"""Text, search words and dates from any input."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dagorch.sources.text import iso_date, keywords, tidy


@given(st.text())
def test_any_text_is_accepted(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)
    assert all(word == word.casefold() for word in keywords(text))
    assert iso_date(text) == "" or len(iso_date(text)) == 10
