"""Numbers and JSON of others: taken as they are meant, or refused, whatever their size."""

from __future__ import annotations

import json
import math

import pytest

from dagorch.http.foreign import parse_json, token_count


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
        ('"half an emoji: \\ud83d"', "half an emoji: \ud83d"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        (" [] ", []),
        ('{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_json_is_parsed_as_python_parses_it(text: str, value: object) -> None:
    assert parse_json(text) == value == json.loads(text)


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "[1] 2", "nul"])
def test_text_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=":"):
        parse_json(text)


@pytest.mark.parametrize("opening", ["[", '{"a":', '["\\ud83d",'])
@pytest.mark.parametrize("depth", [300, 100_000])
def test_deep_json_is_refused(opening: str, depth: int) -> None:
    closing = "]" if opening[0] == "[" else "}"
    with pytest.raises((ValueError, RecursionError)):
        parse_json(opening * depth + "1" + closing * depth)


@pytest.mark.parametrize(("value", "count"), [(None, 0), (0, 0), (7, 7), (7.0, 7), (10**9, 10**9)])
def test_a_number_of_tokens(value: object, count: int) -> None:
    assert token_count(value) == count


@pytest.mark.parametrize(
    "value",
    [-1, 10**9 + 1, 10**310, 1e300, math.inf, -math.inf, math.nan, 1.5, True, "7", "", [], {}],
)
def test_what_cannot_be_a_number_of_tokens(value: object) -> None:
    with pytest.raises(ValueError, match="not a number of tokens"):
        token_count(value)
