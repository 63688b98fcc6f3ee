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

_NAMES = {
    "dagorch.models.config": (
        "BeltalowdaConfig",
        "DreamCascadeConfig",
        "DreamSwarmConfig",
        "OrchestratorConfig",
        "SwarmConfig",
    ),
    "dagorch.orchestrators.base": ("BaseOrchestrator",),
    "dagorch.orchestrators.cascade": ("BeltalowdaOrchestrator", "DreamCascadeOrchestrator"),
    "dagorch.orchestrators.conditional": ("ConditionalOrchestrator",),
    "dagorch.orchestrators.iterative": ("IterativeOrchestrator",),
    "dagorch.orchestrators.sequential": ("SequentialOrchestrator",),
    "dagorch.orchestrators.swarm": ("DreamSwarmOrchestrator", "SwarmOrchestrator"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "BaseOrchestrator", "BeltalowdaConfig", "BeltalowdaOrchestrator", "ConditionalOrchestrator",
    "DreamCascadeConfig", "DreamCascadeOrchestrator", "DreamSwarmConfig", "DreamSwarmOrchestrator",
    "IterativeOrchestrator", "OrchestratorConfig", "SequentialOrchestrator", "SwarmConfig",
    "SwarmOrchestrator",
]  # fmt: skip


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
