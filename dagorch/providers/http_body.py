"""A request's body as httpx takes it; imported with the first request, as httpx is."""

from __future__ import annotations

from typing import Self

import httpx

__all__ = ["Body"]


class Body(httpx.AsyncByteStream):
    """
    One piece of bytes, to be read once.

    httpx's own is a generator: where sending ends early it is left to the garbage collector,
    of which trio warns.
    """

    def __init__(self, piece: bytes) -> None:
        self._pieces = [piece]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()
