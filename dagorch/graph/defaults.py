"""Defaults that a graph gives to its nodes: a retry, a timeout, the name of a provider."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from dagorch.errors import DefinitionError
from dagorch.models.policy import Policy, Retry
from dagorch.nodes.base import Kind, Node
from dagorch.nodes.llm import LLM

__all__ = ["NO_DEFAULTS", "Defaults", "make_defaults"]

N = TypeVar("N", bound=Node[Any])

_ATTEMPTING_KINDS: Final = frozenset({Kind.FUNCTION, Kind.LLM})


@dataclass(frozen=True, slots=True)
class Defaults:
    """What functions and LLM nodes get that do not say it themselves."""

    retry: Retry | None = None
    timeout_seconds: float | None = None
    provider: str = ""
    """Of LLM nodes: the name of one of the run's providers."""

    def apply(self, node: N) -> N:
        """Return the node, or a copy of it with what it does not say itself."""
        if node.kind not in _ATTEMPTING_KINDS:
            return node
        changes: dict[str, Any] = {}
        policy = node.policy
        if policy.retry is None and self.retry is not None:
            policy = replace(policy, retry=self.retry)
        if policy.timeout_seconds is None and self.timeout_seconds is not None:
            policy = replace(policy, timeout_seconds=self.timeout_seconds)
        if policy is not node.policy:
            changes["policy"] = policy
        if self.provider and isinstance(node, LLM) and not node.provider and ":" not in node.model:
            changes["provider"] = self.provider
        if not changes:
            return node
        changed = copy.copy(node)  # not `replace`, which needs a dataclass
        for name, value in changes.items():
            object.__setattr__(changed, name, value)
        return changed

    def implied(self, node: Node[Any]) -> frozenset[str]:
        """Return the options that a node need not say, because it has those of the graph."""
        if node.kind not in _ATTEMPTING_KINDS:
            return frozenset()
        found = {
            name
            for name in ("retry", "timeout_seconds")
            if getattr(self, name) is not None and getattr(self, name) == getattr(node.policy, name)
        }
        is_named = isinstance(node, LLM) and ":" not in node.model
        if self.provider and is_named and getattr(node, "provider", "") == self.provider:
            found.add("provider")
        return frozenset(found)


NO_DEFAULTS: Final = Defaults()


def make_defaults(
    graph: str, retry: Retry | int | None, timeout_seconds: float | None, provider: str
) -> Defaults:
    """
    Return the defaults of a graph.

    Raises:
        DefinitionError: A value is wrong; the message names the graph.
    """
    if retry is None and timeout_seconds is None and not provider:
        return NO_DEFAULTS
    try:
        policy = Policy(retry=retry, timeout_seconds=timeout_seconds)
    except DefinitionError as error:
        raise DefinitionError(f"graph {graph!r}: {error}") from None
    return Defaults(policy.retry, policy.timeout_seconds, provider)
