"""From a request to what the core decides on: who answers it, its worst case, a cheaper way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dagorch.models.llm import LLMRequest
from dagorch.models.usage import NO_AMOUNT, Amount
from dagorch.nodes.base import Node
from dagorch.ports import Provider
from dagorch.runner.bills import capped, worst_case
from dagorch.runner.loop_state import shared
from dagorch.runner.providers import Bounded, Providers
from dagorch.scheduler.commands import Prepared

__all__ = ["Downgrade", "Preparing"]

Downgrade = str | Mapping[str, str] | None
"""A cheaper model for all, or one for each model, by name or `service:model`."""


class Preparing:
    """
    Prepares the exchanges of one run.

    Args:
        providers: Who answers.
        money: Whether there is a ceiling on cost.
        tokens: Whether there is one on tokens.
        downgrade: What to turn to before a ceiling stops the run.
    """

    def __init__(
        self,
        providers: Providers,
        *,
        money: bool = False,
        tokens: bool = False,
        downgrade: Downgrade = None,
    ) -> None:
        self._providers = providers
        self._money = money
        self._tokens = tokens
        self._downgrade = downgrade

    @property
    def bounded(self) -> Bounded | None:
        """What looks at a request under a ceiling; None if there is none."""
        return self._bounded if self._money or self._tokens else None

    def check_downgrade(self) -> None:
        """See that every cheaper model can be asked. Raises `DefinitionError`."""
        downgrade = self._downgrade or {}
        for name in downgrade.values() if isinstance(downgrade, Mapping) else [downgrade]:
            provider, model = self._providers.for_model(name, "downgrade")
            self._bounded(provider, LLMRequest((), model=model, max_tokens=1))

    def prepare(self, provider: Provider, request: LLMRequest, node: Node[Any]) -> Prepared:
        """
        Give all that the core needs to let a node's request go ahead.

        Raises:
            DefinitionError: A ceiling cannot be kept, since a price or a size is not known.
        """
        prepared = self._prepared(provider, request, node)
        cheaper = self._cheaper_model(prepared.source) if self._downgrade else None
        if cheaper is not None:
            other, model = self._providers.for_model(cheaper, "downgrade")
            if (other.name, model or other.default_model) != prepared.source:
                # Fields of one service's own are not another's.
                extra = request.extra if other is provider else {}
                cheap = replace(request, model=model, extra=extra)
                prepared.cheaper = self._prepared(other, cheap, node)
        return prepared

    def _prepared(self, provider: Provider, request: LLMRequest, node: Node[Any]) -> Prepared:
        worst = NO_AMOUNT
        if self._money or self._tokens:
            request, worst = self._bounded(provider, request)
        resource, demand = shared().asked_of(provider, request, node)
        source = provider.name, request.model or provider.default_model
        return Prepared(request, provider, resource, worst, demand, source)

    def _bounded(self, provider: Provider, request: LLMRequest) -> tuple[LLMRequest, Amount]:
        """Bound a request's answer, and give the most that both can use up."""
        request = capped(provider, request)
        return request, worst_case(provider, request, money=self._money, tokens=self._tokens)

    def _cheaper_model(self, source: tuple[str, str]) -> str | None:
        downgrade = self._downgrade
        if not isinstance(downgrade, Mapping):
            return downgrade
        service, model = source
        return downgrade.get(f"{service}:{model}", downgrade.get(model))
