"""Providers: adapters for model services. Names load when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_MODULES = {
    "SERVICES": "registry",
    "AnthropicProvider": "http_provider",
    "BaseProvider": "base",
    "CompletionMethods": "base",
    "GeminiProvider": "http_provider",
    "HttpProvider": "http_provider",
    "Limits": "base",
    "LocalProvider": "local",
    "OpenAIProvider": "http_provider",
    "ProviderFactory": "factory",
    "ProviderInfo": "factory",
    "Route": "registry",
    "Router": "router",
    "ScriptedProvider": "scripted",
    "Service": "registry",
    "TextStream": "base",
    "Timeouts": "http_client",
    "adapt": "adapter",
    "route": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
