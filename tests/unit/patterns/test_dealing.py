"""Dealing: exact whatever comes in, within its bounds, nothing lost that fits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.models.truncate import truncate_at_sentence
from dagorch.patterns.partition import MAX_CHARACTERS, deal_questions, joined, shares

ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
TASKS = st.text(min_size=1, max_size=400).filter(str.strip)


@given(ANYTHING, TASKS, st.integers(1, 30))
def test_exactly_so_many_different_questions(reply: Any, task: str, count: int) -> None:
    dealt = deal_questions(reply, task, count)
    assert len(dealt) == len({question.casefold() for question in dealt}) == count
    assert all(question.strip() for question in dealt)
    assert all(len(question) <= 2 * MAX_CHARACTERS for question in dealt)


def test_real_questions_come_first_then_other_texts_then_the_tasks_own() -> None:
    reply = ["Find out about wings.", "2) Why do bees dance?", "ok", "Why do bees dance?"]
    dealt = deal_questions(reply, "How do bees fly?", 3)
    assert dealt == ["Why do bees dance?", "Find out about wings.", "How do bees fly?"]


@pytest.mark.parametrize(
    ("marked", "bare"),
    [
        ("1. Why is it?", "Why is it?"),
        ("(2) Why is it?", "Why is it?"),
        ("- Why is it?", "Why is it?"),
        ("• Why is it?", "Why is it?"),
        ("Q3: Why is it?", "Why is it?"),
        ('  "Why is it?"  ', "Why is it?"),
        ("**Why is it?**", "Why is it?"),
        ("3D printing: why is it?", "3D printing: why is it?"),
        ("2024 was warm; why is it?", "2024 was warm; why is it?"),
    ],
)
def test_list_marks_go(marked: str, bare: str) -> None:
    assert deal_questions([marked], "task", 1) == [bare]


@given(st.integers(1, 40), st.integers(1, 40))
def test_shares_are_even_and_leave_nothing_out(items: int, readers: int) -> None:
    dealt = shares(items, readers)
    assert sorted(item for share in dealt for item in share) == list(range(items))
    assert len(dealt) == min(items, readers)
    sizes = {len(share) for share in dealt}
    assert max(sizes) - min(sizes) <= 1


@given(st.text(max_size=300), st.integers(1, 100), st.booleans())
def test_a_clipped_text_is_a_beginning_of_the_bound_length(
    text: str, most: int, in_bytes: bool
) -> None:
    text = text.encode(errors="ignore").decode()
    cut = truncate_at_sentence(text, most, in_bytes=in_bytes)
    bare = cut.removesuffix("…")
    size = len(bare.encode()) if in_bytes else len(bare)
    assert size <= most
    assert text.strip().startswith(bare)
    if len(text.strip().encode() if in_bytes else text.strip()) <= most:
        assert cut == text.strip()


@given(st.lists(st.text("ab .", max_size=200), min_size=1, max_size=6), st.integers(20, 400))
def test_joined_texts_keep_to_the_room(texts: list[str], room: int) -> None:
    together = joined(texts, room)
    marks = len(texts) * len("99. …\n\n".encode())
    assert len(together.encode()) <= room + marks + len(texts)


def test_what_short_texts_leave_is_the_long_ones() -> None:
    long = "word " * 100
    together = joined(["short", long], 200)
    assert together.startswith("1. short\n\n2. word word")
    assert len(together) > 190
