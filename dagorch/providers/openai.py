"""The provider for services that speak OpenAI's chat completions: OpenAI and many others."""

from __future__ import annotations

from typing import ClassVar

from dagorch.providers.dialect import Dialect
from dagorch.providers.http_provider import HttpProvider
from dagorch.providers.openai_wire import OPENAI

__all__ = ["OpenAIProvider"]


class OpenAIProvider(HttpProvider):
    """
    A service that speaks OpenAI's chat completions.

    `base_url` is the address before `/chat/completions`: `https://api.openai.com/v1`. For the
    other arguments see `HttpProvider`.

    Example:
        >>> OpenAIProvider("https://api.example.com/v1", name="example", default_model="small")
        <OpenAIProvider 'example' model='small' at https://api.example.com/v1>
    """

    DIALECT: ClassVar[Dialect] = OPENAI
