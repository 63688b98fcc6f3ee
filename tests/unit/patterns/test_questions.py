"""Questions of a plan: exactly as many as asked for, from any reply."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.patterns.questions import MAX_CHARACTERS, exact_questions

ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
TASKS = st.text(min_size=1, max_size=400).filter(str.strip)


@given(ANYTHING, TASKS, st.integers(1, 30))
def test_there_are_exactly_as_many_different_questions_as_asked_for(
    reply: Any, task: str, count: int
) -> None:
    questions = exact_questions(reply, task, count)
    assert len(questions) == len({question.casefold() for question in questions}) == count
    assert all(question.strip() for question in questions)
    assert all(len(question) <= 2 * MAX_CHARACTERS for question in questions)


def test_real_questions_come_first_then_other_texts_then_the_tasks_own() -> None:
    reply = ["Find out about wings.", "2) Why do bees dance?", "ok", "Why do bees dance?"]
    questions = exact_questions(reply, "How do bees fly?", 3)
    assert questions == ["Why do bees dance?", "Find out about wings.", "How do bees fly?"]


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
def test_list_marks_are_removed(marked: str, bare: str) -> None:
    assert exact_questions([marked], "task", 1) == [bare]
