from __future__ import annotations

from dagorch.models.rates import RateLimits, RateWindow
from dagorch.providers.rate_headers import rate_limits

NOON = 1_769_515_200.0  # 2026-01-27T12:00:00Z


def test_openais_headers() -> None:
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert rate_limits(headers, NOON) == RateLimits(
        requests=RateWindow(60, 59, 1.0), tokens=RateWindow(150_000, 149_984, 360.0)
    )


def test_anthropics_headers() -> None:
    headers = {
        f"anthropic-ratelimit-{kind}-{part}": value
        for kind, left in (
            ("requests", "49"),
            ("tokens", "39000"),
            ("input-tokens", "31000"),
            ("output-tokens", "8000"),
        )
        for part, value in (
            ("limit", "50000"),
            ("remaining", left),
            ("reset", "2026-01-27T12:00:07Z"),
        )
    }
    assert rate_limits(headers, NOON) == RateLimits(
        requests=RateWindow(50_000, 49, 7.0),
        tokens=RateWindow(50_000, 39_000, 7.0),
        input_tokens=RateWindow(50_000, 31_000, 7.0),
        output_tokens=RateWindow(50_000, 8_000, 7.0),
    )


def test_missing_headers_are_none() -> None:
    assert rate_limits({}, NOON) is None
    assert rate_limits({"x-ratelimit-limit-requests": "many"}, NOON) is None
    assert rate_limits({"x-ratelimit-remaining-tokens": " 0 "}, NOON) == RateLimits(
        tokens=RateWindow(remaining=0)
    )
