"""The subtasks of an orchestrator, and their results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_serializer, field_validator
from pydantic_core import to_jsonable_python

from dagorch.errors import DefinitionError
from dagorch.models.several import listed
from dagorch.models.strict import StrictModel
from dagorch.models.unawaited import unawaited

__all__ = [
    "AgentResult", "AgentType", "SubTask", "TaskStatus", "as_agent_result", "plain", "to_text",
]  # fmt: skip


class TaskStatus(StrEnum):
    """
    The status of a workflow or an agent; equal to its plain word.

    Example:
        >>> TaskStatus.COMPLETED == "completed"
        True
    """

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    """A workflow that has an answer although some agents failed."""
    FAILED = "failed"
    BLOCKED = "blocked"
    """Not started, because a dependency failed."""
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class AgentType(StrEnum):
    """The predefined roles of agents; any other text is also a role."""

    PLANNER = "planner"
    RESEARCHER = "researcher"
    ANALYST = "analyst"
    SYNTHESIZER = "synthesizer"
    WRITER = "writer"
    REVIEWER = "reviewer"
    BELTER = "belter"
    """Searches in a Dream Cascade."""
    DRUMMER = "drummer"
    """Analyses in a Dream Cascade."""
    CAMINA = "camina"
    """Synthesises in a Dream Cascade."""


Role = Annotated[AgentType | str, Field(union_mode="left_to_right")]
"""A predefined role becomes its `AgentType`; any other text is kept."""


def plain(value: Any) -> Any:
    """
    Convert a value to plain JSON values; what JSON cannot hold becomes its `str`.

    Example:
        >>> plain({"when": 1.5, "what": {1}, "who": object})
        {'when': 1.5, 'what': [1], 'who': "<class 'object'>"}
    """
    return to_jsonable_python(value, fallback=str, bytes_mode="base64", inf_nan_mode="strings")


def to_text(value: Any) -> str:
    r"""
    Write a value as text: a string unchanged, anything else as indented JSON.

    Example:
        >>> to_text("Bees"), to_text([1])
        ('Bees', '[\n  1\n]')
    """
    return (
        value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False, indent=2)
    )


class SubTask(StrictModel):
    """
    One unit of a plan; its dependencies become edges, and its priority the node's priority.

    Example:
        >>> SubTask("report", "Write it up", agent_type="writer", dependencies=["facts"]).agent_type
        <AgentType.WRITER: 'writer'>
    """

    id: str
    """Unique in the plan, and not blank."""
    description: str
    agent_type: Role = AgentType.ANALYST
    priority: int = 1
    """Of ready subtasks, the higher number starts first."""
    dependencies: list[str] = Field(default_factory=list)
    """Ids of subtasks to complete first; their results are in `context["results"]`."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """For the caller."""

    if TYPE_CHECKING:  # type checkers know fields by name only, and no plain words for a role

        def __init__(
            self,
            id: str,
            description: str,
            agent_type: AgentType | str = ...,
            priority: int = ...,
            dependencies: str | list[str] = ...,
            metadata: dict[str, Any] = ...,
        ) -> None: ...

    @field_validator("id", "agent_type")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("it is empty; pass a text such as 'researcher'")
        return value

    @field_validator("dependencies", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return listed(value)

    @field_serializer("metadata", when_used="json")
    def _plain(self, value: Any) -> Any:
        return plain(value)


class AgentResult(StrictModel):
    """
    The result of one agent.

    Example:
        >>> AgentResult("facts", "Bees dance.", status="completed").status
        <TaskStatus.COMPLETED: 'completed'>
    """

    subtask_id: str
    content: Any = ""
    """Usually text; empty if the agent did not complete."""
    status: TaskStatus = TaskStatus.COMPLETED
    agent_type: Role | None = None
    tokens_used: int = 0
    """Input and output tokens of all attempts; filled in if the calls were metered."""
    cost: float = 0.0
    """Dollars of all attempts; filled in if the calls were metered."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """`error` is why it failed; other keys belong to the pattern or the caller."""

    if TYPE_CHECKING:  # type checkers know fields by name only, and no plain words for a status

        def __init__(
            self,
            subtask_id: str,
            content: Any = ...,
            status: TaskStatus | str = ...,
            agent_type: AgentType | str | None = ...,
            tokens_used: int = ...,
            cost: float = ...,
            metadata: dict[str, Any] = ...,
        ) -> None: ...

    @field_validator("content")
    @classmethod
    def _awaited(cls, content: Any) -> Any:
        what = unawaited(content)
        if what:
            raise ValueError(f"content is {what}")
        return content

    @field_serializer("content", "metadata", when_used="json")
    def _plain(self, value: Any) -> Any:
        return plain(value)


def as_agent_result(value: Any) -> AgentResult:
    """
    Return an agent's result, or make one of a dict of its fields.

    Raises:
        DefinitionError: It is neither, or a field is wrong.

    Example:
        >>> as_agent_result({"subtask_id": "facts", "content": "Bees dance."}).content
        'Bees dance.'
    """
    if isinstance(value, AgentResult):
        return value
    if isinstance(value, Mapping):
        return AgentResult(**value)
    raise DefinitionError(
        f"{value!r:.60} is not an AgentResult; pass AgentResult(subtask_id, content), or a dict of "
        "its fields"
    )
