"""Connections: the shared TLS context, loopback addresses, probing a port, closing a response."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

if TYPE_CHECKING:
    import httpx

__all__ = ["close_response", "is_loopback", "probe", "tls_context"]


@cache
def tls_context(secure: bool, /) -> ssl.SSLContext:
    """
    Return the TLS context that all connections of the process share.

    Blocks for 40 to 400 ms the first time, to read the certificates.

    Args:
        secure: False returns an empty context in 0.1 ms, for a client that uses plain HTTP only.
    """
    import httpx

    return httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def is_loopback(url: str) -> bool:
    """
    Return whether the host of `url` is this machine.

    Example:
        >>> is_loopback("http://localhost:11434/v1"), is_loopback("https://api.x.ai/v1")
        (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def probe(url: str, timeout_seconds: float) -> None:
    """
    Open a connection to the host and port of `url` and close it; sends nothing, blocks.

    Raises:
        OSError: No server listens there.
    """
    parts = urlsplit(url)
    address = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    socket.create_connection(address, timeout_seconds).close()


async def close_response(response: httpx.Response, chunks: AsyncIterator[bytes]) -> None:
    """
    Close the connection of an unfinished response, and the generators that read it.

    httpx nests four generators. Closing the outer one leaves the others to the garbage
    collector, and trio warns about that. Reading on after the close ends all of them.
    """
    import httpx

    with anyio.CancelScope(shield=True):
        await response.aclose()
        with suppress(httpx.HTTPError, httpx.StreamError):  # it was closed
            async for _ in chunks:
                pass
