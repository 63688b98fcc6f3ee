"""The provider for services that speak Google Gemini's generateContent."""

from __future__ import annotations

from typing import ClassVar

from dagorch.providers.dialect import Dialect
from dagorch.providers.gemini_wire import GEMINI
from dagorch.providers.http_provider import HttpProvider

__all__ = ["GeminiProvider"]


class GeminiProvider(HttpProvider):
    """
    A service that speaks Google Gemini's generateContent.

    `base_url` is the address before `/models/...`, with the protocol's version:
    `https://generativelanguage.googleapis.com/v1beta`. For the other arguments see
    `HttpProvider`.

    Example:
        >>> GeminiProvider("https://example.com/v1beta", default_model="gemini-2.5-flash")
        <GeminiProvider 'gemini' model='gemini-2.5-flash' at https://example.com/v1beta>
    """

    DIALECT: ClassVar[Dialect] = GEMINI
