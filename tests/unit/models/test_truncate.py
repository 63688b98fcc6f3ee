"""Truncated text is the beginning of the original, within its limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dagorch.models.truncate import truncate_at_sentence


@given(st.text(max_size=300), st.integers(1, 100), st.booleans())
def test_a_truncated_text_is_a_beginning_within_the_limit(
    text: str, limit: int, in_bytes: bool
) -> None:
    text = text.encode(errors="ignore").decode()
    cut = truncate_at_sentence(text, limit, in_bytes=in_bytes)
    bare = cut.removesuffix("…")
    size = len(bare.encode()) if in_bytes else len(bare)
    assert size <= limit
    assert text.strip().startswith(bare)
    if len(text.strip().encode() if in_bytes else text.strip()) <= limit:
        assert cut == text.strip()
