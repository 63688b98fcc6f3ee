"""From a request to what the core decides on: who answers it, its worst case, a cheaper way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dagorch.models.llm import LLMRequest
from dagorch.ports import Provider
from dagorch.runner.bills import capped, worst_case
from dagorch.runner.limits import Shared
from dagorch.runner.providers import Providers
from dagorch.scheduler.commands import Prepared

__all__ = ["Downgrade", "Preparing"]

Downgrade = str | Mapping[str, str] | None
"""A cheaper model for all, or one for each model, by name or `service:model`."""


class Preparing:
    """
    Prepares the exchanges of one run.

    Args:
        providers: Who answers.
        shared: For the resources of providers.
        money: Whether there is a ceiling on cost.
        tokens: Whether there is one on tokens.
        downgrade: What to turn to before a ceiling stops the run.
    """

    def __init__(
        self,
        providers: Providers,
        shared: Shared,
        *,
        money: bool = False,
        tokens: bool = False,
        downgrade: Downgrade = None,
    ) -> None:
        self._providers = providers
        self._shared = shared
        self._money = money
        self._tokens = tokens
        self._downgrade = downgrade

    def prepare(self, provider: Provider, request: LLMRequest) -> Prepared:
        """
        Give all that the core needs to let a request go ahead.

        Raises:
            DefinitionError: A ceiling cannot be kept, since a price or a size is not known.
        """
        prepared = self._prepared(provider, request)
        cheaper = self._cheaper_model(prepared.source) if self._downgrade else None
        if cheaper is not None:
            other, model = self._providers.for_model(cheaper, "downgrade")
            if (other.name, model or other.default_model) != prepared.source:
                # Fields of one service's own are not another's.
                extra = request.extra if other is provider else {}
                prepared.cheaper = self._prepared(other, replace(request, model=model, extra=extra))
        return prepared

    def _prepared(self, provider: Provider, request: LLMRequest) -> Prepared:
        worst = None
        if self._money or self._tokens:
            request = capped(provider, request)
            worst = worst_case(provider, request, money=self._money, tokens=self._tokens)
        resource, demand = self._shared.asked_of(provider, request)
        source = provider.name, request.model or provider.default_model
        prepared = Prepared(request, provider, resource, demand=demand, source=source)
        if worst is not None:
            prepared.worst = worst
        return prepared

    def _cheaper_model(self, source: tuple[str, str]) -> str | None:
        downgrade = self._downgrade
        if not isinstance(downgrade, Mapping):
            return downgrade
        service, model = source
        return downgrade.get(f"{service}:{model}", downgrade.get(model))
