"""
Plain records that all layers share: requests, usage, policies, events, results.

Each name is imported at its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagorch.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from dagorch.models.config import (
        BeltalowdaConfig,
        DreamCascadeConfig,
        DreamSwarmConfig,
        OrchestratorConfig,
        SwarmConfig,
    )
    from dagorch.models.document import Document
    from dagorch.models.events import Event, EventType
    from dagorch.models.finding import Finding
    from dagorch.models.limits import Limits
    from dagorch.models.llm import LLMRequest, LLMResponse, Message, ToolCall, ToolSpec
    from dagorch.models.orchestration import OrchestratorResult, StreamEvent
    from dagorch.models.policy import Policy, Retry
    from dagorch.models.ref import BranchRef, Ref
    from dagorch.models.result import NodeRun, Result
    from dagorch.models.run_options import RunOptions
    from dagorch.models.task import AgentResult, AgentType, SubTask, TaskStatus
    from dagorch.models.tracking import CostTracker, ProgressTracker
    from dagorch.models.usage import Bill, Usage

__all__ = [
    "AgentResult", "AgentType", "BeltalowdaConfig", "Bill", "BranchRef", "CostTracker", "Document",
    "DreamCascadeConfig", "DreamSwarmConfig", "Event", "EventType", "Finding", "LLMRequest",
    "LLMResponse", "Limits", "Message", "NodeRun", "OrchestratorConfig", "OrchestratorResult",
    "Policy", "ProgressTracker", "Ref", "Result", "Retry", "RunOptions", "StreamEvent", "SubTask",
    "SwarmConfig", "TaskStatus", "ToolCall", "ToolSpec", "Usage",
]  # fmt: skip

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dagorch.models.config": (
            "BeltalowdaConfig DreamCascadeConfig DreamSwarmConfig OrchestratorConfig SwarmConfig"
        ),
        "dagorch.models.document": "Document",
        "dagorch.models.events": "Event EventType",
        "dagorch.models.finding": "Finding",
        "dagorch.models.limits": "Limits",
        "dagorch.models.llm": "LLMRequest LLMResponse Message ToolCall ToolSpec",
        "dagorch.models.orchestration": "OrchestratorResult StreamEvent",
        "dagorch.models.policy": "Policy Retry",
        "dagorch.models.ref": "BranchRef Ref",
        "dagorch.models.result": "NodeRun Result",
        "dagorch.models.run_options": "RunOptions",
        "dagorch.models.task": "AgentResult AgentType SubTask TaskStatus",
        "dagorch.models.tracking": "CostTracker ProgressTracker",
        "dagorch.models.usage": "Bill Usage",
    },
)
