"""
Finds the provider of a model by the model's name, for runs and orchestrators.

`registry` knows which service a name belongs to; `factory` creates a service's provider.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import current_token

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.models.misspelled import intended_name
from dagorch.ports import Provider
from dagorch.providers.adapter import adapt
from dagorch.providers.registry import (
    PROVIDER_NAMES,
    SERVICES,
    Route,
    route,
    unknown_provider_error,
)

__all__ = ["Router"]

_NO_DEFAULT: Final = (
    "no provider: a call that names no model needs one; pass provider=..., such as "
    "ProviderFactory.get_provider('local'), or name a model of a service whose API key is set"
)
_MAX_SUGGESTIONS: Final = 3


class _Target(NamedTuple):
    """A model, and the name under which its provider is known; empty for the default provider."""

    provider: str
    model: str


class Router:
    """
    Finds the provider of a model by its name, so that one graph can mix services.

    A model of the default provider's service runs on the default provider. Others run on the
    providers passed by name, else on one created from the environment (`OPENAI_API_KEY`,
    `OPENAI_BASE_URL` and so on) when first needed: one per service. A default provider that
    belongs to no known service takes every model for which no other provider was named.

    The router closes the providers that it created: on each event loop when the last run that
    uses the router there has ended, and in `aclose`. It never closes those passed to it.

    Args:
        default: A provider, or any object that `adapt` accepts. None: each call must name a model.
        providers: More providers, by the name of a service or a model, or by a name of your own
            for `name:model`.

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
        self._named = {name: adapt(provider) for name, provider in (providers or {}).items()}
        self._created: dict[_Target, Provider] = {}
        self._checked_names: set[tuple[str, str]] = set()
        """Pairs of service and model whose spelling was checked."""
        # A router may be used on several event loops at once, each in its own thread.
        self._lock = threading.Lock()
        self._active_runs: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        """By event loop."""

    def with_default(self, default: object | None) -> Router:
        """Return a router with another default provider, and the same providers by name."""
        return Router(default, self._named)

    # -- finding ------------------------------------------------------------------------------

    def route(self, model: str = "") -> Route | None:
        """
        Return where a model runs, or None if no provider is known; creates nothing.

        Example:
            >>> Router().route("claude-3.5")
            Route(provider='anthropic', model='claude-3.5')
            >>> Router().route("my-own-model") is None
            True
        """
        target = self._target(model)
        if target is None:
            return None
        passed = self._passed(target.provider)
        return Route(target.provider if passed is None else passed.name, target.model)

    def find(self, model: str = "", home: str = "") -> tuple[Provider, str]:
        """
        Return the provider of a model, and the provider's name for the model.

        Sends and opens nothing.

        Args:
            model: A model, or `provider:model`; empty for the default provider's default model.
            home: The provider to use if the model's name does not determine one.

        Raises:
            DefinitionError: No provider is known, with the nearest names; or its key is
                missing, with the environment variable.

        Example:
            >>> Router().find("scripted:any")
            (<ScriptedProvider 'scripted' model='scripted'>, 'any')
        """
        target = self._target(model, home)
        if target is None:
            if home:
                return self.named(home, model)
            raise self._unknown_model_error(model) if model else DefinitionError(_NO_DEFAULT)
        try:
            provider, name = self._provider(target)
        except DefinitionError as error:
            hint = ""
            if self.default is not None:
                name = self.default.name
                hint = f"; to run it on {name!r}, write '{name}:{target.model}'"
            raise DefinitionError(
                f"model {target.model!r} belongs to {target.provider}: {error}{hint}"
            ) from None
        if not model.startswith(f"{provider.name}:"):
            self._check_spelling(provider, name or provider.default_model)
        return provider, name

    def _check_spelling(self, provider: Provider, model: str) -> None:
        """Refuse a model that is one letter off one in the service's price list."""
        key = provider.name, model
        if key in self._checked_names:
            return
        service = SERVICES.get(provider.name)
        address = getattr(provider, "base_url", None)
        if service is not None and isinstance(address, str) and service.is_at(address):
            from dagorch.providers.prices import MODEL_ALIASES, priced_models

            prices = {service.price_service} if service.price_service else set()
            intended = intended_name(model, [*priced_models(prices), *MODEL_ALIASES])
            if intended is not None:
                raise DefinitionError(
                    f"{provider.name} has no model {model!r}; did you mean {intended!r}? To send "
                    f"{model!r} all the same, write '{provider.name}:{model}'"
                )
        self._checked_names.add(key)

    def named(self, provider: str, model: str = "") -> tuple[Provider, str]:
        """
        Return the provider of that name, whatever the model's name suggests, and the model.

        Raises:
            DefinitionError: The name is unknown, its key is missing, or no model is named and
                the provider has no default.
        """
        if self._is_default(provider):
            return self._provider(_Target("", model))
        if provider not in (*self._named, *PROVIDER_NAMES):
            raise unknown_provider_error(provider, self._known_names())
        return self._provider(_Target(provider, model))

    def _target(self, model: str, home: str = "") -> _Target | None:
        """Decide where a model runs, by names alone."""
        default, named = self.default, self._named
        if not model:
            return None if default is None else _Target("", "")
        if model in named:
            return _Target(model, model)
        prefix, _, rest = model.partition(":")
        if rest and prefix in named:
            return _Target(prefix, rest)
        if default is not None and model == default.default_model:
            return _Target("", model)
        if rest and self._is_default(prefix):
            return _Target("", rest)
        found = route(model)
        if found is None:
            takes_it = default is not None and not home and _takes_any_model(default)
            return _Target("", model) if takes_it else None
        if self._is_default(found.provider):
            return _Target("", found.model)
        if found.provider in named:
            return _Target(found.provider, found.model)
        is_users_own = default is not None and default.name not in PROVIDER_NAMES
        if is_users_own and found.model == model:
            return None if home else _Target("", model)
        return _Target(found.provider, found.model)

    def _is_default(self, name: str) -> bool:
        default = self.default
        return default is not None and default.name == name and name not in self._named

    def _passed(self, name: str) -> Provider | None:
        """Return a provider that was passed to the router."""
        return self._named.get(name) if name else self.default

    def _provider(self, target: _Target) -> tuple[Provider, str]:
        """Return the provider of a target; creates it if necessary."""
        passed = self._passed(target.provider)
        if passed is not None:
            return passed, target.model
        # A local provider has one model; a service has one provider for all its models.
        is_local = target.provider == "local"
        key = target if is_local else _Target(target.provider, "")
        with self._lock:
            created = self._created.get(key)
            if created is None:
                created = self._created[key] = _create(key)
        if not target.model and not created.default_model:
            name = target.provider
            raise DefinitionError(f"provider {name!r} has no default model; write '{name}:MODEL'")
        return created, created.default_model if is_local else target.model

    def _known_names(self) -> list[str]:
        names = [*self._named, *PROVIDER_NAMES]
        return names if self.default is None else [self.default.name, *names]

    def _unknown_model_error(self, model: str) -> DefinitionError:
        from dagorch.providers.prices import MODEL_ALIASES, priced_models

        _, colon, rest = model.partition(":")
        names = self._known_names()
        services = SERVICES.values()
        models = [
            *(service.default_model for service in services),
            *MODEL_ALIASES,
            *priced_models({service.price_service for service in services}),
            *(prefix for service in services for prefix in service.model_prefixes),
        ]
        candidates = [name for name in models if route(name) is not None]
        candidates += [f"{name}:{rest}" for name in names if colon and rest]
        candidates += self._named
        if self.default is not None and self.default.default_model:
            candidates.append(self.default.default_model)
        suggestion = did_you_mean(model, candidates, _MAX_SUGGESTIONS)
        return DefinitionError(
            f"no provider is known for model {model!r}{suggestion}; "
            f"write it as 'provider:model' with one of: {', '.join(dict.fromkeys(names))}"
        )

    # -- closing ------------------------------------------------------------------------------

    def enter(self) -> None:
        """Record that a run that uses this router begins on this event loop."""
        loop = current_token().native_token
        with self._lock:
            self._active_runs[loop] = self._active_runs.get(loop, 0) + 1

    async def leave(self) -> None:
        """Record that such a run has ended; after a loop's last run, close what was created."""
        loop = current_token().native_token
        with self._lock:
            remaining = self._active_runs[loop] - 1
            if remaining:
                self._active_runs[loop] = remaining
                return
            del self._active_runs[loop]
        await self._close_created(loop)

    async def aclose(self) -> None:
        """
        Close what the router created, on this event loop; it can be used again.

        Only needed for calls outside runs: a run closes what it used.
        """
        await self._close_created(None)

    async def _close_created(self, loop: Any) -> None:
        """Close the created providers; stops if a run begins on `loop` in the meantime."""
        with anyio.CancelScope(shield=True):
            for target, provider in list(self._created.items()):
                if loop is not None and loop in self._active_runs:
                    return
                # The server of the embedded model belongs to the process, not to one loop.
                if target.provider != "local" or not self._active_runs:
                    await provider.aclose()

    def __repr__(self) -> str:
        passed = [repr(self.default), *(f"{name}={p!r}" for name, p in self._named.items())]
        return f"<Router {', '.join(passed)}>"


def _create(target: _Target) -> Provider:
    from dagorch.providers.factory import ProviderFactory  # imports every dialect

    return ProviderFactory.get_provider(target.provider, model=target.model or None)


def _takes_any_model(provider: Provider) -> bool:
    """Return whether a provider may serve models whose names belong to no service."""
    service = SERVICES.get(provider.name)
    if service is None:
        return provider.name not in PROVIDER_NAMES
    address = getattr(provider, "base_url", service.base_url)
    return not service.model_prefixes or address != service.base_url
