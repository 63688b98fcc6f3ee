"""Patterns made from options, or refused with a reason."""

from __future__ import annotations

import pytest

from dagorch import DefinitionError
from dagorch.cli.patterns import make_orchestrator


def test_an_unknown_pattern_names_the_nearest() -> None:
    with pytest.raises(DefinitionError, match="no pattern 'casade'; did you mean 'cascade'"):
        make_orchestrator("casade", {})
    with pytest.raises(DefinitionError, match="no pattern 'x'; use cascade, swarm, seq"):
        make_orchestrator("x", {})


def test_settings_reach_the_config() -> None:
    settings = {"belter_count": 5, "max_parallel": 2, "timeout_seconds": 9.0, "max_cost": 0.5}
    config = make_orchestrator("cascade", settings).config
    assert config.model_fields_set == {
        "belter_count",
        "max_parallel",
        "timeout_seconds",
        "max_cost",
    }
    with pytest.raises(DefinitionError, match="belter_count=0 must be a whole number from 1"):
        make_orchestrator("cascade", {"belter_count": 0})
