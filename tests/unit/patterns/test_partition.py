"""Shares of items and of bytes: even, within their bounds, and without loss."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch import DefinitionError
from dagorch.patterns.partition import join_texts, partition
from dagorch.patterns.questions import exact_questions
from dagorch.patterns.swarm import assign_domains


@given(st.integers(1, 40), st.integers(1, 40))
def test_shares_are_even_and_complete(items: int, readers: int) -> None:
    shares = partition(items, readers)
    assert sorted(item for share in shares for item in share) == list(range(items))
    assert len(shares) == min(items, readers)
    sizes = {len(share) for share in shares}
    assert max(sizes) - min(sizes) <= 1


@given(st.lists(st.text("ab .", max_size=200), min_size=1, max_size=6), st.integers(20, 400))
def test_joined_texts_fit(texts: list[str], max_bytes: int) -> None:
    together = join_texts(texts, max_bytes)
    marks = len(texts) * len("99. …\n\n".encode())
    assert len(together.encode()) <= max_bytes + marks + len(texts)


def test_long_texts_get_the_bytes_that_short_ones_leave() -> None:
    long = "word " * 100
    together = join_texts(["short", long], 200)
    assert together.startswith("1. short\n\n2. word word")
    assert len(together) > 190


@pytest.mark.parametrize(
    "call",
    [
        lambda: partition(100_000_000, 2),
        lambda: exact_questions([], "Bees?", 100_000_000),
        lambda: assign_domains(100_000_000, ["arxiv"]),
    ],
)
def test_a_graph_file_cannot_fill_the_memory_by_a_count(call: Callable[[], object]) -> None:
    with pytest.raises(DefinitionError, match="100,000,000 agents are too many"):
        call()
