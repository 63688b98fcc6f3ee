"""Services with OpenAI's chat completions: OpenAI, and the many that took its protocol over."""

from __future__ import annotations

from typing import ClassVar

from dagorch.providers.dialect import Dialect
from dagorch.providers.http_provider import HttpProvider
from dagorch.providers.openai_wire import OPENAI

__all__ = ["OpenAIProvider"]


class OpenAIProvider(HttpProvider):
    """
    A service with OpenAI's chat completions.

    `base_url` is the address before `/chat/completions`: `https://api.openai.com/v1`. The other
    arguments are `HttpProvider`'s.

    Example:
        >>> OpenAIProvider("https://api.example.com/v1", name="example", default_model="small")
        <OpenAIProvider 'example' model='small' at https://api.example.com/v1>
    """

    DIALECT: ClassVar[Dialect] = OPENAI
