"""Which provider a command runs on, from its options or else from what is ready here."""

from __future__ import annotations

from dataclasses import dataclass

from dagorch.errors import DefinitionError
from dagorch.http.connections import is_loopback, probe
from dagorch.ports import Provider
from dagorch.providers import SERVICES, ProviderFactory, Router
from dagorch.providers.base import BaseProvider
from dagorch.providers.openai import OpenAIProvider

__all__ = ["Chosen", "choose"]

_CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """A provider, and for the user why it is this one."""

    router: Router
    """Finds it, and those of the other models that a workflow names."""
    provider: Provider
    why: str
    model: str | None = None
    """What the workflow must ask for; None is the provider's own default."""


def choose(name: str | None, model: str | None, base_url: str | None) -> Chosen:
    """
    Make the provider that the options mean.

    Without a name: that of the address, else of the model, else the first service whose key is
    set, else the local model.

    Raises:
        DefinitionError: The name or the model is unknown, a key is missing, or nothing listens at
            an address on this machine.
    """
    if model is not None and name is None and base_url is None and not model.endswith(".gguf"):
        router = Router()
        provider, model = router.find(model)
        chosen = Chosen(router, provider, f"it has the model {model}", model)
    else:
        given, why = _given(name, model, base_url)
        chosen = Chosen(Router(given), given, why)
    _check_address(chosen.provider)
    return chosen


def _given(name: str | None, model: str | None, base_url: str | None) -> tuple[BaseProvider, str]:
    """Make the provider that is meant where no model's name tells it."""
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


def _check_address(provider: Provider) -> None:
    """See whether somebody listens, where that can be known for nothing: on this machine."""
    address = getattr(provider, "base_url", "")
    if not address or not is_loopback(address):
        return
    try:
        probe(address, _CONNECT_SECONDS)
    except OSError as error:
        raise DefinitionError(
            f"nothing answers at {address} ({error.strerror or error}); "
            "start the server, or give another --base-url or --provider"
        ) from None
