"""Findings of several sources that are the same thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch import Finding
from dagorch.patterns.findings import address_key, deduplicate


def a(title: str, url: str = "", source: str = "one", **more: str) -> Finding:
    return Finding(title, url, source=source, **more)


LONG = "How bees find their way home at night"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (a("x", "https://e.org/a"), a("y", "http://www.e.org/a/#b"), True),
        (a("x", "https://e.org/a?id=1"), a("y", "https://e.org/a?id=2"), False),
        (a("x", "https://arxiv.org/abs/1.2v1"), a("y", "https://arxiv.org/pdf/1.2v3"), True),
        (a(LONG), a(LONG.upper() + "!", source="two"), True),
        (a(LONG), a(LONG), False),
        (a("Bees"), a("Bees", source="two"), False),
        (a("x", "notes.md", text="word " * 50), a("y", "copy.md", text="Word " * 50), True),
        (a("x", "notes.md"), a("x", "notes.md"), True),
        (a("x", "notes.md"), a("x", "notes.md", "two"), False),
        (a("x"), a("y"), False),
    ],
)
def test_which_findings_are_the_same(one: Finding, other: Finding, same: bool) -> None:
    assert (len(deduplicate([one, other]).findings) == 1) is same


def test_different_authors_are_different_findings() -> None:
    one = Finding(LONG, authors=["Ada Bee"], source="arxiv")
    assert deduplicate([one, Finding(LONG, authors=["A. Bee", "X"], source="doi")]).positions == (
        0,
        0,
    )
    assert deduplicate([one, Finding(LONG, authors=["K. Frisch"], source="doi")]).positions == (
        0,
        1,
    )


@given(st.text())
def test_any_address_has_a_key(url: str) -> None:
    address_key(url)
    deduplicate([Finding("x", url), Finding("y", url)])
