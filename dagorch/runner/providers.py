"""
Which of a run's providers answers which node.

Found out before the run, so that nothing is paid for in vain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dagorch.errors import DefinitionError, Problem, did_you_mean
from dagorch.graph.plan import LLM_CALL, Plan
from dagorch.models.llm import LLMRequest
from dagorch.ports import Provider

__all__ = ["Providers"]


class Providers:
    """
    The providers of one run.

    One provider answers every node. Of several, given by name, a node gets the one of its
    `provider`, else the one under its model's name, else, of `name:model`, the one of that name,
    else the first.

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

    def of(self, node: Any, place: int = 0) -> tuple[Provider, str]:
        """
        The provider of an LLM node, and the model as it knows it.

        Args:
            node: Asks.
            place: Which of its models: 0 its own, then its fallback models.

        Raises:
            DefinitionError: There is no such provider.
        """
        model = node.policy.fallback_models[place - 1] if place else node.model
        found = self._by_name(model)
        if found is not None and (place or not node.provider):
            return found
        if node.provider:
            provider = self._called(node.provider)
            if provider is not None:
                return provider, model
            near = did_you_mean(node.provider, self._named)
            raise DefinitionError(
                f"LLM node {node.id!r} wants provider {node.provider!r}, which was not given{near}"
            )
        return self.for_model(model, f"LLM node {node.id!r}")

    def for_model(self, model: str, who: str) -> tuple[Provider, str]:
        """The provider of a model, and the model as it knows it."""
        found = self._by_name(model)
        if found is not None:
            return found
        if self._first is None:
            raise DefinitionError(f"{who} calls a model: give run(..., provider=...)")
        return self._first, model

    def _by_name(self, model: str) -> tuple[Provider, str] | None:
        """The provider that a model's name tells."""
        if model in self._named:
            return self._named[model], model
        name, _, rest = model.partition(":")
        provider = self._called(name) if rest else None
        return None if provider is None else (provider, rest)

    def _called(self, name: str) -> Provider | None:
        if self._first is not None and self._first.name == name and name not in self._named:
            return self._first
        return self._named.get(name)

    def check(
        self, plan: Plan, bounded: Callable[[Provider, LLMRequest], object] | None = None
    ) -> None:
        """
        See that every LLM node of a plan and of those inside it is provided for.

        Args:
            plan: Asks.
            bounded: Looks at what would be sent to a provider; raises what is wrong with it.

        Raises:
            DefinitionError: All that are not.
        """
        problems: list[Problem] = []
        for current in (plan, *plan.inner):
            if LLM_CALL not in current.kinds:
                continue
            for index, node in enumerate(current.nodes):
                if current.kinds[index] == LLM_CALL:
                    for place in range(len(node.policy.fallback_models) + 1):
                        problem = self._problem(node, place, bounded)
                        if problem:
                            problems.append(Problem(problem, node.id))
        if problems:
            raise DefinitionError(problems)

    def _problem(
        self,
        node: Any,
        place: int,
        bounded: Callable[[Provider, LLMRequest], object] | None,
    ) -> str:
        try:
            provider, model = self.of(node, place)
        except DefinitionError as error:
            return str(error)
        try:
            if bounded is not None:
                bounded(provider, replace(node.settings(), messages=(), model=model))
        except DefinitionError as error:
            return f"LLM node {node.id!r}: {error}"
        return ""


def _check(provider: Any, name: str) -> None:
    missing = [
        part for part in ("name", "exchange", "worst_case_usd") if not hasattr(provider, part)
    ]
    if missing:
        raise DefinitionError(
            f"{name}: {type(provider).__name__} is no provider, it has no {' or '.join(missing)}; "
            "dagorch.providers.adapt(...) makes one of any object with complete or acomplete"
        )
