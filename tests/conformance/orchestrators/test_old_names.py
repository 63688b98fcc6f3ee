"""The old names are the same classes."""

from __future__ import annotations

import dagorch


def test_old_names_are_aliases() -> None:
    assert dagorch.BeltalowdaOrchestrator is dagorch.DreamCascadeOrchestrator
    assert dagorch.BeltalowdaConfig is dagorch.DreamCascadeConfig
    assert dagorch.SwarmOrchestrator is dagorch.DreamSwarmOrchestrator
    assert dagorch.SwarmConfig is dagorch.DreamSwarmConfig
