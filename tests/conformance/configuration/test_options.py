"""Every option changes behaviour; one that nothing reads is a defect."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dagorch
from dagorch import DreamCascadeConfig, DreamSwarmConfig, OrchestratorConfig
from dagorch.models import config

HOME = Path(dagorch.__file__).parent


def attributes_read() -> set[str]:
    """Return the attributes that the package reads outside the module of the configs."""
    return {
        node.attr
        for file in HOME.rglob("*.py")
        if file != Path(config.__file__)
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


@pytest.mark.parametrize("kind", [OrchestratorConfig, DreamCascadeConfig, DreamSwarmConfig])
def test_every_field_of_every_config_is_read(kind: type[OrchestratorConfig]) -> None:
    assert set(kind.model_fields) <= attributes_read()


@pytest.mark.parametrize("kind", [OrchestratorConfig, DreamCascadeConfig, DreamSwarmConfig])
def test_every_field_is_checked(kind: type[OrchestratorConfig]) -> None:
    """A value of a wrong type is reported for every field."""
    for name in kind.model_fields:
        problems = kind.model_validate({name: object()}).validate()
        assert any(name in problem for problem in problems), name
