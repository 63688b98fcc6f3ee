"""
The known services, as data, and which of them serves a model.

Nothing is created and no environment is read here; see `factory`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from dagorch.errors import DefinitionError, did_you_mean

__all__ = ["PROVIDER_NAMES", "SERVICES", "DialectName", "Route", "Service", "route"]

DialectName = Literal["openai", "anthropic", "gemini"]


@dataclass(frozen=True, slots=True)
class Service:
    """One service, and how to reach it."""

    name: str
    base_url: str
    """The documented address, before the path that the dialect adds."""
    key_env: tuple[str, ...] = ()
    """Environment variables that may hold the key, the usual one first; empty: no key needed."""
    default_model: str = ""
    """Empty for a server whose models its user chooses."""
    price_service: str = ""
    """Its name in genai-prices; empty searches all services."""
    model_prefixes: tuple[str, ...] = ()
    """A model whose name begins so belongs to the service."""
    dialect: DialectName = "openai"

    @property
    def self_hosted(self) -> bool:
        """Whether the user runs it, so that it needs no key and costs nothing."""
        return not self.key_env

    def is_at(self, address: str) -> bool:
        """Return whether `address` is the service's own, with or without a final `/v1`."""

        def trimmed(url: str) -> str:
            return url.rstrip("/").removesuffix("/v1")

        return trimmed(address) == trimmed(self.base_url)

    @property
    def base_url_env(self) -> str:
        """The environment variable that replaces `base_url`."""
        return f"{self.name.upper().replace('-', '_')}_BASE_URL"


SERVICES: Final = {
    service.name: service
    for service in (
        Service(
            "xai", "https://api.x.ai/v1", ("XAI_API_KEY",), "grok-3", "x-ai", ("grok",)
        ),
        Service(
            "openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",), "gpt-4o-mini", "openai",
            ("gpt-", "chatgpt-", "o1", "o3", "o4"),
        ),
        Service(
            "anthropic", "https://api.anthropic.com", ("ANTHROPIC_API_KEY",),
            "claude-sonnet-4-5", "anthropic", ("claude",), "anthropic",
        ),
        Service(
            "groq", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",),
            "llama-3.3-70b-versatile", "groq", ("groq", "llama-3.3-70b-versatile"),
        ),
        Service(
            "mistral", "https://api.mistral.ai/v1", ("MISTRAL_API_KEY",), "mistral-small-latest",
            "mistral",
            ("mistral", "ministral", "magistral", "codestral", "devstral", "pixtral", "open-mi"),
        ),
        Service(
            "gemini", "https://generativelanguage.googleapis.com/v1beta",
            ("GEMINI_API_KEY", "GOOGLE_API_KEY"), "gemini-2.5-flash", "google", ("gemini",),
            "gemini",
        ),
        Service(
            "cohere", "https://api.cohere.ai/compatibility/v1",
            ("COHERE_API_KEY", "CO_API_KEY"), "command-a-03-2025", "cohere", ("command",),
        ),
        Service(
            "perplexity", "https://api.perplexity.ai", ("PERPLEXITY_API_KEY",), "sonar",
            "perplexity", ("sonar",),
        ),
        Service(
            "deepseek", "https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",), "deepseek-chat",
            "deepseek", ("deepseek-",),
        ),
        Service(
            "together", "https://api.together.xyz/v1", ("TOGETHER_API_KEY",),
            "meta-llama/Llama-3.3-70B-Instruct-Turbo", "together",
        ),
        Service(
            "huggingface", "https://router.huggingface.co/v1",
            ("HF_TOKEN", "HUGGINGFACE_API_KEY"), "meta-llama/Llama-3.3-70B-Instruct",
        ),
        Service(
            "openrouter", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",),
            "openai/gpt-4o-mini", "openrouter",
        ),
        Service("ollama", "http://localhost:11434/v1", default_model="llama3.2"),
        Service("lm-studio", "http://localhost:1234/v1"),
        Service("vllm", "http://localhost:8000/v1"),
    )
}  # fmt: skip
_IN_PROCESS: Final = {"local": ("smollm2",), "scripted": ("scripted",)}
"""Providers without a service -> prefixes of their models."""

PROVIDER_NAMES: Final = (*SERVICES, *_IN_PROCESS)
"""Every name that `ProviderFactory.get_provider` knows."""


@dataclass(frozen=True, slots=True)
class Route:
    """The provider of a model, and the model's name without a `provider:` prefix."""

    provider: str
    model: str


def route(model: str) -> Route | None:
    """
    Find the provider of a model by a `provider:` prefix, else by how its name begins.

    The longest prefix wins. A model that many services offer (`llama3.2`, `org/model`) has no
    route: None.

    Example:
        >>> route("claude-3.5")
        Route(provider='anthropic', model='claude-3.5')
        >>> route("ollama:llama3.2:1b")
        Route(provider='ollama', model='llama3.2:1b')
        >>> route("my-own-model") is None
        True
    """
    provider, colon, rest = model.partition(":")
    if colon and rest and provider in PROVIDER_NAMES:
        return Route(provider, rest)
    if "/" in model:
        return None
    prefixes = {service.name: service.model_prefixes for service in SERVICES.values()}
    matches = [
        (prefix, name)
        for name, known in {**prefixes, **_IN_PROCESS}.items()
        for prefix in known
        if model.startswith(prefix)
    ]
    return Route(max(matches, key=lambda pair: len(pair[0]))[1], model) if matches else None


def unknown_provider_error(name: str, known: Iterable[str] = PROVIDER_NAMES) -> DefinitionError:
    """Create the error for an unknown provider name, with a suggestion."""
    known = tuple(dict.fromkeys(known))
    return DefinitionError(
        f"no provider is called {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}"
    )
