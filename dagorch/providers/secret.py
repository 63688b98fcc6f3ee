"""A key that nothing shows: held here, taken out of texts, and out of the log of foreign code."""

from __future__ import annotations

import functools
import hashlib
import logging
import secrets
from typing import Final
from weakref import WeakSet

__all__ = ["Secret"]

_FOREIGN_LOGGERS: Final = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")
"""Who logs addresses and the headers of replies; a service may echo a key in those."""
_MIN_CHARS: Final = 8
"""A shorter text is a placeholder, and may stand in a log for other reasons."""


class Secret:
    """
    A key that no repr, log or traceback shows; empty is no key.

    Args:
        value: The key.
        also: Further texts to hide, such as the password in an address.
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
        """Give the key itself, for the one header that carries it."""
        return self._value

    @property
    def mark(self) -> str:
        """
        What tells this key from others as long as this process lives; nothing leads back to it.

        Example:
            >>> Secret("sk-123").mark == Secret("sk-123").mark != Secret("sk-456").mark
            True
        """
        return hashlib.blake2b(self._value.encode(), key=_salt(), digest_size=16).hexdigest()

    def scrub(self, text: str) -> str:
        """
        Give `text` without the key.

        Example:
            >>> Secret("sk-123").scrub("the key sk-123 expired")
            'the key *** expired'
        """
        for hidden in (self._value, *self._also):
            if hidden:
                text = text.replace(hidden, "***")
        return text

    def hide_in_logs(self) -> None:
        """Keep the key out of what httpx and httpcore log, from now on and at every level."""
        if max(map(len, (self._value, *self._also))) < _MIN_CHARS:
            return
        _HIDDEN.add(self)
        for name in _FOREIGN_LOGGERS:
            logging.getLogger(name).addFilter(_scrub_record)  # once: adding it again does nothing


@functools.cache
def _salt() -> bytes:
    """Chance, new in each process: without it a mark could be compared with those of guesses."""
    return secrets.token_bytes(32)


_HIDDEN: Final[WeakSet[Secret]] = WeakSet()


def _scrub_record(record: logging.LogRecord) -> bool:
    """Let every record pass, those that show a key without it."""
    said = shown = record.getMessage()
    for secret in list(_HIDDEN):
        shown = secret.scrub(shown)
    if shown != said:
        record.msg, record.args = shown, None
    return True
