"""Loopback addresses, and probing a port."""

from __future__ import annotations

import pytest

from dagorch.http.connections import is_loopback, probe, tls_context
from tests.servers import ModelServer, closed_port


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:11434/v1", True),
        ("http://models.localhost/v1", True),
        ("https://127.0.0.2/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://10.0.0.7:8000/v1", False),
        ("https://localhost.example.com/v1", False),
        ("https://api.x.ai/v1", False),
        ("", False),
    ],
)
def test_loopback_addresses(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


def test_a_probe_connects_and_sends_nothing() -> None:
    with ModelServer() as server:
        probe(server.url, 2.0)
        server.wait_until(lambda s: s.connections == 1 and not s.open)
        assert not server.requests


def test_a_probe_of_a_closed_port_raises() -> None:
    with closed_port() as address, pytest.raises(OSError, match="refused"):
        probe(address, 2.0)


def test_all_connections_share_one_tls_context() -> None:
    assert tls_context(True) is tls_context(True) is not tls_context(False)
