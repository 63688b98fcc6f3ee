"""The state of a loop, read from replies that may be hostile."""

from __future__ import annotations

import pytest

from dagorch.patterns.loop_state import json_fields


def test_the_first_object_of_a_reply_is_found() -> None:
    assert json_fields('{no} {{x}} {"score": 0.9} {"score": 1}') == {"score": 0.9}
    assert json_fields("no object") == json_fields("{") == {}


@pytest.mark.parametrize(
    "reply",
    ["{" * 1_000_000, '{"a":' * 200_000, '{"a":[' + "1," * 500_000,
     '{"a": ' + "9" * 1_000_000 + "}", '{"a":[1,' * 300 + "1," * 200_000],
)  # fmt: skip
def test_a_reply_of_braces_is_read_in_bounded_time(reply: str) -> None:
    assert json_fields(reply) == {}
