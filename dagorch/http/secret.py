"""Secrets: API keys and passwords that no repr, log or error message shows."""

from __future__ import annotations

import functools
import hashlib
import logging
import secrets
from typing import Final, NoReturn, Self
from weakref import WeakSet

from dagorch.http.scrub import remove_secrets

__all__ = ["Secret"]

_HTTP_LOGGERS: Final = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")
"""They log addresses and response headers, in which a service may echo a key."""


class Secret:
    """
    An API key or token that no repr, log or traceback shows; falsy when empty.

    Args:
        value: The key.
        also: More texts to hide, such as the password in an address.
    """

    __slots__ = ("__weakref__", "_also", "_value")

    def __init__(self, value: str = "", *also: str) -> None:
        self._value = value
        self._also = tuple(text for text in also if text)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    def reveal(self) -> str:
        """Return the key itself, for the header that carries it."""
        return self._value

    @property
    def digest(self) -> str:
        """
        A hash that tells keys apart within this process and cannot be reversed.

        Example:
            >>> Secret("sk-123").digest == Secret("sk-123").digest != Secret("sk-456").digest
            True
        """
        return hashlib.blake2b(self._value.encode(), key=_salt(), digest_size=16).hexdigest()

    def scrub(self, text: str) -> str:
        """
        Replace the key in `text` with asterisks; see `remove_secrets`.

        Example:
            >>> Secret("sk-12345").scrub("the key sk-12345 expired")
            'the key *** expired'
        """
        return remove_secrets(text, (self._value, *self._also))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled, because the bytes would show its key")

    def hide_in_logs(self) -> None:
        """Scrub the key from what httpx and httpcore log, from now on and at every level."""
        _HIDDEN.add(self)
        for name in _HTTP_LOGGERS:
            logging.getLogger(name).addFilter(_scrub_record)  # adding it again has no effect


@functools.cache
def _salt() -> bytes:
    """Return random bytes, new in each process, so that a digest cannot be matched by guessing."""
    return secrets.token_bytes(32)


_HIDDEN: Final[WeakSet[Secret]] = WeakSet()


def _scrub_record(record: logging.LogRecord) -> bool:
    """Let every record pass, with keys scrubbed."""
    message = scrubbed = record.getMessage()
    for secret in list(_HIDDEN):
        scrubbed = secret.scrub(scrubbed)
    if scrubbed != message:
        record.msg, record.args = scrubbed, None
    return True
