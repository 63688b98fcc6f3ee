"""Orchestrators: a pattern, its config and a provider in one object; imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dagorch.errors import did_you_mean

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

_MODULES = {
    "BaseOrchestrator": "dagorch.orchestrators.base",
    "BeltalowdaConfig": "dagorch.models.config",
    "BeltalowdaOrchestrator": "dagorch.orchestrators.cascade",
    "ConditionalOrchestrator": "dagorch.orchestrators.conditional",
    "DreamCascadeConfig": "dagorch.models.config",
    "DreamCascadeOrchestrator": "dagorch.orchestrators.cascade",
    "DreamSwarmConfig": "dagorch.models.config",
    "DreamSwarmOrchestrator": "dagorch.orchestrators.swarm",
    "IterativeOrchestrator": "dagorch.orchestrators.iterative",
    "OrchestratorConfig": "dagorch.models.config",
    "SequentialOrchestrator": "dagorch.orchestrators.sequential",
    "SwarmConfig": "dagorch.models.config",
    "SwarmOrchestrator": "dagorch.orchestrators.swarm",
}

__all__ = [
    "BaseOrchestrator",
    "BeltalowdaConfig",
    "BeltalowdaOrchestrator",
    "ConditionalOrchestrator",
    "DreamCascadeConfig",
    "DreamCascadeOrchestrator",
    "DreamSwarmConfig",
    "DreamSwarmOrchestrator",
    "IterativeOrchestrator",
    "OrchestratorConfig",
    "SequentialOrchestrator",
    "SwarmConfig",
    "SwarmOrchestrator",
]


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        known = did_you_mean(name, _MODULES)
        raise AttributeError(f"module 'dagorch.orchestrators' has no attribute {name!r}{known}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
