"""
From a run's events and its result to its record. What a record holds is `record.py`'s.

The result knows what came of each node run; how it came to that, the prompts and the replies are
known from the events alone.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import JsonValue

from dagorch.errors import DefinitionError
from dagorch.exporters.critical import CriticalStep, critical_path
from dagorch.exporters.pictures.unroll import draw
from dagorch.exporters.report.record import (
    AttemptRecord,
    EventRecord,
    ExchangeRecord,
    NodeRecord,
    RunRecord,
    Said,
)
from dagorch.ids import RunId, started_at
from dagorch.models.events import CONTENT_FIELDS, Event, EventType
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.result import NodeRun, Result
from dagorch.models.task import plain
from dagorch.models.truncate import truncate_with_count
from dagorch.models.usage import NOTHING_USED, Usage

__all__ = ["Recorder"]

MAX_EVENTS: Final = 300_000
"""Of a run, that are kept."""
MAX_VALUE: Final = 100_000
"""Characters of a value, as JSON."""
MAX_TEXT: Final = 2_000_000
"""Characters of a prompt or a reply: beyond what a model reads."""

_COUNTS: Final = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


class Recorder:
    """
    A listener that keeps what a run tells, to make its record at the end.

    Give it to as many runs as you like, also at once; what one has told is let go with its record.

    Example:
        >>> from dagorch import LLM, Graph
        >>> from dagorch.testing import ScriptedProvider, run_virtual
        >>> graph = Graph("hello")
        >>> ref = graph.add(LLM("greet", prompt="Say hello."))
        >>> recorder = Recorder()
        >>> async def main():
        ...     return await graph.run(provider=ScriptedProvider("Hi!"), on_event=recorder)
        >>> (exchange,) = recorder.record(run_virtual(main)).exchanges
        >>> exchange.messages[0].content, exchange.reply
        ('Say hello.', 'Hi!')
    """

    def __init__(self) -> None:
        self._told: dict[str, list[Event]] = {}
        self._left_out: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        if event.type is EventType.NODE_TOKENS:
            return  # the reply has the text
        kept = self._told.setdefault(event.run_id, [])
        if len(kept) < MAX_EVENTS:
            kept.append(event)
        else:
            self._left_out[event.run_id] = self._left_out.get(event.run_id, 0) + 1

    def record(
        self,
        outcome: Result | OrchestratorResult,
        *,
        task: str = "",
        error: BaseException | None = None,
    ) -> RunRecord:
        """
        Make the record of a run that has ended.

        Args:
            outcome: What it came to; of one that raised, `error.partial_results`. Where this
                recorder did not listen to it, the record has no prompts, replies and events.
            task: What was to be done; an orchestrator's outcome says so itself.
            error: What it raised.

        Cost: O(all that it holds); 10,000 node runs take some 2 s.

        Raises:
            DefinitionError: The outcome was read from JSON, and so has no run.
        """
        run = outcome.run if isinstance(outcome, OrchestratorResult) else outcome
        if not isinstance(run, Result):
            raise DefinitionError(
                "the outcome has no run to be recorded: it was read from JSON; take the one that "
                "the workflow gave"
            )
        events = self._told.pop(run.run_id, [])
        left_out = self._left_out.pop(run.run_id, 0) + run.dropped_events
        told = outcome.result if isinstance(outcome, OrchestratorResult) else run.output
        output, cut = _bounded(told)
        exchanges = tuple(_exchange(e) for e in events if e.type is EventType.EXCHANGE_ENDED)
        return RunRecord(
            run_id=run.run_id,
            title=_text(run.graph.name) if run.graph is not None else "run",
            task=_text(task or _task(outcome)),
            status=str(outcome.status),
            error="" if error is None else _text(f"{type(error).__name__}: {error}"),
            started_at=datetime.fromtimestamp(started_at(RunId(run.run_id)), UTC),
            duration_seconds=run.duration_seconds,
            output=output,
            output_left_out=cut,
            usage=run.usage,
            usage_by_model={_text(name): usage for name, usage in run.usage_by_model.items()},
            usage_by_tier=_tiers(outcome),
            graph=None if run.graph is None else _drawing(run),
            critical_path=() if run.graph is None else tuple(_critical(run)),
            node_runs=tuple(_node_runs(run, events, _roles(outcome))),
            exchanges=exchanges,
            events=tuple(map(_event, events)),
            events_left_out=left_out,
        )


def _drawing(run: Result) -> Any:
    """Give what is drawn as JSON holds it."""
    drawing = draw(run.graph, run)
    for box in drawing.boxes.values():
        box.run = None  # its facts are among the node runs
    return json.loads(_text(json.dumps(asdict(drawing), ensure_ascii=False), sys.maxsize))


def _critical(run: Result) -> Iterable[CriticalStep]:
    for step in critical_path(run):
        yield replace(step, path=_text(step.path))


# -- node runs ----------------------------------------------------------------------------------


def _node_runs(
    run: Result, events: Iterable[Event], roles: Mapping[str, str]
) -> Iterable[NodeRecord]:
    tries = _tries(events)
    for path, node in run.node_runs.items():
        value, cut = _bounded(run[path]) if path in run else (None, 0)
        yield NodeRecord(
            path=_text(path),
            kind=node.kind,
            tier=_text(roles.get(path, "")) if roles.get(path) != node.kind else "",
            end=node.end,
            ready_seconds=node.ready_seconds,
            started_seconds=node.started_seconds,
            ended_seconds=node.ended_seconds,
            attempts=tuple(_attempts(node, tries.get(path, {}))),
            usage=node.usage,
            error=_error(node.error),
            recovered_from=_error(node.recovered_from),
            reason=_text(node.reason),
            value=value,
            value_left_out=cut,
        )


def _tries(events: Iterable[Event]) -> dict[str, dict[int, dict[str, Any]]]:
    """Give what events tell of attempts, by path and number."""
    found: dict[str, dict[int, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for event in events:
        if not event.attempt:
            continue
        known = found[event.path][event.attempt]
        if event.type is EventType.NODE_STARTED:
            known["started_seconds"] = event.seconds
        elif event.type is EventType.ATTEMPT_FAILED:
            known["ended_seconds"] = event.seconds
            known["error"] = _text(str(event.data.get("error", "")))
        elif event.type is EventType.NODE_RETRYING:
            known["retry_seconds"] = event.seconds + float(event.data["delay_seconds"])
    return found


def _attempts(node: NodeRun, tries: Mapping[int, Mapping[str, Any]]) -> Iterable[AttemptRecord]:
    for number in range(1, node.attempts + 1):
        bills = [bill for bill in node.bills if bill.attempt == number]
        known = dict(tries.get(number, {}))
        if node.attempts == 1:  # known without events
            known.setdefault("started_seconds", node.started_seconds)
        if number == node.attempts:
            known.setdefault("ended_seconds", node.ended_seconds)
        yield AttemptRecord(
            number=number,
            service=_text(bills[-1].service) if bills else "",
            model=_text(bills[-1].model) if bills else "",
            usage=sum((bill.usage for bill in bills), NOTHING_USED),
            **known,
        )


# -- exchanges and events -----------------------------------------------------------------------


def _exchange(event: Event) -> ExchangeRecord:
    data = event.data
    counts = {name: data.get(name, 0) for name in _COUNTS}
    cost = Decimal(str(data["cost_usd"]))
    usage = Usage(**counts, cost_usd=cost, estimated=data["estimated"], calls=1)
    return ExchangeRecord(
        path=_text(event.path),
        attempt=event.attempt,
        service=_text(data["service"]),
        model=_text(data["model"]),
        started_seconds=data["began_seconds"],
        ended_seconds=event.seconds,
        messages=tuple(map(_said, data.get("messages", ()))),
        reply=_text(data.get("reply", "")),
        tool_calls=_calls(data),
        finish_reason=_text(data.get("finish_reason", "")),
        error=_text(data.get("error", "")),
        usage=usage,
    )


def _said(message: Mapping[str, Any]) -> Said:
    return Said(
        role=message["role"],
        content=_text(message.get("content", "")),
        images=tuple(_text(image, 200) for image in message.get("images", ())),
        tool_calls=_calls(message),
    )


def _calls(holder: Mapping[str, Any]) -> tuple[str, ...]:
    calls = holder.get("tool_calls", ())
    return tuple(_text(f"{call['name']}({call['arguments']})") for call in calls)


def _event(event: Event) -> EventRecord:
    data = {name: value for name, value in event.data.items() if name not in CONTENT_FIELDS}
    told, _ = _bounded(data)
    return EventRecord(
        number=event.number,
        seconds=event.seconds,
        type=event.type.value,
        path=_text(event.path),
        attempt=event.attempt,
        data=told if isinstance(told, dict) else {"text": told},
    )


# -- of orchestrators ---------------------------------------------------------------------------


def _task(outcome: Result | OrchestratorResult) -> str:
    return str(outcome.metadata.get("task", "")) if isinstance(outcome, OrchestratorResult) else ""


def _roles(outcome: Result | OrchestratorResult) -> dict[str, str]:
    if not isinstance(outcome, OrchestratorResult):
        return {}
    return {
        agent.subtask_id: str(agent.agent_type or "")
        for agent in outcome.agent_results
        if agent.agent_type != agent.subtask_id  # a step of a sequence, which has no other name
    }


def _tiers(outcome: Result | OrchestratorResult) -> dict[str, Usage]:
    if not isinstance(outcome, OrchestratorResult):
        return {}
    return {
        _text(role): Usage(
            **{name: told.get(name, 0) for name in _COUNTS},
            cost_usd=Decimal(str(told.get("cost", 0))),
            calls=told["calls"],
        )
        for role, told in outcome.metadata.get("usage_by_tier", {}).items()
    }


# -- text and values ----------------------------------------------------------------------------


def _text(text: str, most: int | None = None) -> str:
    """Give a text as JSON can hold it, and no longer than that."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return truncate_with_count(whole, MAX_TEXT if most is None else most)


def _error(error: BaseException | None) -> str:
    return "" if error is None else _text(f"{type(error).__name__}: {error}", MAX_VALUE)


def _bounded(value: Any) -> tuple[JsonValue, int]:
    """Give a value as JSON holds it, or of a long one the beginning, and how much was cut."""
    try:
        told = json.dumps(plain(value), ensure_ascii=False)
    except Exception as error:  # of a user's own class: it may raise whatever it likes
        return _text(f"<{type(value).__name__} that cannot be told: {error}>", MAX_VALUE), 0
    told = told.encode("utf-8", "replace").decode("utf-8")
    whole: JsonValue = json.loads(told, parse_constant=str)  # NaN, Infinity: no JSON
    left_out = len(told) - MAX_VALUE
    if left_out <= 0:
        return whole, 0
    return (whole if isinstance(whole, str) else told)[:MAX_VALUE], left_out
