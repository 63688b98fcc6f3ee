"""Error bodies of every format are parsed into one record."""

from __future__ import annotations

import pytest

from dagorch.providers.error_bodies import ErrorBody, parse_error, parse_error_body


@pytest.mark.parametrize(
    ("body", "parsed"),
    [
        (b"", ErrorBody("")),
        (b"oops\n  again", ErrorBody("oops again")),
        (b"5", ErrorBody("5")),
        (b"[]", ErrorBody("[]")),
        (b'"words"', ErrorBody("words")),
        (b'{"error": "words"}', ErrorBody("words")),
        (b'{"detail": "Not Found"}', ErrorBody("Not Found")),
        (b'{"error": {"message": "m", "type": "t", "code": "c"}}', ErrorBody("m", "c t")),
        (
            b'{"type": "error", "error": {"type": "t", "message": "m"}, "request_id": "r"}',
            ErrorBody("m", "t", "r"),
        ),
        (
            b'{"error": {"status": "S", "details": [{"reason": "R"}, 5, {"retryDelay": "1.5s"}]}}',
            ErrorBody("S R", "S R", "", 1.5),
        ),
        (b'[{"error": {"code": 429, "message": "m"}}]', ErrorBody("m", "429")),
        (b"<html><TITLE>Bad\n</TITLE>", ErrorBody("an HTML page, 'Bad'")),
    ],
)
def test_every_format_of_an_error_body(body: bytes, parsed: ErrorBody) -> None:
    assert parse_error_body(body) == parsed


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
def test_the_status_that_an_error_code_stands_for(code: object, status: int) -> None:
    assert parse_error({"code": code, "message": "m"}).status == status


@pytest.mark.parametrize("body", [b"<title>" * 200_000, b"<title " * 200_000])
def test_a_page_of_unclosed_titles_is_read_in_linear_time(body: bytes) -> None:
    assert parse_error_body(body).message.startswith("<title")
