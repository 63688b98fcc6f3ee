"""What an orchestrator gives back, and what it tells on the way; no delivery here."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, Field, field_serializer

from dagorch.models.document import Document
from dagorch.models.events import EventType
from dagorch.models.strict import StrictModel
from dagorch.models.task import AgentResult, TaskStatus, plain

__all__ = ["OrchestratorResult", "StreamEvent"]


class OrchestratorResult(StrictModel):
    """
    What a workflow came to: its answer, each agent's part, the bill.

    Equal to another if all but `run` is; goes to JSON and back without `run`.

    Example:
        >>> result = OrchestratorResult("t1", "completed", "Bees dance.", total_cost=0.01)
        >>> OrchestratorResult.model_validate_json(result.model_dump_json()) == result
        True
    """

    task_id: str
    status: TaskStatus
    result: Any = None
    """The answer, as the synthesis gave it; None if there is none."""
    agent_results: list[AgentResult] = Field(default_factory=list)
    """One per agent, failed ones too."""
    total_cost: float = 0.0
    """Dollars, planning, synthesis and failed tries included."""
    execution_time: float = 0.0
    """Seconds on the clock."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """What the pattern tells about how it went."""
    documents: list[Document] = Field(default_factory=list)
    """The files that were written, in the order of the config's `output_formats`."""
    document_errors: dict[str, str] = Field(default_factory=dict)
    """Why a document could not be written, by its format; the rest of the result is whole."""
    run: Any = Field(default=None, exclude=True, repr=False)
    """The engine's `Result`, for its node runs and to draw it; None when read from JSON."""

    if TYPE_CHECKING:  # they know fields by name only, and not that a status may be its plain word

        def __init__(
            self,
            task_id: str,
            status: TaskStatus | str,
            result: Any = ...,
            agent_results: list[AgentResult] = ...,
            total_cost: float = ...,
            execution_time: float = ...,
            metadata: dict[str, Any] = ...,
            documents: list[Document] = ...,
            document_errors: dict[str, str] = ...,
            run: Any = ...,
        ) -> None: ...

    @field_serializer("result", "metadata", when_used="json")
    def _plain(self, value: Any) -> Any:
        return plain(value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OrchestratorResult):
            return NotImplemented
        return self._facts() == other._facts()

    __hash__ = None  # type: ignore[assignment]  # it is mutable

    def _facts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields if name != "run"}


class StreamEvent(StrictModel):
    """One thing that a workflow tells its `stream_callback`."""

    event_type: EventType
    message: str
    """For people."""
    progress: float | None = None
    """0 to 100; never falls, 100 only on completion."""
    task_id: str
    """The workflow's; the same as its result's."""
    timestamp: AwareDatetime
    """When it happened, UTC."""
    data: dict[str, Any] = Field(default_factory=dict)
    """Plain JSON values: `subtask_id`, `node`, `error`, `text`, ..."""

    @field_serializer("timestamp", when_used="json")
    def _iso(self, value: datetime) -> str:
        return value.isoformat()
