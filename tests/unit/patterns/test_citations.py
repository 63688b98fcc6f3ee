"""Citations in plausible replies, and in replies that no model would write."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch import Finding
from dagorch.patterns.citations import cite, format_findings

FOUND = [
    Finding("Bees", "https://e.org/bees", "2020-05", ["Ada Bee"]),
    Finding("Ants", "https://arxiv.org/abs/2401.1", "1990", ["Rüdiger Wehner"]),
]


@pytest.mark.parametrize(
    ("reply", "text", "numbers", "dropped"),
    [
        ("So [1].", "So [1].", (1,), ()),
        ("So [2, 1].", "So [2][1].", (2, 1), ()),
        ("So [1-2].", "So [1][2].", (1, 2), ()),
        ("So [1-9000].", "So [1].", (1,), ("[9000]",)),
        ("So [0] or [3].", "So or.", (), ("[0]", "[3]")),
        ("So [1][1].", "So [1][1].", (1,), ()),
        ("See http://www.e.org/bees/.", "See [1].", (1,), ()),
        ("See https://arxiv.org/pdf/2401.1v3", "See [2]", (2,), ()),
        ("See <https://no.org/x>.", "See.", (), ("https://no.org/x",)),
        ("[Bees](https://e.org/bees)", "Bees [1]", (1,), ()),
        ("[1](https://e.org/bees) yes", "[1] yes", (1,), ()),
        ("Steps (Wehner, 1990).", "Steps [2].", (2,), ()),
        ("Steps (Wehner et al., 1990b).", "Steps [2].", (2,), ()),
        ("Steps (Wehner & Bee, 1991).", "Steps.", (), ("(Wehner & Bee, 1991)",)),
        ("In spring (May, 2020).", "In spring (May, 2020).", (), ()),
        ("An array a[i] and x[1]?", "An array a[i] and x[1]?", (1,), ()),
        ("", "", (), ()),
    ],
)
def test_a_reply(reply: str, text: str, numbers: tuple[int, ...], dropped: tuple[str, ...]) -> None:
    cited = cite(reply, FOUND)
    assert (cited.text, cited.numbers, cited.dropped) == (text, numbers, dropped)


@given(st.text(alphabet="[]()12, .-–ahtps:/xw\n", max_size=60))
def test_only_findings_are_cited_afterwards(reply: str) -> None:
    cited = cite(reply, FOUND)
    assert set(cited.numbers) <= {1, 2}
    again = cite(cited.text, FOUND)
    assert again.numbers == () or set(again.numbers) <= {1, 2}


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, " " * 500_000 + "x", "(A" * 100_000, "[1," * 100_000, "http://" * 50_000],
)
def test_any_text_is_cited_quickly(text: str) -> None:
    start = time.process_time()
    cite(text, FOUND)
    assert time.process_time() - start < 5


def test_a_number_in_a_findings_text_is_not_a_citation() -> None:
    shown = format_findings([Finding("A [2] title", text="Fact [1], [3, 4].")], 1_000)
    assert shown == "[1] A (2) title\nFact (1), (3, 4)."


def test_the_bytes_are_shared_among_findings() -> None:
    shown = format_findings([Finding("a", text="x " * 9_000), Finding("b", text="short")], 1_000)
    assert len(shown.encode()) < 1_050
    assert shown.endswith("[2] b\nshort")
