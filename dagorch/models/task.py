"""Units of an orchestrator's work and what came of them; nothing here runs them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_serializer
from pydantic_core import to_jsonable_python

from dagorch.models.strict import StrictModel

__all__ = ["AgentResult", "AgentType", "SubTask", "TaskStatus", "plain"]


class TaskStatus(StrEnum):
    """
    How a workflow, or an agent's part of it, stands or ended; equal to its plain word.

    Example:
        >>> TaskStatus.COMPLETED == "completed"
        True
    """

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    """A workflow with an answer, though some agents failed."""
    FAILED = "failed"
    BLOCKED = "blocked"
    """Not begun, because what it depends on failed."""
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class AgentType(StrEnum):
    """Roles of agents that dagorch knows by name; any other text is a role too."""

    PLANNER = "planner"
    RESEARCHER = "researcher"
    ANALYST = "analyst"
    SYNTHESIZER = "synthesizer"
    WRITER = "writer"
    REVIEWER = "reviewer"
    BELTER = "belter"
    """Of a Dream Cascade: searches."""
    DRUMMER = "drummer"
    """Of a Dream Cascade: analyses."""
    CAMINA = "camina"
    """Of a Dream Cascade: synthesises."""


Role = Annotated[AgentType | str, Field(union_mode="left_to_right")]
"""A known role becomes its `AgentType`, any other text stays as it is."""


def plain(value: Any) -> Any:
    """
    Give a value as JSON holds it; what JSON cannot hold, as its `str`.

    Example:
        >>> plain({"when": 1.5, "what": {1}, "who": object})
        {'when': 1.5, 'what': [1], 'who': "<class 'object'>"}
    """
    return to_jsonable_python(value, fallback=str, bytes_mode="base64", inf_nan_mode="strings")


class SubTask(StrictModel):
    """
    One unit of a plan; its dependencies become edges, its priority the order among those ready.

    Example:
        >>> SubTask("report", "Write it up", agent_type="writer", dependencies=["facts"]).agent_type
        <AgentType.WRITER: 'writer'>
    """

    id: str
    """Unique in its plan."""
    description: str
    agent_type: Role = AgentType.ANALYST
    priority: int = 1
    """Among subtasks that are ready, the higher number starts first."""
    dependencies: list[str] = Field(default_factory=list)
    """Ids of subtasks that must be done first; their results are in `context["results"]`."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """The caller's own."""

    if TYPE_CHECKING:  # they know fields by name only, and not that any text is a role

        def __init__(
            self,
            id: str,
            description: str,
            agent_type: AgentType | str = ...,
            priority: int = ...,
            dependencies: list[str] = ...,
            metadata: dict[str, Any] = ...,
        ) -> None: ...

    @field_serializer("metadata", when_used="json")
    def _plain(self, value: Any) -> Any:
        return plain(value)


class AgentResult(StrictModel):
    """
    What came of one agent's part.

    Example:
        >>> AgentResult("facts", "Bees dance.", status="completed").status
        <TaskStatus.COMPLETED: 'completed'>
    """

    subtask_id: str
    content: Any = ""
    """What it found: usually text. Empty if it did not complete."""
    status: TaskStatus = TaskStatus.COMPLETED
    agent_type: Role | None = None
    tokens_used: int = 0
    """Of input and output together, all tries; filled in where calls were metered."""
    cost: float = 0.0
    """Dollars, all tries; filled in where calls were metered."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """`error` says why it failed; the rest is the pattern's or the caller's own."""

    if TYPE_CHECKING:  # they know fields by name only, and not that a status may be its plain word

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

    @field_serializer("content", "metadata", when_used="json")
    def _plain(self, value: Any) -> Any:
        return plain(value)
