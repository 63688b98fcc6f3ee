"""
dagorch: multi-agent LLM workflows as typed DAGs, run by one small scheduler.

Names are imported on first use, so `import dagorch` is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagorch.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from dagorch import (  # noqa: F401 - attributes, see below
        errors,
        exporters,
        files,
        graph,
        models,
        nodes,
        orchestrators,
        patterns,
        ports,
        providers,
        sources,
    )
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
    from dagorch.models.question import Question
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
    from dagorch.runner.host import RunHost
    from dagorch.runner.retry_decorator import retry_async

__all__ = [
    "LLM", "AgentResult", "AgentType", "BaseOrchestrator", "BeltalowdaConfig",
    "BeltalowdaOrchestrator", "BudgetExceededError", "ConditionalOrchestrator", "Context",
    "CostTracker", "DagorchError", "DefinitionError", "DreamCascadeConfig",
    "DreamCascadeOrchestrator", "DreamSwarmConfig", "DreamSwarmOrchestrator", "Event", "EventType",
    "Finding", "Graph", "IterativeOrchestrator", "OrchestratorConfig", "OrchestratorResult",
    "Policy", "ProgressTracker", "ProviderFactory", "Question", "Ref", "Retry", "RunError",
    "RunHost", "SequentialOrchestrator", "StreamEvent", "SubTask", "SwarmConfig",
    "SwarmOrchestrator", "TaskStatus", "calculate_progress", "format_cost", "format_duration",
    "retry_async",
]  # fmt: skip

__version__ = "0.1.0"

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dagorch.errors": "BudgetExceededError DagorchError DefinitionError RunError",
        "dagorch.graph.graph": "Graph",
        "dagorch.models.amounts": "format_cost format_duration",
        "dagorch.models.config": (
            "BeltalowdaConfig DreamCascadeConfig DreamSwarmConfig OrchestratorConfig SwarmConfig"
        ),
        "dagorch.models.events": "Event EventType",
        "dagorch.models.finding": "Finding",
        "dagorch.models.orchestration": "OrchestratorResult StreamEvent",
        "dagorch.models.policy": "Policy Retry",
        "dagorch.models.question": "Question",
        "dagorch.models.ref": "Ref",
        "dagorch.models.task": "AgentResult AgentType SubTask TaskStatus",
        "dagorch.models.tracking": "CostTracker ProgressTracker calculate_progress",
        "dagorch.nodes.function": "Context",
        "dagorch.nodes.llm": "LLM",
        "dagorch.orchestrators.base": "BaseOrchestrator",
        "dagorch.orchestrators.cascade": "BeltalowdaOrchestrator DreamCascadeOrchestrator",
        "dagorch.orchestrators.conditional": "ConditionalOrchestrator",
        "dagorch.orchestrators.iterative": "IterativeOrchestrator",
        "dagorch.orchestrators.sequential": "SequentialOrchestrator",
        "dagorch.orchestrators.swarm": "DreamSwarmOrchestrator SwarmOrchestrator",
        "dagorch.providers.factory": "ProviderFactory",
        "dagorch.runner.host": "RunHost",
        "dagorch.runner.retry_decorator": "retry_async",
    },
    submodules=(
        "errors exporters files graph models nodes orchestrators patterns ports providers sources "
        "testing"
    ),
)
