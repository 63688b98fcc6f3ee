"""Durations, dates and timestamps in headers become seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.http.retry_after import retry_after_seconds, seconds_until

NOON = 1_769_515_200.0  # 2026-01-27T12:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6ms", 0.006),
        ("1s", 1.0),
        ("7.66s", 7.66),
        ("1m30s", 90.0),
        ("2m59.56s", 179.56),
        ("1h0m0.5s", 3_600.5),
        ("1d2h", 93_600.0),
        ("0", 0.0),
        ("57", 57.0),
        ("0.25", 0.25),
        ("1769515230", 30.0),
        ("1769515230500", 30.5),
        ("1769515100", 0.0),
        ("2026-01-27T12:00:30Z", 30.0),
        ("2026-01-27T12:00:30.25Z", 30.25),
        ("2026-01-27T13:00:30+01:00", 30.0),
        ("2026-01-27T12:00:30", 30.0),
        ("2026-01-27T11:00:00Z", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("5 s", None),
        ("nan", None),
    ],
)
def test_durations_dates_and_timestamps(text: str, seconds: float | None) -> None:
    found = seconds_until(text, NOON)
    assert found == (None if seconds is None else pytest.approx(seconds))


@given(text=st.text(max_size=30), now=st.floats(0, 4e9))
def test_no_text_is_a_negative_or_infinite_wait(text: str, now: float) -> None:
    found = seconds_until(text, now)
    assert found is None or 0 <= found < float("inf")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "Tue, 27 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Tue, 27 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
    ],
)
def test_retry_after_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOON) == seconds
