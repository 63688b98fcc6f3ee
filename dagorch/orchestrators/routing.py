"""Which provider answers which model of a config, by name, before anything runs; no calls here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from dagorch.errors import DefinitionError
from dagorch.ports import Provider
from dagorch.providers.adapter import adapt
from dagorch.providers.registry import PROVIDER_NAMES, SERVICES, route, unknown_model

__all__ = ["Place", "Routing"]

NO_PROVIDER: Final = (
    "no provider: give the orchestrator one, such as ProviderFactory.get_provider('local'), "
    "or set primary_model to a model whose service's key is set"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model runs."""

    provider: str = ""
    """A name; empty is the provider given."""
    model: str = ""
    """As that provider knows it; empty is its default."""


class Routing:
    """
    The providers of one orchestrator.

    A model of the given provider's service runs on that very object, others on those given by
    name, else on one made from the environment at its first use. A provider that is nobody
    else's (a user's own object) takes every model that no other was named for.

    Args:
        given: The orchestrator's provider, or None.
        others: By name of the service, or of the model.

    Raises:
        DefinitionError: One of them cannot be a provider.
    """

    def __init__(self, given: object | None, others: Mapping[str, object] | None = None) -> None:
        self.given: Provider | None = None if given is None else adapt(given)
        self._others = {name: adapt(other) for name, other in (others or {}).items()}
        self._made: dict[str, Provider] = {}

    def place(self, model: str | None) -> Place:
        """
        Find where a model runs; None is the given provider's default.

        Raises:
            DefinitionError: No provider is known for it; the nearest names are given.
        """
        if model is None:
            return Place()
        given, others = self.given, self._others
        prefix, colon, rest = model.partition(":")
        if colon and rest and prefix in others:
            return Place(prefix, rest)
        if model in others:
            return Place(model, model)
        if given is not None and model == given.default_model:
            return Place("", model)
        if given is not None and colon and rest and prefix == given.name:
            return Place("", rest)
        found = route(model)
        if found is None:
            if given is not None and not _takes_any(given):
                raise unknown_model(model)
            return Place("", model)
        if given is not None and found.provider == given.name:
            return Place("", found.model)
        if found.provider in others:
            return Place(found.provider, found.model)
        if given is not None and given.name not in PROVIDER_NAMES and found.model == model:
            return Place("", model)
        return Place(found.provider, found.model)

    def address(self, place: Place) -> str:
        """Write a place as `name:model`, as a run's policies name models."""
        name = place.provider or (self.given.name if self.given is not None else "")
        return f"{name}:{place.model}" if name else place.model

    def provider(self, place: Place) -> Provider:
        """
        Give the provider of a place, made if need be.

        Raises:
            DefinitionError: There is none, or its key is missing.
        """
        if not place.provider:
            if self.given is None:
                raise DefinitionError(NO_PROVIDER)
            return self.given
        if place.provider in self._others:
            return self._others[place.provider]
        made = self._made.get(place.provider)
        if made is None:
            made = self._made[place.provider] = self._make(place)
        return made

    def _make(self, place: Place) -> Provider:
        from dagorch.providers.factory import ProviderFactory

        try:
            return ProviderFactory.get_provider(place.provider, model=place.model)
        except DefinitionError as error:
            hint = ""
            if self.given is not None:
                hint = f"; to run it on the provider given, write '{self.given.name}:{place.model}'"
            raise DefinitionError(
                f"model {place.model!r} is one of {place.provider}'s: {error}{hint}"
            ) from None

    def of_run(self, places: Iterable[Place]) -> dict[str, Provider]:
        """
        Give the providers of a run's places by name; the first takes what names none.

        Raises:
            DefinitionError: As `provider`; nothing has been sent.
        """
        wanted = list(dict.fromkeys(places))
        first = (
            Place() if self.given is not None else next((p for p in wanted if p.provider), Place())
        )
        return {place.provider: self.provider(place) for place in (first, *wanted)}

    async def close_made(self) -> None:
        """Close what was made here; it can be used again."""
        for provider in self._made.values():
            await provider.aclose()


def _takes_any(given: Provider) -> bool:
    """Whether a provider may know models whose names tell no service."""
    service = SERVICES.get(given.name)
    if service is None:
        return given.name not in PROVIDER_NAMES
    address = getattr(given, "base_url", service.base_url)
    return not service.models or address != service.base_url
