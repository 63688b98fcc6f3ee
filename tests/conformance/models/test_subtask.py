"""`SubTask`."""

from __future__ import annotations

import pytest

from dagorch import AgentType, DefinitionError, SubTask


def test_as_documented() -> None:
    task = SubTask(
        id="a", description="do", agent_type=AgentType.ANALYST, priority=1, dependencies=["b"]
    )
    assert (task.id, task.description, task.priority, task.dependencies) == ("a", "do", 1, ["b"])
    assert SubTask("a", "do").dependencies == []


def test_the_agent_type_may_be_any_text() -> None:
    assert SubTask("a", "do", agent_type="researcher").agent_type is AgentType.RESEARCHER
    assert SubTask("a", "do", agent_type="researcher").agent_type == "researcher"
    assert SubTask("a", "do", agent_type="wizard").agent_type == "wizard"


def test_wrong_fields_are_refused() -> None:
    with pytest.raises(
        DefinitionError, match="no field 'dependancies'; did you mean 'dependencies'"
    ):
        SubTask(id="a", description="do", dependancies=[])
    with pytest.raises(DefinitionError, match="SubTask needs 'description'"):
        SubTask(id="a")
    with pytest.raises(DefinitionError, match="priority='high'"):
        SubTask(id="a", description="do", priority="high")
