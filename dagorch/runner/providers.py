"""
Which provider answers which node of a run.

Found out before the run, so that nothing is paid for in vain; by names alone, a router's work.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any

from dagorch.errors import DefinitionError, Problem
from dagorch.graph.plan import LLM_CALL, Plan
from dagorch.models.llm import LLMRequest
from dagorch.ports import Provider
from dagorch.runner.static_router import StaticRouter, router_of

__all__ = ["Providers"]

_SHOWN = 3
"""Nodes that a message names, of those with the same problem."""


Bounded = Callable[[Provider, LLMRequest], object]


class Providers:
    """
    The providers of one run, as its router finds them.

    An LLM node with a `provider` gets the one of that name. Its fallback models, and the model of
    any other node, go by the model's name.

    Args:
        given: A router, a provider, a mapping of name to provider, or None.

    Raises:
        DefinitionError: It is none of these.
    """

    def __init__(self, given: Any) -> None:
        self.router = router_of(given)

    def of(self, node: Any, place: int = 0) -> tuple[Provider, str]:
        """
        The provider of an LLM node, and the model as it knows it.

        Args:
            node: Asks.
            place: Which of its models: 0 its own, then its fallback models.

        Raises:
            DefinitionError: There is no such provider.
        """
        if place:
            return self.router.find(node.policy.fallback_models[place - 1], node.provider)
        if node.provider:
            return self.router.named(node.provider, node.model)
        return self.router.find(node.model)

    def for_model(self, model: str, who: str) -> tuple[Provider, str]:
        """The provider of a model that a function names, and the model as it knows it."""
        try:
            return self.router.find(model)
        except DefinitionError as error:
            raise DefinitionError(_told(who, error)) from None

    def check(self, plan: Plan, bounded: Bounded | None = None) -> None:
        """
        See that every node of a plan and of those inside it is provided for.

        Of functions only the fallback models are known; what they ask for themselves is found
        when they do.

        Args:
            plan: Asks.
            bounded: Under a ceiling, looks at what would be sent to a provider and raises what is
                wrong with it.

        Raises:
            DefinitionError: All that are not.
        """
        routed = not isinstance(self.router, StaticRouter)
        found: dict[str, list[str]] = {}
        known: dict[Hashable, list[str]] = {}
        for current in (plan, *plan.inner):
            if not routed and LLM_CALL not in current.kinds:
                continue
            for kind, node in zip(current.kinds, current.nodes, strict=True):
                if kind != LLM_CALL and not (routed and node.policy.fallback_models):
                    continue
                # Nodes that ask the same are looked at once: there may be thousands.
                key = _asked(node, kind, budgeted=bounded is not None)
                if key not in known:
                    problems = self._problems(node, kind, bounded)
                    known[key] = list(dict.fromkeys(problems))
                for problem in known[key]:
                    found.setdefault(problem, []).append(node.id)
        if found:
            raise DefinitionError(
                [Problem(_told(_who(ids), problem), ids[0]) for problem, ids in found.items()]
            )

    def _problems(self, node: Any, kind: int, bounded: Bounded | None) -> Iterator[str]:
        """Say of each model of a node that is known beforehand what is wrong with it, if so."""
        if kind == LLM_CALL:
            for place in range(len(node.policy.fallback_models) + 1):
                if problem := self._problem(node, place, bounded):
                    yield problem
            return
        for model in node.policy.fallback_models:
            try:
                self.router.find(model)
            except DefinitionError as error:
                yield str(error)

    def _problem(self, node: Any, place: int, bounded: Bounded | None) -> str:
        try:
            provider, model = self.of(node, place)
            if bounded is not None:
                bounded(provider, replace(node.settings(), messages=(), model=model))
        except DefinitionError as error:
            return str(error)
        return ""


def _asked(node: Any, kind: int, *, budgeted: bool) -> Hashable:
    """What decides whether a node is provided for."""
    fallback: tuple[str, ...] = node.policy.fallback_models
    if kind != LLM_CALL:
        return fallback
    most = node.settings().max_tokens if budgeted else None
    return node.provider, node.model, fallback, most


def _who(ids: list[str]) -> str:
    """Name the nodes that have one problem in common."""
    shown = ", ".join(map(repr, ids[:_SHOWN]))
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"node{'s' if len(ids) > 1 else ''} {shown}{more}"


def _told(who: str, problem: object) -> str:
    return f"{who}: {problem}"
