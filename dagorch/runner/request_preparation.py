"""What the core needs to admit a request: its provider, its worst case, and a cheaper model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from dagorch.errors import BudgetWarning, DefinitionError
from dagorch.graph.plan import Plan
from dagorch.models.llm import LLMRequest, Message
from dagorch.models.run_options import Downgrade
from dagorch.models.usage import NO_AMOUNT, Amount
from dagorch.nodes.base import Node
from dagorch.nodes.llm import LLM
from dagorch.ports import Provider
from dagorch.runner.bills import shorter_limits, with_output_limit, worst_case
from dagorch.runner.loop_state import shared
from dagorch.runner.providers import Providers, RequestCheck
from dagorch.scheduler.budget import LEAST_COST, Budget
from dagorch.scheduler.records import Prepared

__all__ = ["RequestPreparer"]


RESERVED_REPLY_TOKENS: Final = 4_096
"""The reply that `Policy.reserve` covers if the node sets no `max_tokens`."""


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
        self._warned: set[str] = set()
        """The providers for which the ceiling is known to be soft."""

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

    def set_aside(self, plan: Plan, ceilings: Budget) -> dict[int, Amount]:
        """
        Compute what nodes with `reserve` keep for themselves, by node.

        Args:
            plan: The plan of the run.
            ceilings: What it must fit under.

        Raises:
            DefinitionError: It does not fit; the message has the least ceiling that would do. Or a
                node inside a container has `reserve`.
        """
        amounts: dict[int, Amount] = {}
        if not (self._money or self._tokens):
            return amounts
        for inner in plan.inner:
            for node in inner.nodes:
                if node.policy.reserve:
                    raise DefinitionError(
                        f"node {node.id!r} has reserve=True in a container or a fallback, where "
                        "it may run any number of times; only nodes of the graph itself reserve"
                    )
        for index, node in enumerate(plan.nodes):
            if node.policy.reserve:
                amounts[index] = self._worst_of(node)
        total = sum(amounts.values(), NO_AMOUNT)
        if not ceilings.fits(total):
            names = ", ".join(repr(plan.nodes[index].id) for index in amounts)
            least = f"max_cost={total.cost_usd}" if self._money else ""
            least += " and " if self._money and self._tokens else ""
            least += f"max_tokens={total.tokens}" if self._tokens else ""
            raise DefinitionError(
                f"what {names} reserves does not fit under the ceiling; it needs {least} at least, "
                "or a lower max_tokens or reserve_input_tokens of these nodes"
            )
        return amounts

    def _worst_of(self, node: Node[Any]) -> Amount:
        """Return the most that one call of a node can use up, with any of its models."""
        text = "x" * node.policy.reserve_input_tokens
        blank = node.settings() if isinstance(node, LLM) else LLMRequest(())
        worst = NO_AMOUNT
        for index in range(len(node.policy.fallback_models) + 1):
            if isinstance(node, LLM):
                provider, model = self._providers.for_node(node, index)
            else:
                names = ("", *node.policy.fallback_models)
                provider, model = self._providers.for_model(names[index], f"node {node.id!r}")
            request = replace(blank, messages=(Message("user", text),), model=model)
            if request.max_tokens is None:
                request = with_output_limit(provider, request)
                limit = min(request.max_tokens or RESERVED_REPLY_TOKENS, RESERVED_REPLY_TOKENS)
                request = replace(request, max_tokens=limit)
            worst = worst.most(self._with_bound(provider, request)[1])
        return worst

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
                self._shortened(prepared, limit)
                for limit in shorter_limits(prepared.request.max_tokens)
            )
        return prepared

    def _shortened(self, prepared: Prepared, limit: int) -> Prepared:
        """Return an exchange with a shorter reply."""
        request, worst = self._with_bound(
            prepared.provider, replace(prepared.request, max_tokens=limit)
        )
        demand = prepared.demand
        if demand.output_tokens:
            demand = replace(demand, output_tokens=min(demand.output_tokens, limit))
        return Prepared(
            request,
            prepared.provider,
            prepared.resource,
            worst,
            demand,
            prepared.source,
            is_shortened=True,
        )

    def _version(self, provider: Provider, request: LLMRequest, node: Node[Any]) -> Prepared:
        worst = NO_AMOUNT
        if self._money or self._tokens:
            request, worst = self._with_bound(provider, request)
        resource, demand = shared().limits.resource_and_demand(provider, request, node)
        source = provider.name, request.model or provider.default_model
        return Prepared(request, provider, resource, worst, demand, source)

    def _with_bound(self, provider: Provider, request: LLMRequest) -> tuple[LLMRequest, Amount]:
        """Limit the size of the response; return the request and the most that it can use up."""
        request = with_output_limit(provider, request)
        worst = worst_case(provider, request, money=self._money, tokens=self._tokens)
        if worst.cost_usd == LEAST_COST and provider.name not in self._warned:
            self._warned.add(provider.name)
            warnings.warn(
                f"max_cost is soft for provider {provider.name!r}: it has no worst_case_usd, so a "
                "call's cost is known only when it has ended, and calls that are under way may "
                "exceed the ceiling",
                BudgetWarning,
                stacklevel=2,
            )
        return request, worst

    def _cheaper_model(self, source: tuple[str, str]) -> str | None:
        downgrade = self._downgrade
        if not isinstance(downgrade, Mapping):
            return downgrade
        service, model = source
        return downgrade.get(f"{service}:{model}", downgrade.get(model))
