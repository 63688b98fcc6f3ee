"""
Makes the record of a run from its events and its result. `record.py` defines the record.

The result has the outcome of each node run. Only the events have its attempts, prompts and
replies.
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
    MessageRecord,
    NodeRecord,
    RunRecord,
)
from dagorch.exporters.rows import agent_roles
from dagorch.http.scrub import Scrubber, scrub_text
from dagorch.ids import RunId, started_at
from dagorch.models.events import CONTENT_FIELDS, Event, EventType
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.result import NodeRun, Result
from dagorch.models.task import plain
from dagorch.models.truncate import truncate_with_count
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.models.user_objects import error_text

__all__ = ["Recorder"]

MAX_EVENTS: Final = 300_000
"""Events kept of one run."""
MAX_VALUE: Final = 100_000
"""Characters of a value, as JSON."""
MAX_TEXT: Final = 2_000_000
"""Characters of a prompt or a reply; more than any model reads."""
_MAX_IMAGE_ADDRESS: Final = 200

_SCRUB: Final = Scrubber()
_COUNTS: Final = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


class Recorder:
    """
    A listener that keeps the events of runs, to make their records at the end.

    One object can listen to several runs, also at the same time. It drops the events of a run
    when it has made its record.

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
        self._events: dict[str, list[Event]] = {}
        self._omitted: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        if event.type is EventType.NODE_TOKENS:
            return  # the reply has the text
        kept = self._events.setdefault(event.run_id, [])
        if len(kept) < MAX_EVENTS:
            kept.append(event)
        else:
            self._omitted[event.run_id] = self._omitted.get(event.run_id, 0) + 1

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
            outcome: The result, or the `partial_results` of the error. If this recorder did not
                listen to the run, the record has no prompts, replies and events.
            task: The task; an orchestrator's outcome has it already.
            error: The error that the run raised.

        Cost: linear in the size of the record; 2 s for 10,000 node runs.

        Raises:
            DefinitionError: The outcome was read from JSON, and so has no run.
        """
        workflow = outcome if isinstance(outcome, OrchestratorResult) else None
        run = workflow.run if workflow else outcome
        if not isinstance(run, Result):
            raise DefinitionError(
                "cannot record an outcome that was read from JSON, which has no run; pass the "
                "outcome that the workflow returned"
            )
        events = self._events.pop(run.run_id, [])
        omitted = self._omitted.pop(run.run_id, 0) + run.dropped_events
        output, output_chars_omitted = _json_value(workflow.result if workflow else run.output)
        graph = run.graph
        return RunRecord(
            run_id=run.run_id,
            title=_text(graph.name) if graph is not None else "run",
            task=_text(task or (str(workflow.metadata.get("task", "")) if workflow else "")),
            status=str(outcome.status),
            error=_error(error, MAX_TEXT),
            started_at=datetime.fromtimestamp(started_at(RunId(run.run_id)), UTC),
            duration_seconds=run.duration_seconds,
            output=output,
            output_chars_omitted=output_chars_omitted,
            usage=run.usage,
            usage_by_model={_text(name): usage for name, usage in run.usage_by_model.items()},
            usage_by_tier=_usage_by_tier(workflow) if workflow else {},
            graph=None if graph is None else _drawing(run),
            critical_path=() if graph is None else tuple(_critical_path(run)),
            node_runs=tuple(_node_runs(run, events, agent_roles(workflow) if workflow else {})),
            exchanges=tuple(_exchange(e) for e in events if e.type is EventType.EXCHANGE_ENDED),
            events=tuple(map(_event, events)),
            events_omitted=omitted,
        )


def _drawing(run: Result) -> Any:
    """Draw the graph as plain JSON values."""
    drawing = draw(run.graph, run)
    for box in drawing.boxes.values():
        box.run = None  # the record has the node runs elsewhere
    return json.loads(_text(json.dumps(asdict(drawing), ensure_ascii=False), sys.maxsize))


def _critical_path(run: Result) -> Iterable[CriticalStep]:
    for step in critical_path(run):
        yield replace(step, path=_text(step.path))


def _usage_by_tier(workflow: OrchestratorResult) -> dict[str, Usage]:
    return {
        _text(role): _usage(used, used.get("cost", 0), calls=used["calls"])
        for role, used in workflow.metadata.get("usage_by_tier", {}).items()
    }


def _usage(
    counts: Mapping[str, Any], cost: object, *, calls: int, estimated: bool = False
) -> Usage:
    tokens = {name: counts.get(name, 0) for name in _COUNTS}
    return Usage(**tokens, cost_usd=Decimal(str(cost)), estimated=estimated, calls=calls)


# -- node runs ----------------------------------------------------------------------------------


def _node_runs(
    run: Result, events: Iterable[Event], roles: Mapping[str, str]
) -> Iterable[NodeRecord]:
    attempt_fields = _attempt_fields(events)
    for path, node in run.node_runs.items():
        value, value_chars_omitted = _json_value(run[path]) if path in run else (None, 0)
        role = roles.get(path, "")
        yield NodeRecord(
            path=_text(path),
            kind=node.kind,
            tier=_text(role) if role != node.kind else "",
            end=node.end,
            ready_seconds=node.ready_seconds,
            started_seconds=node.started_seconds,
            ended_seconds=node.ended_seconds,
            attempts=tuple(_attempts(node, attempt_fields.get(path, {}))),
            usage=node.usage,
            error=_error(node.error, MAX_VALUE),
            recovered_from=_error(node.recovered_from, MAX_VALUE),
            reason=_text(node.reason),
            value=value,
            value_chars_omitted=value_chars_omitted,
        )


def _attempt_fields(events: Iterable[Event]) -> dict[str, dict[int, dict[str, Any]]]:
    """Collect the fields of attempts that only events have, by path and number."""
    fields: dict[str, dict[int, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for event in events:
        if not event.attempt:
            continue
        attempt = fields[event.path][event.attempt]
        if event.type is EventType.NODE_STARTED:
            attempt["started_seconds"] = event.seconds
        elif event.type is EventType.ATTEMPT_FAILED:
            attempt["ended_seconds"] = event.seconds
            attempt["error"] = _text(str(event.data.get("error", "")))
        elif event.type is EventType.NODE_RETRYING:
            attempt["retry_at_seconds"] = event.seconds + float(event.data["delay_seconds"])
    return fields


def _attempts(node: NodeRun, fields: Mapping[int, Mapping[str, Any]]) -> Iterable[AttemptRecord]:
    for number in range(1, node.attempts + 1):
        bills = [bill for bill in node.bills if bill.attempt == number]
        known = dict(fields.get(number, {}))
        if node.attempts == 1:  # the result has its times
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
    return ExchangeRecord(
        path=_text(event.path),
        attempt=event.attempt,
        service=_text(data["service"]),
        model=_text(data["model"]),
        started_seconds=data["began_seconds"],
        ended_seconds=event.seconds,
        messages=tuple(map(_message, data.get("messages", ()))),
        reply=_text(data.get("reply", "")),
        tool_calls=_tool_calls(data),
        finish_reason=_text(data.get("finish_reason", "")),
        error=_text(data.get("error", "")),
        usage=_usage(data, data["cost_usd"], calls=1, estimated=data["estimated"]),
    )


def _message(message: Mapping[str, Any]) -> MessageRecord:
    return MessageRecord(
        role=message["role"],
        content=_text(message.get("content", "")),
        images=tuple(_text(image, _MAX_IMAGE_ADDRESS) for image in message.get("images", ())),
        tool_calls=_tool_calls(message),
    )


def _tool_calls(data: Mapping[str, Any]) -> tuple[str, ...]:
    calls = data.get("tool_calls", ())
    return tuple(_text(f"{call['name']}({call['arguments']})") for call in calls)


def _event(event: Event) -> EventRecord:
    data, _ = _json_value(
        {name: value for name, value in event.data.items() if name not in CONTENT_FIELDS}
    )
    return EventRecord(
        number=event.number,
        seconds=event.seconds,
        type=event.type.value,
        path=_text(event.path),
        attempt=event.attempt,
        data=data if isinstance(data, dict) else {"text": data},
    )


# -- text and values ----------------------------------------------------------------------------


def _valid(text: str) -> str:
    """Replace lone surrogates, which JSON files cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _text(text: str, max_length: int | None = None) -> str:
    return truncate_with_count(
        scrub_text(_valid(text)), MAX_TEXT if max_length is None else max_length
    )


def _error(error: BaseException | None, max_length: int) -> str:
    return (
        "" if error is None else _text(f"{type(error).__name__}: {error_text(error)}", max_length)
    )


def _json_value(value: Any) -> tuple[JsonValue, int]:
    """Convert a value to JSON; of a long one keep the start, and count the omitted characters."""
    try:
        text = _valid(json.dumps(_SCRUB(plain(value)), ensure_ascii=False))
    except Exception as error:  # a class of the user's may raise anything
        return _text(
            f"<{type(value).__name__} that has no JSON form: {error_text(error)}>", MAX_VALUE
        ), 0
    whole: JsonValue = json.loads(text, parse_constant=str)  # NaN and Infinity are not JSON
    omitted = len(text) - MAX_VALUE
    if omitted <= 0:
        return whole, 0
    return (whole if isinstance(whole, str) else text)[:MAX_VALUE], omitted
