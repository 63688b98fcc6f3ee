"""
dagorch: multi-agent LLM workflows as typed DAGs, run by one small scheduler.

Names load when first used, so `import dagorch` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagorch.errors import BudgetExceededError, DagorchError, DefinitionError, RunError
    from dagorch.graph.graph import Graph
    from dagorch.models.events import Event, EventType
    from dagorch.models.policy import Policy, Retry
    from dagorch.models.ref import Ref
    from dagorch.nodes.function import Context
    from dagorch.nodes.llm import LLM

_HOME = {
    "BudgetExceededError": "dagorch.errors",
    "Context": "dagorch.nodes.function",
    "DagorchError": "dagorch.errors",
    "DefinitionError": "dagorch.errors",
    "Event": "dagorch.models.events",
    "EventType": "dagorch.models.events",
    "Graph": "dagorch.graph.graph",
    "LLM": "dagorch.nodes.llm",
    "Policy": "dagorch.models.policy",
    "Ref": "dagorch.models.ref",
    "Retry": "dagorch.models.policy",
    "RunError": "dagorch.errors",
}

__all__ = [
    "LLM",
    "BudgetExceededError",
    "Context",
    "DagorchError",
    "DefinitionError",
    "Event",
    "EventType",
    "Graph",
    "Policy",
    "Ref",
    "Retry",
    "RunError",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        from dagorch.errors import did_you_mean

        raise AttributeError(
            f"module 'dagorch' has no attribute {name!r}{did_you_mean(name, _HOME)}"
        )
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
