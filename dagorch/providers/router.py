"""
The one way from a model's name to the provider that serves it, for runs and for orchestrators.

What a name tells by itself is the registry's; how a service's provider is made, the factory's.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import current_token

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.ports import Provider
from dagorch.providers.adapter import adapt
from dagorch.providers.registry import PROVIDER_NAMES, SERVICES, Route, route, unknown_provider

__all__ = ["Router"]

_NO_DEFAULT: Final = (
    "no provider: a call that names no model needs one, such as "
    "ProviderFactory.get_provider('local'); give it, or name a model whose service's key is set"
)
_SUGGESTIONS: Final = 3


class _Place(NamedTuple):
    """Where a model runs: `key` is a name given or a service's, or empty for the default."""

    key: str
    model: str


class Router:
    """
    Finds the provider of a model by its name, so that one graph mixes services.

    A model of the default provider's service runs on that very object. Others run on the
    providers given by name, else on one made from the environment (`OPENAI_API_KEY`,
    `OPENAI_BASE_URL` and the like) the first time it is found: one for all models of a service.
    A default provider that is nobody else's (a user's own object) takes every model that no other
    was named for.

    What the router made it closes: on each event loop when the last run there that uses the
    router has ended, and in `aclose`. What was given belongs to whoever made it.

    Args:
        default: A provider, or any object that `adapt` takes; None refuses calls without a model.
        providers: Further ones, by the name of a service, of a model, or by one of your own, for
            `name:model`.

    Raises:
        DefinitionError: One of them cannot be a provider.

    Example:
        >>> from dagorch.providers import ScriptedProvider
        >>> claude = ScriptedProvider("yes", name="anthropic")
        >>> router = Router(ScriptedProvider("no", name="house"), {"anthropic": claude})
        >>> router.find("claude-3.5")
        (<ScriptedProvider 'anthropic' model='scripted'>, 'claude-3.5')
        >>> router.find("house-blend")
        (<ScriptedProvider 'house' model='scripted'>, 'house-blend')
    """

    def __init__(
        self, default: object | None = None, providers: Mapping[str, object] | None = None
    ) -> None:
        self.default: Provider | None = None if default is None else adapt(default)
        self._others = {name: adapt(other) for name, other in (providers or {}).items()}
        self._made: dict[_Place, Provider] = {}
        self._making = threading.Lock()
        """A router may be used on several event loops at once, each in its own thread."""
        self._runs: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        """Runs under way, by event loop."""

    # -- finding ------------------------------------------------------------------------------

    def route(self, model: str = "") -> Route | None:
        """
        Tell by names alone where a model runs, or None where nobody is known; makes nothing.

        Example:
            >>> Router().route("claude-3.5")
            Route(provider='anthropic', model='claude-3.5')
            >>> Router().route("my-own-model") is None
            True
        """
        place = self._place(model)
        if place is None:
            return None
        given = self._given(place.key)
        return Route(place.key if given is None else given.name, place.model)

    def find(self, model: str = "", home: str = "") -> tuple[Provider, str]:
        """
        Give the provider of a model, and the model's name as that provider knows it.

        Nothing is sent or opened.

        Args:
            model: Its name, or `provider:model`; empty is the default provider's own default.
            home: The name of the provider that has it if its own name tells none.

        Raises:
            DefinitionError: No provider is known for it, with the nearest names; or its key is
                missing, with the environment variable.

        Example:
            >>> Router().find("scripted:any")
            (<ScriptedProvider 'scripted' model='scripted'>, 'any')
        """
        place = self._place(model, home)
        if place is None:
            if home:
                return self.named(home, model)
            raise self._unknown(model) if model else DefinitionError(_NO_DEFAULT)
        try:
            return self._provided(place)
        except DefinitionError as error:
            hint = ""
            if self.default is not None:
                hint = (
                    f"; to run it on the provider given, write '{self.default.name}:{place.model}'"
                )
            raise DefinitionError(
                f"model {place.model!r} is one of {place.key}'s: {error}{hint}"
            ) from None

    def named(self, provider: str, model: str = "") -> tuple[Provider, str]:
        """
        Give the provider of that name, whatever the model is called, and the model.

        Raises:
            DefinitionError: There is none of that name, with the nearest; its key is missing; or
                it has no default model and none is named.
        """
        if self._is_default(provider):
            return self._provided(_Place("", model))
        if provider not in (*self._others, *PROVIDER_NAMES):
            raise unknown_provider(provider, self._known_names())
        return self._provided(_Place(provider, model))

    def _place(self, model: str, home: str = "") -> _Place | None:
        """Find where a model runs, by names alone."""
        default, others = self.default, self._others
        if not model:
            return None if default is None else _Place("", "")
        if model in others:
            return _Place(model, model)
        prefix, _, rest = model.partition(":")
        if rest and prefix in others:
            return _Place(prefix, rest)
        if default is not None and model == default.default_model:
            return _Place("", model)
        if rest and self._is_default(prefix):
            return _Place("", rest)
        found = route(model)
        if found is None:
            takes_it = default is not None and not home and _takes_any(default)
            return _Place("", model) if takes_it else None
        if self._is_default(found.provider):
            return _Place("", found.model)
        if found.provider in others:
            return _Place(found.provider, found.model)
        is_own = default is not None and default.name not in PROVIDER_NAMES
        if is_own and found.model == model:
            return None if home else _Place("", model)
        return _Place(found.provider, found.model)

    def _is_default(self, name: str) -> bool:
        default = self.default
        return default is not None and default.name == name and name not in self._others

    def _given(self, key: str) -> Provider | None:
        return self._others.get(key) if key else self.default

    def _provided(self, place: _Place) -> tuple[Provider, str]:
        """Give the provider of a place, made if need be."""
        given = self._given(place.key)
        if given is not None:
            return given, place.model
        # The local provider has one model; a service has one provider for all of them.
        one = place if place.key == "local" else _Place(place.key, "")
        with self._making:
            made = self._made.get(one)
            if made is None:
                made = self._made[one] = _make(one)
        if not place.model and not made.default_model:
            raise DefinitionError(
                f"provider {place.key!r} has no default model; write '{place.key}:MODEL'"
            )
        return made, made.default_model if place.key == "local" else place.model

    def _known_names(self) -> list[str]:
        names = [*self._others, *PROVIDER_NAMES]
        return names if self.default is None else [self.default.name, *names]

    def _unknown(self, model: str) -> DefinitionError:
        """Make the error for a model that nobody is known for."""
        from dagorch.providers.prices import LOOSE_NAMES, priced_models

        _, colon, rest = model.partition(":")
        names = self._known_names()
        services = SERVICES.values()
        known = [
            *(service.default_model for service in services),
            *LOOSE_NAMES,
            *priced_models({service.price_service for service in services}),
            *(start for service in services for start in service.models),
        ]
        near = [name for name in known if route(name) is not None]
        near += [f"{name}:{rest}" for name in names if colon and rest]
        near += self._others
        if self.default is not None and self.default.default_model:
            near.append(self.default.default_model)
        return DefinitionError(
            f"no provider is known for model {model!r}{did_you_mean(model, near, _SUGGESTIONS)}; "
            f"write it as 'provider:model' with one of: {', '.join(dict.fromkeys(names))}"
        )

    # -- closing ------------------------------------------------------------------------------

    def enter(self) -> None:
        """A run that uses this router begins on this event loop."""
        loop = current_token().native_token
        with self._making:
            self._runs[loop] = self._runs.get(loop, 0) + 1

    async def leave(self) -> None:
        """Such a run has ended; the last of this loop closes here what the router had made."""
        loop = current_token().native_token
        with self._making:
            left = self._runs[loop] - 1
            if left:
                self._runs[loop] = left
                return
            del self._runs[loop]
        await self._close_made(loop)

    async def aclose(self) -> None:
        """
        Close what the router made, on this event loop; it can be used again.

        Runs see to that by themselves; this is for calls outside of them.
        """
        await self._close_made(None)

    async def _close_made(self, loop: Any) -> None:
        """Close it; one loop's, only as long as no run begins there while others are closed."""
        with anyio.CancelScope(shield=True):
            for place, made in list(self._made.items()):
                if loop is not None and loop in self._runs:
                    return
                # The embedded model's server is the process's, not a loop's.
                if place.key != "local" or not self._runs:
                    await made.aclose()

    def __repr__(self) -> str:
        given = [repr(self.default), *(f"{name}={p!r}" for name, p in self._others.items())]
        return f"<Router {', '.join(given)}>"


def _make(place: _Place) -> Provider:
    from dagorch.providers.factory import ProviderFactory  # which imports every dialect

    return ProviderFactory.get_provider(place.key, model=place.model or None)


def _takes_any(provider: Provider) -> bool:
    """Whether a provider may know models whose names tell no service."""
    service = SERVICES.get(provider.name)
    if service is None:
        return provider.name not in PROVIDER_NAMES
    address = getattr(provider, "base_url", service.base_url)
    return not service.models or address != service.base_url
