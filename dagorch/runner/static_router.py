"""
What `run(provider=...)` was given, seen as a router: one provider, several by name, or none.

No service is known here; a router that knows them is given ready-made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.ports import Provider, Router

__all__ = ["StaticRouter", "router_of"]


def router_of(given: Any) -> Router:
    """
    Give a router as it is, and anything else as a router over it.

    Raises:
        DefinitionError: It is neither, or something in it is no provider.
    """
    # Looked at in this order, as most runs have no provider, and asking a protocol takes 10 µs. A
    # mock has everything.
    known = given is None or isinstance(given, Mapping) or hasattr(given, "exchange")
    if not known and isinstance(given, Router):
        return given
    return StaticRouter(given)


class StaticRouter:
    """
    A router over the user's own providers, none of which it makes or closes.

    One provider takes every model. Of several, given by name, a model gets the one under its own
    name, else, of `name:model`, the one of that name, else the first.

    Args:
        given: A provider, a mapping of name to provider, or None.
    """

    def __init__(self, given: Provider | Mapping[str, Provider] | None) -> None:
        self._named: dict[str, Provider] = {}
        self._first: Provider | None = None
        if isinstance(given, Mapping):
            self._named = dict(given)
            for name, provider in self._named.items():
                _check(provider, name)
            self._first = next(iter(self._named.values()), None)
        elif given is not None:
            _check(given, "provider")
            self._first = given

    def find(self, model: str, home: str = "") -> tuple[Provider, str]:
        """The provider of a model, and the model as it knows it."""
        if model in self._named:
            return self._named[model], model
        name, _, rest = model.partition(":")
        provider = self._called(name) if rest else None
        if provider is not None:
            return provider, rest
        if home:
            return self.named(home, model)
        if self._first is None:
            raise DefinitionError("no provider to call a model of: give run(..., provider=...)")
        return self._first, model

    def named(self, provider: str, model: str) -> tuple[Provider, str]:
        """The provider of that name, and the model as it is."""
        found = self._called(provider)
        if found is None:
            near = did_you_mean(provider, self._named)
            raise DefinitionError(f"provider {provider!r} was not given{near}")
        return found, model

    def enter(self) -> None:
        """Nothing is made here."""

    async def leave(self) -> None:
        """Nothing is closed here: providers belong to the user."""

    def _called(self, name: str) -> Provider | None:
        if self._first is not None and self._first.name == name and name not in self._named:
            return self._first
        return self._named.get(name)


def _check(provider: Any, name: str) -> None:
    missing = [
        part for part in ("name", "exchange", "worst_case_usd") if not hasattr(provider, part)
    ]
    if missing:
        raise DefinitionError(
            f"{name}: {type(provider).__name__} is no provider, it has no {' or '.join(missing)}; "
            "dagorch.providers.adapt(...) makes one of any object with complete or acomplete"
        )
