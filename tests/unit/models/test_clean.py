"""Untrusted text cannot control a terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.models.clean import clean, escape_controls, one_line


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;aGk=\x07", ""),
        ("\x1bP+q544e\x1b\\after", "after"),
        ("\x9b31mC1", "C1"),
        ("a\x08b\x00c\x7fd", "abcd"),
        ("over\rwrite", "overwrite"),
        ("line\r\nline", "line\nline"),
        ("keep\ttab\nand line", "keep\ttab\nand line"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("日本語 ünï ✓", "日本語 ünï ✓"),
        ("ends in \x1b", "ends in "),
        ("\x1b(B\x1b7\x1b=text", "text"),
    ],
)
def test_terminal_commands_are_removed(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


@given(st.text(st.characters(categories=("Cc", "Cf", "L", "P", "S", "Nd"))))
def test_no_control_character_survives(text: str) -> None:
    assert not {c for c in clean(text) if (c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f"}
    assert "\n" not in one_line(text)


@given(st.text())
def test_escaped_json_has_no_control_characters_and_means_the_same(text: str) -> None:
    written = json.dumps({"a": text}, ensure_ascii=False, indent=2)
    escaped = escape_controls(written)
    assert json.loads(escaped) == {"a": text}
    assert clean(escaped) == escaped
