"""
Creates providers by name; the only module that reads keys and addresses from the environment.

It reads them on each call, never at import.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dagorch.errors import DefinitionError
from dagorch.http.connections import is_loopback, probe
from dagorch.models.limits import Limits
from dagorch.providers.base import BaseProvider
from dagorch.providers.http_client import Timeouts
from dagorch.providers.http_provider import (
    AnthropicProvider,
    GeminiProvider,
    HttpProvider,
    OpenAIProvider,
    split_login,
)
from dagorch.providers.local import LocalProvider, missing_for_local
from dagorch.providers.local_model import MODEL_NAME
from dagorch.providers.prices import MODEL_ALIASES, Price
from dagorch.providers.registry import (
    PROVIDER_NAMES,
    SERVICES,
    DialectName,
    Service,
    unknown_provider_error,
)
from dagorch.providers.scripted import SCRIPTED_MODEL, ScriptedProvider

__all__ = ["ProviderFactory", "ProviderInfo"]

_PROBE_SECONDS = 0.2
_CLASSES: Final[Mapping[DialectName, type[HttpProvider]]] = {
    "openai": OpenAIProvider,
    "anthropic": AnthropicProvider,
    "gemini": GeminiProvider,
}


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """Whether a provider is ready to use."""

    name: str
    ready: bool
    missing: str
    """What to do before it can be used; empty if it is ready."""
    default_model: str


class ProviderFactory:
    """Creates providers; has no state."""

    @staticmethod
    def get_provider(
        name: str,
        model: str | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        prices: Mapping[str, Price] | None = None,
        max_concurrency: int | None = 100,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
    ) -> BaseProvider:
        """
        Create the provider called `name`.

        Args:
            name: A service, `local` (a small model on this machine) or `scripted`.
            model: The default model; None for the service's usual one. For `local`, also the
                path of a GGUF file.
            api_key: None reads the service's environment variable (`OPENAI_API_KEY`).
            base_url: None reads `{NAME}_BASE_URL`, else uses the service's own address. At any
                other address a key is optional. Prices stay the service's.
            prices: `{model: (input, output)}` in dollars per million tokens.
            max_concurrency: Concurrent exchanges with a service; None for no limit.
            timeouts: How long a service may be silent.
            limits: Requests and tokens per window of your account and of single models. The
                engine keeps to them over all runs of the process.

        Raises:
            DefinitionError: The name is unknown, or a key is missing; the message names the
                environment variable.

        Example:
            >>> ProviderFactory.get_provider("xai", api_key="...", model="grok-3-mini")
            <OpenAIProvider 'xai' model='grok-3-mini' at https://api.x.ai/v1>
        """
        _check_texts(name=name, model=model, api_key=api_key, base_url=base_url)
        if name == "local":
            return _local_provider(model)
        if name == "scripted":
            return ScriptedProvider(default_model=model or SCRIPTED_MODEL, limits=limits)
        service = SERVICES.get(name)
        if service is None:
            raise unknown_provider_error(name)
        address = base_url or os.environ.get(service.base_url_env) or service.base_url
        is_official = service.is_at(address)
        key = api_key or _key_from_environment(service)
        if is_official and service.key_env and not key:
            variables = " or ".join(service.key_env)
            raise DefinitionError(f"{name}: no API key; set {variables}, or pass api_key=...")
        return _CLASSES[service.dialect](
            address,
            name=name,
            api_key=key,
            default_model=model or service.default_model,
            max_concurrency=max_concurrency,
            prices=prices,
            price_service=service.price_service,
            free=service.self_hosted,
            # A server of the user's may have models whose names are aliases here.
            aliases=MODEL_ALIASES if is_official else None,
            key_env=service.key_env[0] if service.key_env else "",
            timeouts=timeouts,
            limits=limits,
        )

    @staticmethod
    def list_providers() -> list[ProviderInfo]:
        """
        List all providers, with what is missing for those that are not ready.

        Sends nothing to any service. A server on this machine is ready if something listens on
        its port.
        """
        return [_info(name) for name in PROVIDER_NAMES]


def _info(name: str) -> ProviderInfo:
    if name == "local":
        missing, model = missing_for_local(), MODEL_NAME
    elif name == "scripted":
        missing, model = "", SCRIPTED_MODEL
    else:
        service = SERVICES[name]
        missing, model = _missing_for_service(service), service.default_model
    return ProviderInfo(name, not missing, missing, model)


def _missing_for_service(service: Service) -> str:
    address = os.environ.get(service.base_url_env) or service.base_url
    try:
        shown, _ = split_login(address)
        if is_loopback(shown):
            probe(shown, _PROBE_SECONDS)
    except DefinitionError as error:
        return f"{service.base_url_env}: {error}"
    except OSError:
        return f"no server listens at {shown}"
    if service.is_at(address) and service.key_env and not _key_from_environment(service):
        return f"set {' or '.join(service.key_env)}"
    return ""


def _key_from_environment(service: Service) -> str:
    return next((key for env in service.key_env if (key := os.environ.get(env, "").strip())), "")


def _check_texts(name: Any, **options: Any) -> None:
    """Refuse an argument that is not a text, without repeating a key."""
    if not isinstance(name, str):
        raise DefinitionError(
            f"the name of a provider is a text such as 'openai', not {name!r:.60}"
        )
    for option, value in options.items():
        if value is not None and not isinstance(value, str):
            raise DefinitionError(f"{name}: {option}= must be a text, not {type(value).__name__}")


def _local_provider(model: str | None) -> LocalProvider:
    if model is None or model == MODEL_NAME:
        return LocalProvider()
    if model.endswith(".gguf"):
        return LocalProvider(model_path=model)
    raise DefinitionError(
        f"local: unknown model {model!r}; use {MODEL_NAME!r} or the path of a .gguf file"
    )
