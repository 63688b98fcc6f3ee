from __future__ import annotations

import json

import pytest

from dagorch.errors import DefinitionError
from dagorch.models.llm import ToolCall
from dagorch.providers.error_bodies import Fault, read_body, read_error
from dagorch.providers.wire import arguments_of, encode, inline_image, merged, parse


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
def test_an_image_inside_its_url(url: str, image: tuple[str, str] | None) -> None:
    assert inline_image(url) == image


@pytest.mark.parametrize("url", ["data:image/png;base64", "data:,abc", "data:;base64,abc"])
def test_a_broken_one_is_the_callers_mistake(url: str) -> None:
    with pytest.raises(DefinitionError, match="is no data: URL"):
        inline_image(url)


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
    assert arguments_of(ToolCall("a", "look", text)) == arguments


def test_merging_changes_neither_side() -> None:
    body, extra = {"a": {"x": 1}}, {"a": {"y": 2}}
    assert merged(body, extra) == {"a": {"x": 1, "y": 2}}
    assert (body, extra) == ({"a": {"x": 1}}, {"a": {"y": 2}})


def test_bytes_are_utf8_and_survive_half_a_surrogate() -> None:
    assert encode({"a": "ü"}) == '{"a":"ü"}'.encode()
    assert encode({"a": "\ud800"})


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", Fault("")),
        (b"oops\n  again", Fault("oops again")),
        (b"5", Fault("5")),
        (b"[]", Fault("[]")),
        (b'"words"', Fault("words")),
        (b'{"error": "words"}', Fault("words")),
        (b'{"detail": "Not Found"}', Fault("Not Found")),
        (b'{"error": {"message": "m", "type": "t", "code": "c"}}', Fault("m", "c t")),
        (
            b'{"type": "error", "error": {"type": "t", "message": "m"}, "request_id": "r"}',
            Fault("m", "t", "r"),
        ),
        (
            b'{"error": {"status": "S", "details": [{"reason": "R"}, 5, {"retryDelay": "1.5s"}]}}',
            Fault("S R", "S R", "", 1.5),
        ),
        (b'[{"error": {"code": 429, "message": "m"}}]', Fault("m", "429")),
        (b"<html><TITLE>Bad\n</TITLE>", Fault("an HTML page, 'Bad'")),
    ],
)
def test_every_shape_of_a_failure(body: bytes, fault: Fault) -> None:
    assert read_body(body) == fault


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (502, 502),
        ("rate_limit_exceeded", 429),
        ("overloaded_error", 529),
        ("RESOURCE_EXHAUSTED", 429),
        ("UNAVAILABLE", 503),
        ("timeout_error", 504),
        ("invalid_request_error", 400),
        ("authentication_error", 401),
        ("", 500),
        ("something_new", 500),
    ],
)
def test_the_status_that_an_event_amounts_to(code: object, status: int) -> None:
    assert read_error({"code": code, "message": "m"}).status == status


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
def test_json_is_read_as_python_reads_it(text: str, value: object) -> None:
    assert parse(text) == value == json.loads(text)


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "[1] 2", "nul"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=":"):
        parse(text)
