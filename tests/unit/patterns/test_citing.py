"""Citations and sameness, of texts that no model would write and of some that it would."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch import Finding
from dagorch.patterns.citations import cite, numbered
from dagorch.patterns.findings import address_key, distinct

FOUND = [
    Finding("Bees", "https://e.org/bees", "2020-05", ["Ada Bee"]),
    Finding("Ants", "https://arxiv.org/abs/2401.1", "1990", ["Rüdiger Wehner"]),
]


@pytest.mark.parametrize(
    ("said", "text", "numbers", "dropped"),
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
def test_a_reply(said: str, text: str, numbers: tuple[int, ...], dropped: tuple[str, ...]) -> None:
    cited = cite(said, FOUND)
    assert (cited.text, cited.numbers, cited.dropped) == (text, numbers, dropped)


@given(st.text(alphabet="[]()12, .-–ahtps:/xw\n", max_size=60))
def test_what_is_left_cites_only_what_was_found(said: str) -> None:
    cited = cite(said, FOUND)
    assert set(cited.numbers) <= {1, 2}
    again = cite(cited.text, FOUND)
    assert again.numbers == () or set(again.numbers) <= {1, 2}


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, " " * 500_000 + "x", "(A" * 100_000, "[1," * 100_000, "http://" * 50_000],
)
def test_no_text_takes_long(text: str) -> None:
    start = time.process_time()
    cite(text, FOUND)
    assert time.process_time() - start < 5


def test_a_number_in_a_text_is_none_of_ours() -> None:
    shown = numbered([Finding("A [2] title", text="Fact [1], [3, 4].")], 1_000)
    assert shown == "[1] A (2) title\nFact (1), (3, 4)."


def test_the_room_is_shared_out() -> None:
    shown = numbered([Finding("a", text="x " * 9_000), Finding("b", text="short")], 1_000)
    assert len(shown.encode()) < 1_050
    assert shown.endswith("[2] b\nshort")


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
def test_what_is_the_same(one: Finding, other: Finding, same: bool) -> None:
    assert (len(distinct([one, other]).findings) == 1) is same


def test_authors_tell_two_of_one_title_apart() -> None:
    one = Finding(LONG, authors=["Ada Bee"], source="arxiv")
    assert distinct([one, Finding(LONG, authors=["A. Bee", "X"], source="doi")]).places == (0, 0)
    assert distinct([one, Finding(LONG, authors=["K. Frisch"], source="doi")]).places == (0, 1)


@given(st.text())
def test_any_address_has_a_key(url: str) -> None:
    address_key(url)
    distinct([Finding("x", url), Finding("y", url)])
