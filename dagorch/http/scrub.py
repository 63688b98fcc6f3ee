"""Removing keys from texts and values before they are shown or written."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["HIDDEN", "Scrubber", "remove_secrets", "scrub_text"]

HIDDEN: Final = "***"
"""What stands in the place of a key."""
_MIN_LENGTH: Final = 8
"""A shorter value is a placeholder, such as `ollama`; hiding it would garble other words."""
_UNMISTAKABLE_LENGTH: Final = 16
"""A value of this length is hidden inside longer words, too."""
_KEY: Final = re.compile(
    # Each begins at the start of a word, so that a text of many beginnings takes linear time.
    r"(?<![\w.-])(?:"
    # No words in a row such as `sk-learn-something`: a digit, or many letters without a hyphen.
    r"(?:sk|pk|rk|xai|gsk|hf|pplx)[-_](?=[\w-]*(?:\d|[A-Za-z]{16}))[\w-]{16,}"
    r"|key[-_][A-Za-z0-9]{16,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|A(?:KI|SI)A[A-Z0-9]{12,}|AIza[\w-]{20,}|ya29\.[\w.-]{16,}"
    r"|xox[a-z]-[\w-]{10,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|Bearer\s+(?=[A-Za-z]*[0-9._~+/=-]+[A-Za-z0-9])[A-Za-z0-9._~+/=-]{8,}"
    r")|(?<=://)[^\s/@:\"'<>]*:[^\s/@\"'<>]+(?=@)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----"
)
"""Keys of services as they document them, tokens, and logins in addresses."""
_BASIC: Final = re.compile(r"\bBasic\s+([A-Za-z0-9+/]{4,}={0,2})")
_SECRET_NAME: Final = re.compile(
    r"(?:.*[-_.])?(?:authorization|api[-_]?key|(?:access|auth|refresh|id|api|session|bearer)?"
    r"[-_]?token|(?:client[-_]?)?secret(?:[-_]?key)?|pass(?:word|wd|phrase)|(?:set[-_])?cookie)",
    re.IGNORECASE,
)
_SECRET_FIELD: Final = re.compile(
    r"""((?:authorization|api[-_]?key|password|secret[-_]?key)["']?\s*[:=]\s*)"""
    r"""("(?:[^"\\]|\\.){1,4000}"|'[^']{1,4000}')""",
    re.IGNORECASE,
)
"""A field of JSON or of code, inside a text."""


def remove_secrets(text: str, secrets: Iterable[str]) -> str:
    """
    Remove known secrets from a text.

    Args:
        text: Any text.
        secrets: One of fewer than 8 characters stays; one of fewer than 16 is removed only
            where it is a word of its own.

    Example:
        >>> remove_secrets("the key sk-12345 expired", ["sk-12345"])
        'the key *** expired'
        >>> remove_secrets("check the key", ["k", "key"])
        'check the key'
    """
    for secret in secrets:
        if len(secret) < _MIN_LENGTH or secret not in text:
            continue
        if len(secret) >= _UNMISTAKABLE_LENGTH:
            text = text.replace(secret, HIDDEN)
        else:
            whole = rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])"
            text = re.sub(whole, HIDDEN, text)
    return text


def scrub_text(text: str) -> str:
    """
    Remove what looks like a key from a text.

    Example:
        >>> scrub_text("see https://me:pass@example.org with ghp_0123456789abcdefghij")
        'see https://***@example.org with ***'
        >>> scrub_text("Basic knowledge, bearer bonds and key-performance-indicators")
        'Basic knowledge, bearer bonds and key-performance-indicators'
    """
    text = _KEY.sub(HIDDEN, text)
    if "asic" in text:
        text = _BASIC.sub(_without_login, text)
    return _SECRET_FIELD.sub(rf'\1"{HIDDEN}"', text)


def _without_login(found: re.Match[str]) -> str:
    """Hide a login, `user:password` in base64, but no word that follows `Basic`."""
    try:
        is_login = b":" in base64.b64decode(found[1], validate=True)
    except ValueError:
        is_login = False
    return f"Basic {HIDDEN}" if is_login else found[0]


class Scrubber:
    """
    Removes keys from plain JSON: known secrets, what looks like a key, and fields of such names.

    Args:
        secrets: Texts to remove.

    Example:
        >>> Scrubber()({"headers": {"Authorization": ["abc"]}, "max_tokens": 5})
        {'headers': {'Authorization': ['***']}, 'max_tokens': 5}
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(secrets)

    def __call__(self, value: Any) -> Any:
        """Return a copy without keys."""
        if isinstance(value, Mapping):
            return {
                self(key): _hidden(inner) if _is_secret(key) else self(inner)
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self(inner) for inner in value]
        if isinstance(value, str):
            return scrub_text(remove_secrets(value, self._secrets))
        return value


def _is_secret(name: object) -> bool:
    return isinstance(name, str) and _SECRET_NAME.fullmatch(name) is not None


def _hidden(value: Any) -> Any:
    """Hide every text in a field that holds a secret."""
    if isinstance(value, Mapping):
        return {key: _hidden(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(inner) for inner in value]
    return HIDDEN if isinstance(value, str) else value
