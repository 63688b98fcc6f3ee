"""The defaults of a graph's nodes: a retry, a timeout, the name of a provider."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard, TypeVar

from dagorch.errors import DefinitionError
from dagorch.models.policy import Policy, Retry
from dagorch.nodes.base import ATTEMPTING_KINDS, Node
from dagorch.nodes.llm import LLM

__all__ = ["NO_DEFAULTS", "Defaults", "make_defaults"]

N = TypeVar("N", bound=Node[Any])

_POLICY_OPTIONS: Final = ("retry", "timeout_seconds")


@dataclass(frozen=True, slots=True)
class Defaults:
    """Options for functions and LLM nodes that do not set them."""

    retry: Retry | None = None
    timeout_seconds: float | None = None
    provider: str = ""
    """Of LLM nodes: the name of one of the run's providers."""

    def apply(self, node: N) -> N:
        """Return the node, or a copy with the defaults of the options that it does not set."""
        if node.kind not in ATTEMPTING_KINDS:
            return node
        options = {
            name: getattr(self, name)
            for name in _POLICY_OPTIONS
            if getattr(node.policy, name) is None and getattr(self, name) is not None
        }
        changes: dict[str, Any] = {"policy": replace(node.policy, **options)} if options else {}
        if self._may_name_provider(node) and not node.provider:
            changes["provider"] = self.provider
        if not changes:
            return node
        changed = copy.copy(node)  # not `replace`, which needs a dataclass
        for name, value in changes.items():
            object.__setattr__(changed, name, value)
        return changed

    def implied(self, node: Node[Any]) -> frozenset[str]:
        """Return the options of a node that equal the defaults, so a file can omit them."""
        if node.kind not in ATTEMPTING_KINDS:
            return frozenset()
        found = {
            name
            for name in _POLICY_OPTIONS
            if getattr(self, name) is not None and getattr(self, name) == getattr(node.policy, name)
        }
        if self._may_name_provider(node) and node.provider == self.provider:
            found.add("provider")
        return frozenset(found)

    def _may_name_provider(self, node: Node[Any]) -> TypeGuard[LLM[Any]]:
        """Return whether a provider is set, for nodes whose model does not name its own."""
        return bool(self.provider) and isinstance(node, LLM) and ":" not in node.model


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
