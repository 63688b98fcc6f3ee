"""
The argument of `run(provider=...)` as a router: one provider, several by name, or none.

This module knows no service. A router that does is passed in ready-made.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.models.misspelled import intended_name
from dagorch.ports import Provider, Router

__all__ = ["StaticRouter", "as_router"]


def as_router(provider: Any) -> Router:
    """
    Return a router unchanged; wrap anything else in a `StaticRouter`.

    Raises:
        DefinitionError: The argument, or a value in it, is neither a router nor a provider.
    """
    # The cheap checks come first: most runs have no provider, and a protocol check takes 10 µs.
    # They also keep a mock, which has every attribute, from passing as a router.
    is_provider = provider is None or isinstance(provider, Mapping) or hasattr(provider, "exchange")
    if not is_provider and isinstance(provider, Router):
        return provider
    return StaticRouter(provider)


class StaticRouter:
    """
    A router over the user's own providers. It neither creates nor closes any of them.

    One provider answers for every model. With several, `model` goes to the provider of that
    name, `name:model` to the provider called `name`, and everything else to the first. A model that
    is one letter off a name is refused.

    Args:
        providers: A provider, a mapping of name to provider, or None.
    """

    def __init__(self, providers: Provider | Mapping[str, Provider] | None) -> None:
        self._by_name: dict[str, Provider] = {}
        self._default: Provider | None = None
        if isinstance(providers, Mapping):
            self._by_name = dict(providers)
            for name, provider in self._by_name.items():
                _check(provider, name)
            self._default = next(iter(self._by_name.values()), None)
        elif providers is not None:
            _check(providers, "provider")
            self._default = providers

    def find(self, model: str, home: str = "") -> tuple[Provider, str]:
        """Return the provider of a model, and the model's name at that provider."""
        if model in self._by_name:
            return self._by_name[model], model
        name, _, rest = model.partition(":")
        provider = self._provider_named(name) if rest else None
        if provider is not None:
            return provider, rest
        if home:
            return self.named(home, model)
        intended = intended_name(model, self._by_name) if self._by_name and model else None
        if intended is not None:
            raise DefinitionError(
                f"no provider is named {model!r}; did you mean {intended!r}? "
                f"'{intended}:{model}' sends it all the same"
            )
        if self._default is None:
            raise DefinitionError("no provider to call a model with; pass run(..., provider=...)")
        return self._default, model

    def named(self, provider: str, model: str) -> tuple[Provider, str]:
        """Return the provider of that name, and the model unchanged."""
        found = self._provider_named(provider)
        if found is None:
            known = [*self._by_name] or [self._default.name] if self._default else []
            there_are = f"there are: {', '.join(known)}" if known else "pass run(..., provider=...)"
            suggestion = did_you_mean(provider, known) or f"; {there_are}"
            raise DefinitionError(f"no provider is named {provider!r}{suggestion}")
        return found, model

    def enter(self) -> None:
        """Do nothing: there is nothing to create."""

    async def leave(self) -> None:
        """Do nothing: the providers belong to the user."""

    def _provider_named(self, name: str) -> Provider | None:
        if self._default is not None and self._default.name == name and name not in self._by_name:
            return self._default
        return self._by_name.get(name)


def _check(provider: Any, name: str) -> None:
    missing = [
        attribute
        for attribute in ("name", "exchange", "worst_case_usd")
        if not hasattr(provider, attribute)
    ]
    if isinstance(provider, type):
        raise DefinitionError(
            f"{name}: the class {provider.__name__} is not a provider; pass an instance"
        )
    if missing:
        raise DefinitionError(f"{name}: {_describe(provider, ' or '.join(missing))}")


def _describe(provider: Any, missing: str) -> str:
    """Return why an object is not a provider, and how to get one."""
    if isinstance(provider, str):
        return (
            f"the text {provider!r:.60} is not a provider; pass ProviderFactory.get_provider(...)"
        )
    if isinstance(provider, list | tuple):
        return f"a {type(provider).__name__} is not a provider; pass several as {{name: provider}}"
    if inspect.iscoroutine(provider):
        provider.close()
        return f"the coroutine of {provider.__qualname__!r} is not a provider; await it"
    if inspect.isroutine(provider):
        return f"the function {provider.__name__!r} is not a provider; pass what it returns"
    return (
        f"{type(provider).__name__} is not a provider: it has no {missing}; "
        "dagorch.providers.adapt(...) makes a provider of any object with complete or acomplete"
    )
