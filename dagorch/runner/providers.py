"""
The providers of one run: which of them answers which node.

Lookups by model name belong to the router. Missing providers are found before the run, so that
no call is paid for in vain.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any, Final

from dagorch.errors import DefinitionError, Problem
from dagorch.graph.plan import LLM_CALL, Plan
from dagorch.models.llm import LLMRequest
from dagorch.ports import Provider
from dagorch.runner.static_router import StaticRouter, as_router

__all__ = ["Providers", "RequestCheck"]

_MAX_SHOWN_NODES: Final = 3
"""Nodes with the same problem that a message names."""

RequestCheck = Callable[[Provider, LLMRequest], object]
"""Raises a `DefinitionError` if a request has no upper bound that a ceiling needs."""


class Providers:
    """
    The providers of one run.

    An LLM node with a `provider` uses the provider of that name. Its fallback models, and the
    models of all other nodes, are looked up by the model's name.

    Args:
        provider: A router, a provider, a mapping of name to provider, or None.

    Raises:
        DefinitionError: The argument is none of these.
    """

    def __init__(self, provider: Any) -> None:
        self.router = as_router(provider)

    def for_node(self, node: Any, model_index: int = 0) -> tuple[Provider, str]:
        """
        Return the provider of an LLM node, and the model's name at that provider.

        Args:
            node: The LLM node.
            model_index: 0 for the node's own model, then its fallback models.

        Raises:
            DefinitionError: The model's provider is unknown.
        """
        if model_index:
            return self.router.find(node.policy.fallback_models[model_index - 1], node.provider)
        if node.provider:
            return self.router.named(node.provider, node.model)
        return self.router.find(node.model)

    def for_model(self, model: str, user: str) -> tuple[Provider, str]:
        """Return the provider of a model; an error begins with `user`, such as `node 'ask'`."""
        try:
            return self.router.find(model)
        except DefinitionError as error:
            raise DefinitionError(f"{user}: {error}") from None

    def check(self, plan: Plan, check_request: RequestCheck | None = None) -> None:
        """
        Check that every node of a plan, and of the plans inside it, has its providers.

        For functions only the fallback models are known here. The models that they call
        themselves are looked up at the call.

        Args:
            plan: The plan to check.
            check_request: Under a ceiling, checks each request that a node would send.

        Raises:
            DefinitionError: Lists all problems.
        """
        routed = not isinstance(self.router, StaticRouter)
        node_ids_by_problem: dict[str, list[str]] = {}
        problems_by_key: dict[Hashable, list[str]] = {}
        for current in (plan, *plan.inner):
            if not routed and LLM_CALL not in current.kinds:
                continue
            for kind, node in zip(current.kinds, current.nodes, strict=True):
                if kind != LLM_CALL and not (routed and node.policy.fallback_models):
                    continue
                # Equal nodes are checked once: there may be thousands of them.
                key = _lookup_key(node, kind, has_ceiling=check_request is not None)
                if key not in problems_by_key:
                    problems = self._problems(node, kind, check_request)
                    problems_by_key[key] = list(dict.fromkeys(problems))
                for problem in problems_by_key[key]:
                    node_ids_by_problem.setdefault(problem, []).append(node.id)
        if node_ids_by_problem:
            raise DefinitionError(
                [
                    Problem(f"{_list_nodes(ids)}: {problem}", ids[0])
                    for problem, ids in node_ids_by_problem.items()
                ]
            )

    def _problems(self, node: Any, kind: int, check_request: RequestCheck | None) -> Iterator[str]:
        """Yield the problem of each model of a node that has one."""
        fallback_models = node.policy.fallback_models
        for index in range(len(fallback_models) + 1):
            try:
                if kind == LLM_CALL:
                    provider, model = self.for_node(node, index)
                    if check_request is not None:
                        check_request(provider, replace(node.settings(), messages=(), model=model))
                elif index:
                    self.router.find(fallback_models[index - 1])
            except DefinitionError as error:
                yield str(error)


def _lookup_key(node: Any, kind: int, *, has_ceiling: bool) -> Hashable:
    """Return the settings that decide which providers a node needs."""
    fallback_models: tuple[str, ...] = node.policy.fallback_models
    if kind != LLM_CALL:
        return fallback_models
    max_tokens = node.settings().max_tokens if has_ceiling else None
    return node.provider, node.model, fallback_models, max_tokens


def _list_nodes(ids: list[str]) -> str:
    shown = ", ".join(map(repr, ids[:_MAX_SHOWN_NODES]))
    more = len(ids) - _MAX_SHOWN_NODES
    return f"node{'s' if len(ids) > 1 else ''} {shown}{f' and {more} more' if more > 0 else ''}"
