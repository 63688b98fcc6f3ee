"""Which provider a command runs on, from its options or else from what is ready here."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from dagorch.errors import DefinitionError
from dagorch.providers import SERVICES, ProviderFactory
from dagorch.providers.base import BaseProvider
from dagorch.providers.http import is_loopback
from dagorch.providers.openai import OpenAIProvider

__all__ = ["Chosen", "choose"]

_CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """A provider, and for the user why it is this one."""

    provider: BaseProvider
    why: str


def choose(name: str | None, model: str | None, base_url: str | None) -> Chosen:
    """
    Make the provider that the options mean.

    Without a name: that of the address, else of the model, else the first service whose key is
    set, else the local model.

    Raises:
        DefinitionError: The name or the model is unknown, a key is missing, or nothing listens at
            an address on this machine.
    """
    if name is not None:
        chosen = Chosen(
            ProviderFactory.get_provider(name, model=model, base_url=base_url), "--provider"
        )
    elif base_url is not None:
        chosen = Chosen(OpenAIProvider(base_url, default_model=model or ""), "--base-url")
    elif model is not None and model.endswith(".gguf"):
        chosen = Chosen(ProviderFactory.get_provider("local", model=model), "--model is a file")
    elif model is not None:
        chosen = Chosen(ProviderFactory.provider_for_model(model), f"it has the model {model}")
    else:
        chosen = _first_ready()
    _check_address(chosen.provider)
    return chosen


def _first_ready() -> Chosen:
    for info in ProviderFactory.list_providers():
        service = SERVICES.get(info.name)
        if service is not None and service.key_env and info.ready:
            return Chosen(ProviderFactory.get_provider(info.name), "its key is set")
    return Chosen(ProviderFactory.get_provider("local"), "no service's key is set")


def _check_address(provider: BaseProvider) -> None:
    """See whether somebody listens, where that can be known for nothing: on this machine."""
    address = getattr(provider, "base_url", "")
    if not address or not is_loopback(address):
        return
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise DefinitionError(
            f"nothing answers at {address} ({error.strerror or error}); "
            "start the server, or give another --base-url or --provider"
        ) from None
