"""Texts cut into passages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dagorch.sources.documents import passages


@given(st.text(), st.integers(3, 40))
def test_passages_hold_every_word(text: str, most: int) -> None:
    pieces = list(passages(text, most))
    assert all(0 < len(piece) <= most for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
