"""Decompression of bodies in pieces of bounded size: two kilobytes of gzip can hold a gigabyte."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

__all__ = ["InflateError", "Inflater"]

_MAX_PIECE_BYTES: Final = 64 * 1024
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_ENCODINGS: Final = ("gzip", "x-gzip", "deflate")


class InflateError(Exception):
    """A body is compressed in a way that cannot be decoded."""


class Inflater:
    """
    Decodes a body with one `content-encoding`.

    Args:
        encoding: The header's value; empty and `identity` pass the bytes through.

    Raises:
        InflateError: The encoding is none of gzip, deflate and identity.

    Example:
        >>> import gzip
        >>> b"".join(Inflater("gzip").feed(gzip.compress(b"Hello")))
        b'Hello'
    """

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name not in ("", "identity", *_ENCODINGS):
            raise InflateError(f"the unknown content-encoding {name[:40]!r}")
        self._is_plain = name not in _ENCODINGS
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """
        Yield what the chunk decodes to, in pieces of at most 64 KB; stop when it is too much.

        Raises:
            InflateError: It cannot be decoded.
        """
        if self._is_plain:
            yield chunk
            return
        piece = b""
        while chunk or len(piece) == _MAX_PIECE_BYTES:
            try:
                piece = self._stream.decompress(chunk, _MAX_PIECE_BYTES)
            except zlib.error as error:
                raise InflateError(f"a compressed body that cannot be decoded ({error})") from None
            if piece:
                yield piece
            if self._stream.eof:  # a gzip file may have several members
                chunk, self._stream = self._stream.unused_data, zlib.decompressobj(_GZIP_OR_ZLIB)
            else:
                chunk = self._stream.unconsumed_tail
