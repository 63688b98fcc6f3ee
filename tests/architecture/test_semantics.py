"""Every promise of docs/semantics.md names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/semantics.md").read_text("utf-8")
PROMISES: Final = re.findall(r"^- (.*(?:\n  .*)*)", PAGE, re.MULTILINE)
REFERENCE: Final = re.compile(r"Test: `(?P<file>tests/\S+\.py)::(?P<name>test_\w+)`$")


def first_words(promise: str) -> str:
    return " ".join(promise.split()[:6])


@pytest.mark.parametrize("promise", PROMISES, ids=first_words)
def test_a_promise_names_a_test_that_exists(promise: str) -> None:
    reference = REFERENCE.search(promise)
    assert reference, "the promise names no test"
    source = (ROOT / reference["file"]).read_text("utf-8")
    assert re.search(rf"def {reference['name']}\(", source)


def test_the_page_has_promises() -> None:
    assert len(PROMISES) > 50
