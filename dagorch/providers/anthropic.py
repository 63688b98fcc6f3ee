"""The provider for services that speak Anthropic's Messages: Anthropic and compatible servers."""

from __future__ import annotations

from typing import ClassVar

from dagorch.providers.anthropic_wire import ANTHROPIC
from dagorch.providers.dialect import Dialect
from dagorch.providers.http_provider import HttpProvider

__all__ = ["AnthropicProvider"]


class AnthropicProvider(HttpProvider):
    """
    A service that speaks Anthropic's Messages.

    `base_url` is the address before `/v1/messages`, such as `https://api.anthropic.com`; a final
    `/v1` is removed. For the other arguments see `HttpProvider`.

    The service requires `max_tokens`. A request without it is sent with the model's known limit,
    else with 32,000 for a Claude and 8,192 for any other model.

    Example:
        >>> AnthropicProvider("https://example.com/v1", default_model="claude-haiku-4-5")
        <AnthropicProvider 'anthropic' model='claude-haiku-4-5' at https://example.com>
    """

    DIALECT: ClassVar[Dialect] = ANTHROPIC
