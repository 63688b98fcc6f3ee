"""A request body in httpx's own type; imported with the first request, as httpx is."""

from __future__ import annotations

from typing import Self

import httpx

__all__ = ["RequestBody"]


class RequestBody(httpx.AsyncByteStream):
    """
    A body in one chunk, to be read once.

    httpx's own stream is a generator. When sending ends early, that generator is left to the
    garbage collector, and trio warns about it.
    """

    def __init__(self, chunk: bytes) -> None:
        self._chunks = [chunk]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._chunks:
            raise StopAsyncIteration
        return self._chunks.pop()
