"""Providers: adapters for model services. Names load when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagorch.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from dagorch.models.limits import Limits
    from dagorch.providers.adapter import adapt
    from dagorch.providers.base import BaseProvider, CompletionMethods, TextStream
    from dagorch.providers.factory import ProviderFactory, ProviderInfo
    from dagorch.providers.http_client import Timeouts
    from dagorch.providers.http_provider import (
        AnthropicProvider,
        GeminiProvider,
        HttpProvider,
        OpenAIProvider,
    )
    from dagorch.providers.local import LocalProvider
    from dagorch.providers.registry import SERVICES, Route, Service, route
    from dagorch.providers.router import Router
    from dagorch.providers.scripted import ScriptedProvider

__all__ = [
    "SERVICES",
    "AnthropicProvider",
    "BaseProvider",
    "CompletionMethods",
    "GeminiProvider",
    "HttpProvider",
    "Limits",
    "LocalProvider",
    "OpenAIProvider",
    "ProviderFactory",
    "ProviderInfo",
    "Route",
    "Router",
    "ScriptedProvider",
    "Service",
    "TextStream",
    "Timeouts",
    "adapt",
    "route",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dagorch.models.limits": "Limits",
        "dagorch.providers.adapter": "adapt",
        "dagorch.providers.base": "BaseProvider CompletionMethods TextStream",
        "dagorch.providers.factory": "ProviderFactory ProviderInfo",
        "dagorch.providers.http_client": "Timeouts",
        "dagorch.providers.http_provider": (
            "AnthropicProvider GeminiProvider HttpProvider OpenAIProvider"
        ),
        "dagorch.providers.local": "LocalProvider",
        "dagorch.providers.registry": "SERVICES Route Service route",
        "dagorch.providers.router": "Router",
        "dagorch.providers.scripted": "ScriptedProvider",
    },
)
