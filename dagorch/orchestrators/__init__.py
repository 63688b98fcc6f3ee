"""Orchestrators: a pattern, its config and a provider in one object; imported on first use."""

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
    from dagorch.orchestrators.base import BaseOrchestrator
    from dagorch.orchestrators.cascade import BeltalowdaOrchestrator, DreamCascadeOrchestrator
    from dagorch.orchestrators.conditional import ConditionalOrchestrator
    from dagorch.orchestrators.iterative import IterativeOrchestrator
    from dagorch.orchestrators.sequential import SequentialOrchestrator
    from dagorch.orchestrators.swarm import DreamSwarmOrchestrator, SwarmOrchestrator

__all__ = [
    "BaseOrchestrator", "BeltalowdaConfig", "BeltalowdaOrchestrator", "ConditionalOrchestrator",
    "DreamCascadeConfig", "DreamCascadeOrchestrator", "DreamSwarmConfig", "DreamSwarmOrchestrator",
    "IterativeOrchestrator", "OrchestratorConfig", "SequentialOrchestrator", "SwarmConfig",
    "SwarmOrchestrator",
]  # fmt: skip

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dagorch.models.config": (
            "BeltalowdaConfig DreamCascadeConfig DreamSwarmConfig OrchestratorConfig SwarmConfig"
        ),
        "dagorch.orchestrators.base": "BaseOrchestrator",
        "dagorch.orchestrators.cascade": "BeltalowdaOrchestrator DreamCascadeOrchestrator",
        "dagorch.orchestrators.conditional": "ConditionalOrchestrator",
        "dagorch.orchestrators.iterative": "IterativeOrchestrator",
        "dagorch.orchestrators.sequential": "SequentialOrchestrator",
        "dagorch.orchestrators.swarm": "DreamSwarmOrchestrator SwarmOrchestrator",
    },
)
