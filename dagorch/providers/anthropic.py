"""Services with Anthropic's Messages: Anthropic, and servers that offer it beside OpenAI's."""

from __future__ import annotations

from typing import ClassVar

from dagorch.providers.anthropic_wire import ANTHROPIC
from dagorch.providers.dialect import Dialect
from dagorch.providers.http_provider import HttpProvider

__all__ = ["AnthropicProvider"]


class AnthropicProvider(HttpProvider):
    """
    A service with Anthropic's Messages.

    `base_url` is the address before `/v1/messages`: `https://api.anthropic.com`; one that ends
    with `/v1` is understood as well. The other arguments are `HttpProvider`'s.

    A request without `max_tokens` is sent with the model's known limit, as the service demands
    a number; with 32,000 for a Claude and 8,192 for another model whose limit is not known.

    Example:
        >>> AnthropicProvider("https://example.com/v1", default_model="claude-haiku-4-5")
        <AnthropicProvider 'anthropic' model='claude-haiku-4-5' at https://example.com>
    """

    DIALECT: ClassVar[Dialect] = ANTHROPIC
