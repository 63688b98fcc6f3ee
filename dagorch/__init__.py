"""
dagorch: multi-agent LLM workflows as typed DAGs, run by one small scheduler.

Names are imported on first use, so `import dagorch` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagorch.errors import BudgetExceededError, DagorchError, DefinitionError, RunError
    from dagorch.graph.graph import Graph
    from dagorch.models.amounts import format_cost, format_duration
    from dagorch.models.config import (
        BeltalowdaConfig,
        DreamCascadeConfig,
        DreamSwarmConfig,
        OrchestratorConfig,
        SwarmConfig,
    )
    from dagorch.models.events import Event, EventType
    from dagorch.models.finding import Finding
    from dagorch.models.orchestration import OrchestratorResult, StreamEvent
    from dagorch.models.policy import Policy, Retry
    from dagorch.models.ref import Ref
    from dagorch.models.task import AgentResult, AgentType, SubTask, TaskStatus
    from dagorch.models.tracking import CostTracker, ProgressTracker, calculate_progress
    from dagorch.nodes.function import Context
    from dagorch.nodes.llm import LLM
    from dagorch.orchestrators.base import BaseOrchestrator
    from dagorch.orchestrators.cascade import BeltalowdaOrchestrator, DreamCascadeOrchestrator
    from dagorch.orchestrators.conditional import ConditionalOrchestrator
    from dagorch.orchestrators.iterative import IterativeOrchestrator
    from dagorch.orchestrators.sequential import SequentialOrchestrator
    from dagorch.orchestrators.swarm import DreamSwarmOrchestrator, SwarmOrchestrator
    from dagorch.providers.factory import ProviderFactory
    from dagorch.runner.retry_decorator import retry_async

_MODULES = {
    "AgentResult": "dagorch.models.task",
    "AgentType": "dagorch.models.task",
    "BaseOrchestrator": "dagorch.orchestrators.base",
    "BeltalowdaConfig": "dagorch.models.config",
    "BeltalowdaOrchestrator": "dagorch.orchestrators.cascade",
    "BudgetExceededError": "dagorch.errors",
    "ConditionalOrchestrator": "dagorch.orchestrators.conditional",
    "Context": "dagorch.nodes.function",
    "CostTracker": "dagorch.models.tracking",
    "DagorchError": "dagorch.errors",
    "DefinitionError": "dagorch.errors",
    "DreamCascadeConfig": "dagorch.models.config",
    "DreamCascadeOrchestrator": "dagorch.orchestrators.cascade",
    "DreamSwarmConfig": "dagorch.models.config",
    "DreamSwarmOrchestrator": "dagorch.orchestrators.swarm",
    "Event": "dagorch.models.events",
    "EventType": "dagorch.models.events",
    "Finding": "dagorch.models.finding",
    "Graph": "dagorch.graph.graph",
    "IterativeOrchestrator": "dagorch.orchestrators.iterative",
    "LLM": "dagorch.nodes.llm",
    "OrchestratorConfig": "dagorch.models.config",
    "OrchestratorResult": "dagorch.models.orchestration",
    "Policy": "dagorch.models.policy",
    "ProgressTracker": "dagorch.models.tracking",
    "ProviderFactory": "dagorch.providers.factory",
    "Ref": "dagorch.models.ref",
    "Retry": "dagorch.models.policy",
    "RunError": "dagorch.errors",
    "SequentialOrchestrator": "dagorch.orchestrators.sequential",
    "StreamEvent": "dagorch.models.orchestration",
    "SubTask": "dagorch.models.task",
    "SwarmConfig": "dagorch.models.config",
    "SwarmOrchestrator": "dagorch.orchestrators.swarm",
    "TaskStatus": "dagorch.models.task",
    "calculate_progress": "dagorch.models.tracking",
    "format_cost": "dagorch.models.amounts",
    "format_duration": "dagorch.models.amounts",
    "retry_async": "dagorch.runner.retry_decorator",
}

__all__ = [
    "LLM",
    "AgentResult",
    "AgentType",
    "BaseOrchestrator",
    "BeltalowdaConfig",
    "BeltalowdaOrchestrator",
    "BudgetExceededError",
    "ConditionalOrchestrator",
    "Context",
    "CostTracker",
    "DagorchError",
    "DefinitionError",
    "DreamCascadeConfig",
    "DreamCascadeOrchestrator",
    "DreamSwarmConfig",
    "DreamSwarmOrchestrator",
    "Event",
    "EventType",
    "Finding",
    "Graph",
    "IterativeOrchestrator",
    "OrchestratorConfig",
    "OrchestratorResult",
    "Policy",
    "ProgressTracker",
    "ProviderFactory",
    "Ref",
    "Retry",
    "RunError",
    "SequentialOrchestrator",
    "StreamEvent",
    "SubTask",
    "SwarmConfig",
    "SwarmOrchestrator",
    "TaskStatus",
    "calculate_progress",
    "format_cost",
    "format_duration",
    "retry_async",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        from dagorch.errors import did_you_mean

        raise AttributeError(
            f"module 'dagorch' has no attribute {name!r}{did_you_mean(name, _MODULES)}"
        )
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
