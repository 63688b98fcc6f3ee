"""What the core needs to admit a request: its provider, its worst case, and a cheaper model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dagorch.models.llm import LLMRequest
from dagorch.models.run_options import Downgrade
from dagorch.models.usage import NO_AMOUNT, Amount
from dagorch.nodes.base import Node
from dagorch.ports import Provider
from dagorch.runner.bills import shorter_limits, with_output_limit, worst_case
from dagorch.runner.loop_state import shared
from dagorch.runner.providers import Providers, RequestCheck
from dagorch.scheduler.records import Prepared

__all__ = ["RequestPreparer"]


class RequestPreparer:
    """
    Prepares the provider calls of one run.

    Args:
        providers: The run's providers.
        money: Whether the run has a ceiling on cost.
        tokens: Whether the run has a ceiling on tokens.
        downgrade: The models to use before a ceiling stops the run.
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
    def request_check(self) -> RequestCheck | None:
        """The check of a request against the run's ceilings; None without a ceiling."""
        return self._with_bound if self._money or self._tokens else None

    def check_downgrade(self) -> None:
        """Check that every cheaper model has a provider and a price. Raises `DefinitionError`."""
        downgrade = self._downgrade or {}
        for name in downgrade.values() if isinstance(downgrade, Mapping) else [downgrade]:
            provider, model = self._providers.for_model(name, "downgrade")
            self._with_bound(provider, LLMRequest((), model=model, max_tokens=1))

    def prepare(self, provider: Provider, request: LLMRequest, node: Node[Any]) -> Prepared:
        """
        Prepare a node's request, and the same request for its cheaper model.

        Raises:
            DefinitionError: A price or a size is unknown, so a ceiling cannot be enforced.
        """
        prepared = self._prepare(provider, request, node)
        cheaper_name = self._cheaper_model(prepared.source) if self._downgrade else None
        if cheaper_name is not None:
            other, model = self._providers.for_model(cheaper_name, "downgrade")
            if (other.name, model or other.default_model) != prepared.source:
                # `extra` holds fields of one service's API, which another service may refuse.
                extra = request.extra if other is provider else {}
                cheaper_request = replace(request, model=model, extra=extra)
                prepared.cheaper = self._prepare(other, cheaper_request, node)
        return prepared

    def _prepare(self, provider: Provider, request: LLMRequest, node: Node[Any]) -> Prepared:
        """Prepare a request; if a ceiling bounds its reply, with ever shorter ones beside it."""
        prepared = self._version(provider, request, node)
        if prepared.worst and request.max_tokens is None:
            prepared.shorter = tuple(
                self._version(provider, replace(request, max_tokens=limit), node, shortened=True)
                for limit in shorter_limits(prepared.request.max_tokens)
            )
        return prepared

    def _version(
        self, provider: Provider, request: LLMRequest, node: Node[Any], *, shortened: bool = False
    ) -> Prepared:
        worst = NO_AMOUNT
        if self._money or self._tokens:
            request, worst = self._with_bound(provider, request)
        resource, demand = shared().resource_and_demand(provider, request, node)
        source = provider.name, request.model or provider.default_model
        return Prepared(request, provider, resource, worst, demand, source, is_shortened=shortened)

    def _with_bound(self, provider: Provider, request: LLMRequest) -> tuple[LLMRequest, Amount]:
        """Limit the size of the response; return the request and the most that it can use up."""
        request = with_output_limit(provider, request)
        return request, worst_case(provider, request, money=self._money, tokens=self._tokens)

    def _cheaper_model(self, source: tuple[str, str]) -> str | None:
        downgrade = self._downgrade
        if not isinstance(downgrade, Mapping):
            return downgrade
        service, model = source
        return downgrade.get(f"{service}:{model}", downgrade.get(model))
