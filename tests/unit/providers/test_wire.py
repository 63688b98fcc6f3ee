from __future__ import annotations

import pytest

from dagorch.errors import DefinitionError
from dagorch.models.llm import ToolCall
from dagorch.providers.wire import (
    encode_json,
    merge_fields,
    parse_arguments,
    parse_data_url,
)


@pytest.mark.parametrize(
    ("url", "image"),
    [
        ("data:image/png;base64,iVBORw==", ("image/png", "iVBORw==")),
        ("data:image/png;base64,iVBORw%3D%3D", ("image/png", "iVBORw==")),
        ("data:image/svg+xml;charset=utf-8;base64,PHN2Zz4=", ("image/svg+xml", "PHN2Zz4=")),
        ("data:image/svg+xml,%3Csvg%3E", ("image/svg+xml", "PHN2Zz4=")),
        ("https://example.org/cat.png", None),
    ],
)
def test_an_image_in_a_data_url(url: str, image: tuple[str, str] | None) -> None:
    assert parse_data_url(url) == image


@pytest.mark.parametrize("url", ["data:image/png;base64", "data:,abc", "data:;base64,abc"])
def test_a_malformed_data_url_is_the_callers_error(url: str) -> None:
    with pytest.raises(DefinitionError, match="is not a valid data: URL"):
        parse_data_url(url)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"x": 1}', {"x": 1}),
        ("", {}),
        ("[1]", {"INVALID_JSON": "[1]"}),
        pytest.param("[" * 100_000, {"INVALID_JSON": "[" * 100_000}, id="without end"),
        ('{"x":', {"INVALID_JSON": '{"x":'}),
    ],
)
def test_arguments_as_an_object(text: str, arguments: dict[str, object]) -> None:
    assert parse_arguments(ToolCall("a", "look", text)) == arguments


def test_merging_changes_neither_side() -> None:
    body, extra = {"a": {"x": 1}}, {"a": {"y": 2}}
    assert merge_fields(body, extra) == {"a": {"x": 1, "y": 2}}
    assert (body, extra) == ({"a": {"x": 1}}, {"a": {"y": 2}})


def test_bytes_are_utf8_and_survive_half_a_surrogate() -> None:
    assert encode_json({"a": "ü"}) == '{"a":"ü"}'.encode()
    assert encode_json({"a": "\ud800"})
