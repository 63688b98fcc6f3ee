"""Translate the events of a run into those of an orchestrator's stream."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from dagorch.models.events import CONTENT_FIELDS, NODE_ENDS, RUN_ENDS, Event, EventType
from dagorch.models.orchestration import StreamEvent
from dagorch.orchestrators.workflow import AgentInfo, Workflow
from dagorch.worker_threads import run_in_thread

__all__ = ["Stream"]

_MESSAGES: Final = {
    EventType.NODE_READY: "{node} is ready",
    EventType.NODE_STARTED: "{node} started",
    EventType.NODE_TOKENS: "{node} is writing",
    EventType.EXCHANGE_ENDED: "{node} called {model}",
    EventType.ATTEMPT_FAILED: "{node}: attempt {attempt} failed: {error}",
    EventType.NODE_RETRYING: "{node} will be retried in {delay_seconds:.1f} s",
    EventType.NODE_DOWNGRADED: "{node} uses the cheaper {model}",
    EventType.NODE_HEDGED: "{node} is slow; a second call was started",
    EventType.NODE_PARKED: "{node} asks: {question}",
    EventType.MAP_OPENED: "{node} has {items} items",
    EventType.NODE_FAILED: "{node} failed: {error}",
}


class Stream:
    """
    The listener that calls a workflow's `stream_callback`, one event at a time.

    An async callback runs on the event loop, any other in a worker thread, so that a slow callback
    delays nothing else.

    Args:
        callback: The user's callback.
        workflow: The workflow of the events.
        engine_events: Whether the callback also gets the events of the engine.
    """

    def __init__(
        self,
        callback: Callable[[StreamEvent], Any],
        workflow: Workflow,
        *,
        engine_events: bool = False,
    ) -> None:
        self._callback = callback
        self._engine_events = engine_events
        self._workflow = workflow
        self._began = datetime.now(UTC)
        self._synthesis_started = False
        self._created: set[str] = set()
        """Paths of the agents whose creation was reported."""
        self._is_async = inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(
            getattr(callback, "__call__", None)  # noqa: B004  # for its kind, not its existence
        )

    async def __call__(self, event: Event) -> None:
        """Call the callback with the translation of an event; raise its first error afterwards."""
        failure: Exception | None = None
        for stream_event in self._translate(event):
            try:
                if self._is_async:
                    await self._callback(stream_event)
                else:
                    outcome = await run_in_thread(partial(self._callback, stream_event))
                    if inspect.isawaitable(outcome):
                        await outcome
            except Exception as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def __repr__(self) -> str:
        return f"<Stream to {self._callback!r}>"

    def _translate(self, event: Event) -> Iterator[StreamEvent]:
        kind, path, workflow = event.type, event.path, self._workflow
        if kind is EventType.RUN_STARTED:
            yield self._event(event, EventType.TASK_STARTED, f"Started: {workflow.task}", {})
            if workflow.planning_path == "":
                yield from self._create(event, workflow.agents)
            return
        if kind is EventType.RUN_COMPLETED:
            yield self._event(event, EventType.TASK_COMPLETED, "Completed", {})
            return
        if kind in (EventType.RUN_FAILED, EventType.RUN_CANCELLED):
            reason = event.data.get("error") or event.data.get("reason") or "cancelled"
            message = f"{RUN_ENDS[kind].capitalize()}: {reason}"
            yield self._event(event, EventType.ERROR, message, {"error": str(reason)})
            return
        agent = workflow.agents.get(path)
        if agent is not None and workflow.planning_path is None and kind is EventType.NODE_READY:
            yield from self._create(event, [path])
        if kind is EventType.NODE_STARTED and path == workflow.synthesis_path and agent is None:
            yield from self._start_synthesis(event)
        if self._engine_events:
            data = {name: value for name, value in event.data.items() if name not in CONTENT_FIELDS}
            yield self._event(event, kind, _message(event), {**data, "node": path})
        if kind in NODE_ENDS:
            yield from self._end(event)

    def _end(self, event: Event) -> Iterator[StreamEvent]:
        """Translate the end of a node run."""
        kind, path, workflow = event.type, event.path, self._workflow
        agent = workflow.agents.get(path)
        if path == workflow.planning_path:
            yield from self._create(event, workflow.agents)
        if agent is not None and path in self._created:
            status = self._status(path, kind)
            data = {**event.data, **_agent_data(agent), "status": status}
            message = f"{agent.description} {status}"
            if error := event.data.get("error"):
                message += f": {error}"
            yield self._event(event, EventType.SUBTASK_COMPLETED, message, data)
        if path == workflow.synthesis_path and kind is EventType.NODE_COMPLETED:
            yield from self._start_synthesis(event)
            yield self._event(event, EventType.SYNTHESIS_COMPLETED, "The answer is ready", {})

    def _status(self, path: str, kind: EventType) -> str:
        """Return an agent's status: that of the result it returned, or the end of its node run."""
        recorded = self._workflow.recorded.get(path)
        end = NODE_ENDS[kind]
        return str(recorded.status) if recorded is not None and end == "completed" else end

    def _create(self, event: Event, paths: Iterable[str]) -> Iterator[StreamEvent]:
        for path in paths:
            agent = self._workflow.agents[path]
            self._created.add(path)
            yield self._event(
                event,
                EventType.SUBTASK_CREATED,
                f"Created {agent.description}",
                _agent_data(agent),
            )

    def _start_synthesis(self, event: Event) -> Iterator[StreamEvent]:
        if not self._synthesis_started:
            self._synthesis_started = True
            yield self._event(event, EventType.SYNTHESIS_STARTED, "Synthesising the answer", {})

    def _event(
        self, event: Event, kind: EventType, message: str, data: Mapping[str, Any]
    ) -> StreamEvent:
        return StreamEvent(
            event_type=kind,
            message=message,
            progress=math.floor(event.progress * 10) / 10,  # 99.96 is not 100
            task_id=event.run_id,
            timestamp=self._began + timedelta(seconds=event.seconds),
            data=dict(data),
        )


def _message(event: Event) -> str:
    template = _MESSAGES.get(event.type)
    if template is None:
        return f"{event.path} {NODE_ENDS.get(event.type, event.type.value)}"
    data = {"error": "unknown error", "delay_seconds": 0.0, "question": "", **event.data}
    return template.format_map({**data, "node": event.path, "attempt": event.attempt})


def _agent_data(agent: AgentInfo) -> dict[str, Any]:
    return {
        "subtask_id": agent.id,
        "agent_type": str(agent.role),
        "description": agent.description,
    }
