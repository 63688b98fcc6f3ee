"""What events say of node runs and exchanges: their data, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dagorch.models.events import NODE_ENDS, EventType
from dagorch.models.llm import LLMResponse
from dagorch.models.messages import plain_calls, plain_messages
from dagorch.models.usage import Usage
from dagorch.models.user_objects import error_text
from dagorch.scheduler.records import NO_SERVICE_MODEL, Frame, Prepared
from dagorch.scheduler.states import State

__all__ = ["END_EVENTS", "describe", "end_data", "exchange_data"]

END_EVENTS: Final[Mapping[State, EventType]] = {
    State[end.upper()]: event for event, end in NODE_ENDS.items()
}
"""The event that reports each end of a node run."""


def describe(error: BaseException) -> str:
    """Return an error as one line."""
    text = error_text(error).strip().split("\n", 1)[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def end_data(frame: Frame, index: int, end: State) -> dict[str, Any]:
    """Return the data of the event of a node run's end."""
    data: dict[str, Any] = {"kind": frame.plan.nodes[index].kind.value}
    details = frame.node_details.get(index)
    if details is not None:
        if details.usage.calls:
            data["input_tokens"] = details.usage.input_tokens
            data["output_tokens"] = details.usage.output_tokens
            data["cost_usd"] = float(details.usage.cost_usd)
            data |= details.usage.parts
        if end == State.FAILED and details.error is not None:
            data["error"] = describe(details.error)
        elif end == State.SKIPPED and details.refusal is not None:
            data["reason"] = describe(details.refusal)
    return data


def exchange_data(
    prepared: Prepared | None,
    usage: Usage,
    response: LLMResponse | str | None,
    began_seconds: float,
) -> dict[str, Any]:
    """Return the data of an exchange's event; one without reply and error was cancelled."""
    source = prepared.source if prepared is not None else NO_SERVICE_MODEL
    data: dict[str, Any] = {
        "service": source[0],
        "model": source[1],
        "began_seconds": began_seconds,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": float(usage.cost_usd),
        "estimated": usage.estimated,
        **usage.parts,
    }
    if prepared is not None:
        data["messages"] = plain_messages(prepared.request.messages)
    if isinstance(response, LLMResponse):
        data["reply"] = response.content
        if response.tool_calls:
            data["tool_calls"] = plain_calls(response.tool_calls)
        data["finish_reason"] = response.finish_reason
        data["answered_by"] = response.model
        if response.request_id:
            data["request_id"] = response.request_id
    elif response is not None:
        data["error"] = response
    return data
