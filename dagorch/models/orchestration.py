"""The result of a workflow, and the events of its stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    The outcome of a workflow: its answer, the result of each agent, the cost.

    `run` takes no part in comparison or in JSON.

    Example:
        >>> result = OrchestratorResult("t1", "completed", "Bees dance.", total_cost=0.01)
        >>> OrchestratorResult.model_validate_json(result.model_dump_json()) == result
        True
    """

    task_id: str
    status: TaskStatus
    result: Any = None
    """The answer, as the synthesis returned it; None if there is none."""
    agent_results: list[AgentResult] = Field(default_factory=list)
    """One per agent, including failed ones. A dict of their fields is accepted too."""
    total_cost: float = 0.0
    """Dollars, including planning, synthesis and failed attempts."""
    execution_time: float = 0.0
    """Wall-clock seconds."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Details that depend on the pattern."""
    documents: list[Document] = Field(default_factory=list)
    """The files that were written, in the order of `output_formats`."""
    document_errors: dict[str, str] = Field(default_factory=dict)
    """Why a document could not be written, by its format."""
    run: Any = Field(default=None, exclude=True, repr=False)
    """The engine's `Result`, with its node runs; None after a round trip through JSON."""

    if TYPE_CHECKING:  # type checkers know fields by name only, and no plain words for a status

        def __init__(
            self,
            task_id: str,
            status: TaskStatus | str,
            result: Any = ...,
            agent_results: Sequence[AgentResult | Mapping[str, Any]] = ...,
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
        return self._compared() == other._compared()

    __hash__ = None  # type: ignore[assignment]  # mutable

    def _compared(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields if name != "run"}


class StreamEvent(StrictModel):
    """
    An event that `stream_callback` receives.

    `subtask_completed` is sent at the end of every subtask; `data["status"]` says which end.
    """

    event_type: EventType
    message: str
    """For people."""
    progress: float | None = None
    """0 to 100, with one decimal; never falls, and 100 only on completion."""
    task_id: str
    """The id of the workflow, as in its result."""
    timestamp: AwareDatetime
    """In UTC."""
    data: dict[str, Any] = Field(default_factory=dict)
    """Plain JSON values: `subtask_id`, `node`, `error`, `text`, ..."""

    @field_serializer("timestamp", when_used="json")
    def _iso(self, value: datetime) -> str:
        return value.isoformat()
