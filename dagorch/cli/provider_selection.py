"""Selects the provider of a run: from the options, or else one that is ready here."""

from __future__ import annotations

from dataclasses import dataclass

from dagorch.errors import DefinitionError
from dagorch.http.connections import is_loopback, probe
from dagorch.ports import Provider
from dagorch.providers import SERVICES, ProviderFactory, Router
from dagorch.providers.base import BaseProvider
from dagorch.providers.http_provider import OpenAIProvider

__all__ = ["ProviderSelection", "select_provider"]

_CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProviderSelection:
    """A provider, and the reason why it was selected."""

    provider: Provider
    reason: str
    model: str | None = None
    """The model of the workflow; None is the provider's default."""


def select_provider(name: str | None, model: str | None, base_url: str | None) -> ProviderSelection:
    """
    Make the provider that the options select.

    Without a name: the server at the address, else the service of the model, else the first
    service whose key is set, else the local model.

    Raises:
        DefinitionError: The name or the model is unknown, a key is missing, or no server listens
            at an address of this machine.
    """
    if model is not None and name is None and base_url is None and not model.endswith(".gguf"):
        provider, model = Router().find(model)
        selection = ProviderSelection(provider, f"it has the model {model}", model)
    else:
        selection = ProviderSelection(*_by_name_or_default(name, model, base_url))
    _check_reachable(selection.provider)
    return selection


def _by_name_or_default(
    name: str | None, model: str | None, base_url: str | None
) -> tuple[BaseProvider, str]:
    if name is not None:
        return ProviderFactory.get_provider(name, model=model, base_url=base_url), "--provider"
    if base_url is not None:
        return OpenAIProvider(base_url, default_model=model or ""), "--base-url"
    if model is not None:
        return ProviderFactory.get_provider("local", model=model), "--model is a file"
    for info in ProviderFactory.list_providers():
        service = SERVICES.get(info.name)
        if service is not None and service.key_env and info.ready:
            return ProviderFactory.get_provider(info.name), "its key is set"
    try:
        return ProviderFactory.get_provider("local"), "no service's key is set"
    except DefinitionError as error:
        raise DefinitionError(
            f"no service's key is set ('dagorch providers' lists them), and {error}"
        ) from error


def _check_reachable(provider: Provider) -> None:
    """Connect to a server on this machine, where that costs nothing."""
    address = getattr(provider, "base_url", "")
    if not address or not is_loopback(address):
        return
    try:
        probe(address, _CONNECT_SECONDS)
    except OSError as error:
        raise DefinitionError(
            f"nothing answers at {address} ({error.strerror or error}); "
            "start the server, or change --base-url or --provider"
        ) from None
