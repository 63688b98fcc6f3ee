"""The old names are the same classes."""

from __future__ import annotations

import dagorch


def test_they_are_the_same() -> None:
    assert dagorch.BeltalowdaOrchestrator is dagorch.DreamCascadeOrchestrator
    assert dagorch.BeltalowdaConfig is dagorch.DreamCascadeConfig
    assert dagorch.SwarmOrchestrator is dagorch.DreamSwarmOrchestrator
    assert dagorch.SwarmConfig is dagorch.DreamSwarmConfig
