"""What the HTTP client decides without a socket: timers, proxies."""

from __future__ import annotations

import anyio
import pytest

from dagorch.providers import http_reply
from dagorch.providers.http_client import _find_proxy
from dagorch.providers.http_reply import IdleTimeouts, Timeouts


class Timer(anyio.CancelScope):
    """A cancel scope that counts how often its deadline is set."""

    def __init__(self) -> None:
        self.settings: list[float] = []

    def __new__(cls) -> Timer:
        return object.__new__(cls)

    @property
    def deadline(self) -> float:
        return self.settings[-1]

    @deadline.setter
    def deadline(self, value: float) -> None:
        self.settings.append(value - anyio.current_time())


async def test_the_timer_is_reset_only_when_that_makes_a_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    monkeypatch.setattr(http_reply, "monotonic", lambda: now)
    timer = Timer()
    timeouts = Timeouts(first_byte_seconds=300.0, between_chunks_seconds=100.0)
    idle_timeouts = IdleTimeouts(timer, timeouts)
    idle_timeouts.await_first_byte()
    assert idle_timeouts.problem == "first_byte_timeout"
    for _ in range(1_000):
        idle_timeouts.chunk_received()
        now += 0.01  # ten seconds in all: two steps of a twentieth of the timeout
    assert idle_timeouts.problem == "chunk_timeout"
    idle_timeouts.await_end()
    assert timer.settings == pytest.approx([300.0, 100.0, 100.0, 1.0], abs=0.05)


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("https://api.example.com/v1", {}, None),
        ("https://api.example.com/v1", {"https_proxy": "http://p:1"}, "http://p:1"),
        ("https://api.example.com/v1", {"https_proxy": "p:1"}, "http://p:1"),
        ("https://api.example.com/v1", {"http_proxy": "http://p:1"}, None),
        ("http://api.example.com/v1", {"http_proxy": "http://p:1"}, "http://p:1"),
        ("https://api.example.com/v1", {"all_proxy": "http://p:1"}, "http://p:1"),
        (
            "https://api.example.com/v1",
            {"https_proxy": "http://p:1", "no_proxy": "other.org, example.com"},
            None,
        ),
        ("https://api.example.com/v1", {"https_proxy": "http://p:1", "no_proxy": "*"}, None),
        ("http://10.0.0.7:8000/v1", {"http_proxy": "http://p:1", "no_proxy": "10.0.0.7"}, None),
        ("http://localhost:11434/v1", {"http_proxy": "http://p:1"}, None),
        ("http://127.0.0.1:8000/v1", {"all_proxy": "http://p:1"}, None),
    ],
)
def test_the_environments_proxy(
    url: str, environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert _find_proxy(url) == proxy
