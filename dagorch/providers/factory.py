"""
Providers by name: the one place that reads keys and addresses from the environment.

It reads them when it is asked, never at import, and knows no service by itself: those are the
registry's data.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dagorch.errors import DefinitionError
from dagorch.http.connections import is_loopback, probe
from dagorch.models.limits import Limits
from dagorch.providers.anthropic import AnthropicProvider
from dagorch.providers.base import BaseProvider
from dagorch.providers.gemini import GeminiProvider
from dagorch.providers.http_client import Timeouts
from dagorch.providers.http_provider import HttpProvider
from dagorch.providers.local import LocalProvider, local_missing
from dagorch.providers.local_model import MODEL_NAME
from dagorch.providers.openai import OpenAIProvider
from dagorch.providers.prices import LOOSE_NAMES, Price
from dagorch.providers.registry import (
    PROVIDER_NAMES,
    SERVICES,
    DialectName,
    Service,
    unknown_provider,
)
from dagorch.providers.scripted import SCRIPTED_MODEL, ScriptedProvider

__all__ = ["ProviderFactory", "ProviderInfo"]

_PROBE_SECONDS = 0.2
_SPEAKING: Final[Mapping[DialectName, type[HttpProvider]]] = {
    "openai": OpenAIProvider,
    "anthropic": AnthropicProvider,
    "gemini": GeminiProvider,
}


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """What stands between a provider and its first answer."""

    name: str
    ready: bool
    missing: str
    """What to do before it can be used; empty if it is ready."""
    default_model: str


class ProviderFactory:
    """Makes providers; holds nothing."""

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
        Make the provider called `name`.

        Args:
            name: A service's, `local` (a small model inside this process) or `scripted`.
            model: Its default model; None takes the service's usual one. For `local`, also the
                path of a GGUF file.
            api_key: None reads the service's environment variable (`OPENAI_API_KEY`).
            base_url: None reads `{NAME}_BASE_URL`, else takes the service's own address. At any
                other address a key is sent if there is one, and not asked for. Prices stay the
                service's.
            prices: `{model: (input, output)}` in dollars per million tokens.
            max_concurrency: Exchanges under way at once with a service.
            timeouts: How long each silence of a service is borne.
            limits: Requests and tokens per window that your account has with a service, and
                with single models of it; the engine keeps to them over all runs of an event loop.

        Raises:
            DefinitionError: The name is unknown, or a key is missing; the message names the
                environment variable.

        Example:
            >>> ProviderFactory.get_provider("xai", api_key="...", model="grok-3-mini")
            <OpenAIProvider 'xai' model='grok-3-mini' at https://api.x.ai/v1>
        """
        if name == "local":
            return _local(model)
        if name == "scripted":
            return ScriptedProvider(default_model=model or SCRIPTED_MODEL, limits=limits)
        service = SERVICES.get(name)
        if service is None:
            raise unknown_provider(name)
        address = base_url or os.environ.get(service.base_url_env) or service.base_url
        is_own = service.is_at(address)
        key = api_key or _key(service)
        if is_own and service.key_env and not key:
            raise DefinitionError(
                f"provider {name!r} needs a key: set the environment variable "
                f"{' or '.join(service.key_env)}, or give api_key"
            )
        return _SPEAKING[service.dialect](
            address,
            name=name,
            api_key=key,
            default_model=model or service.default_model,
            max_concurrency=max_concurrency,
            prices=prices,
            price_service=service.price_service,
            free=service.own_machine,
            # A server of the user's own may know models by names that we would replace.
            aliases=LOOSE_NAMES if is_own else None,
            key_env=service.key_env[0] if service.key_env else "",
            timeouts=timeouts,
            limits=limits,
        )

    @staticmethod
    def list_providers() -> list[ProviderInfo]:
        """
        Say of every provider whether it is ready to use, and if not what is missing.

        Sends nothing to any service; a server on this machine is ready if something listens
        at its port.
        """
        return [_info(name) for name in PROVIDER_NAMES]


def _info(name: str) -> ProviderInfo:
    if name == "local":
        missing, model = local_missing(), MODEL_NAME
    elif name == "scripted":
        missing, model = "", SCRIPTED_MODEL
    else:
        service = SERVICES[name]
        missing, model = _missing(service), service.default_model
    return ProviderInfo(name, not missing, missing, model)


def _missing(service: Service) -> str:
    address = os.environ.get(service.base_url_env) or service.base_url
    if is_loopback(address) and not _listens(address):
        return f"no server listens at {address}"
    if service.is_at(address) and service.key_env and not _key(service):
        return f"set {' or '.join(service.key_env)}"
    return ""


def _key(service: Service) -> str:
    """Give the service's key from the environment; empty if none is set."""
    return next((key for env in service.key_env if (key := os.environ.get(env, "").strip())), "")


def _listens(address: str) -> bool:
    try:
        probe(address, _PROBE_SECONDS)
    except OSError:
        return False
    return True


def _local(model: str | None) -> LocalProvider:
    if model is None or model == MODEL_NAME:
        return LocalProvider()
    if model.endswith(".gguf"):
        return LocalProvider(model_path=model)
    raise DefinitionError(
        f"provider 'local' has the model {MODEL_NAME!r}, or any GGUF file: "
        f"{model!r} is neither; give the path of a .gguf file"
    )
