"""From a run's events to an orchestrator's stream, and to the callback; no decisions here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dagorch.models.events import CONTENT_FIELDS, NODE_ENDS, Event, EventType
from dagorch.models.orchestration import StreamEvent
from dagorch.orchestrators.workflow import Agent, Workflow
from dagorch.runner.loop_state import shared
from dagorch.runner.threads import run_in_thread

__all__ = ["Stream"]

_SAID: Final = {
    EventType.NODE_READY: "{node} is ready",
    EventType.NODE_STARTED: "{node} started",
    EventType.NODE_TOKENS: "{node} writes",
    EventType.EXCHANGE_ENDED: "{node} has asked {model}",
    EventType.ATTEMPT_FAILED: "{node}: try {attempt} failed: {error}",
    EventType.NODE_RETRYING: "{node} is tried again in {delay_seconds:.1f} s",
    EventType.NODE_DOWNGRADED: "{node} asks the cheaper {model}",
    EventType.NODE_HEDGED: "{node} is slow and asked a second time",
    EventType.NODE_PARKED: "{node} asks: {question}",
    EventType.MAP_OPENED: "{node} has {items} items",
    EventType.NODE_FAILED: "{node} failed: {error}",
}


class Stream:
    """
    The listener that tells one workflow's `stream_callback`.

    A callback that is async runs on the event loop, any other in a worker thread, so that a slow
    one holds nothing up; either gets one event after the other.

    Args:
        callback: The user's.
        workflow: What is told of.
    """

    def __init__(self, callback: Callable[[StreamEvent], Any], workflow: Workflow) -> None:
        self._callback = callback
        self._workflow = workflow
        self._began = datetime.now(UTC)
        self._synthesis_started = False
        self._created: set[str] = set()
        """Paths of the agents that were told of."""
        self._is_async = inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(
            getattr(callback, "__call__", None)  # noqa: B004  # its kind is asked, not whether it is there
        )

    async def __call__(self, event: Event) -> None:
        """Tell the callback what an event means; its first error is raised when all is told."""
        failure: Exception | None = None
        for told in self._translate(event):
            try:
                if self._is_async:
                    await self._callback(told)
                else:
                    outcome = await self._in_thread(told)
                    if inspect.isawaitable(outcome):
                        await outcome
            except Exception as error:
                failure = failure or error
        if failure is not None:
            raise failure

    async def _in_thread(self, told: StreamEvent) -> Any:
        of_loop = shared()
        of_loop.threads_at_work += 1
        try:
            return await run_in_thread(
                lambda: self._callback(told), _unfollowed, of_loop.thread_wait_seconds
            )
        finally:
            of_loop.threads_at_work -= 1

    def __repr__(self) -> str:
        return f"<Stream to {self._callback!r}>"

    def _translate(self, event: Event) -> Iterator[StreamEvent]:
        kind, path, workflow = event.type, event.path, self._workflow
        if kind is EventType.RUN_STARTED:
            yield self._tell(event, EventType.TASK_STARTED, f"Started: {workflow.task}", {})
            if workflow.planning == "":
                yield from self._create(event, workflow.agents)
            return
        if kind is EventType.RUN_COMPLETED:
            yield self._tell(event, EventType.TASK_COMPLETED, "Completed", {})
            return
        if kind in (EventType.RUN_FAILED, EventType.RUN_CANCELLED):
            why = event.data.get("error") or event.data.get("reason") or "cancelled"
            word = "Failed" if kind is EventType.RUN_FAILED else "Cancelled"
            yield self._tell(event, EventType.ERROR, f"{word}: {why}", {"error": str(why)})
            return
        agent = workflow.agents.get(path)
        if agent is not None and workflow.planning is None and kind is EventType.NODE_READY:
            yield from self._create(event, [path])
        if kind is EventType.NODE_STARTED and path == workflow.synthesis and agent is None:
            yield from self._start_synthesis(event)
        data = {name: value for name, value in event.data.items() if name not in CONTENT_FIELDS}
        yield self._tell(event, kind, _message(event), {**data, "node": path})
        if kind not in NODE_ENDS:
            return
        if path == workflow.planning:
            yield from self._create(event, workflow.agents)
        if agent is not None and path in self._created:
            facts = {**_facts(agent), "status": NODE_ENDS[kind], **event.data}
            message = f"{agent.name} {NODE_ENDS[kind]}"
            yield self._tell(event, EventType.SUBTASK_COMPLETED, message, facts)
        if path == workflow.synthesis and kind is EventType.NODE_COMPLETED:
            yield from self._start_synthesis(event)
            yield self._tell(event, EventType.SYNTHESIS_COMPLETED, "The answer is there", {})

    def _create(self, event: Event, paths: Iterable[str]) -> Iterator[StreamEvent]:
        for path in paths:
            agent = self._workflow.agents[path]
            self._created.add(path)
            yield self._tell(
                event, EventType.SUBTASK_CREATED, f"Created {agent.name}", _facts(agent)
            )

    def _start_synthesis(self, event: Event) -> Iterator[StreamEvent]:
        if not self._synthesis_started:
            self._synthesis_started = True
            yield self._tell(event, EventType.SYNTHESIS_STARTED, "Putting the answer together", {})

    def _tell(
        self, event: Event, kind: EventType, message: str, data: Mapping[str, Any]
    ) -> StreamEvent:
        return StreamEvent(
            event_type=kind,
            message=message,
            progress=event.progress,
            task_id=event.run_id,
            timestamp=self._began + timedelta(seconds=event.seconds),
            data=dict(data),
        )


def _message(event: Event) -> str:
    said = _SAID.get(event.type)
    if said is None:
        return f"{event.path} {NODE_ENDS.get(event.type, event.type.value)}"
    facts = {"error": "unknown error", "delay_seconds": 0.0, "question": "", **event.data}
    return said.format_map({**facts, "node": event.path, "attempt": event.attempt})


def _facts(agent: Agent) -> dict[str, Any]:
    return {"subtask_id": agent.id, "agent_type": str(agent.role), "description": agent.name}


def _unfollowed(_job: object) -> None:
    """Let a callback that hangs be: its thread is a daemon."""
