"""
From a run's events to OpenTelemetry's spans, after its conventions for generative AI.

Where spans go is the user's set-up; nothing is exported or configured here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from dagorch.errors import DefinitionError
from dagorch.ids import NodePath
from dagorch.models.events import NODE_ENDS, RUN_ENDS, Event, EventType

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanKind, TracerProvider

__all__ = ["CONVENTIONS", "TraceSpans"]

CONVENTIONS: Final = "1.41.0"
"""The version of OpenTelemetry's semantic conventions that names and attributes follow."""

_PROVIDERS: Final = {"gemini": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"}
"""Services that the conventions call otherwise."""
_OF_EXCHANGES: Final = {
    "model": "gen_ai.request.model",
    "answered_by": "gen_ai.response.model",
    "request_id": "gen_ai.response.id",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "cost_usd": "dagorch.cost_usd",
}
"""Told as they are, unless they are empty."""
_TELLABLE: Final = ("after_seconds", "delay_seconds", "model", "service")
"""What is told of a retry and the like; a question is content."""


class TraceSpans:
    """
    A listener that makes OpenTelemetry spans of a run; one will do for any number of runs.

    A span for the run, under the span that is current where the run is started; under it one for
    each node run, from when it was ready, nested as graphs are; under those one for each attempt,
    and under these one for each exchange with a model. An attempt that is the only one, and asks
    no model, has none of its own unless it failed. Retries and what was skipped are events.

    Args:
        tracer_provider: Where spans are made; None is the global one.
        content: Whether to record what models are asked and reply, and what errors say, which may
            quote that. Without it an error is told by its type alone.

    Raises:
        DefinitionError: OpenTelemetry's API is not installed.

    Source: https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs/gen-ai

    Example:
        >>> from dagorch import Graph
        >>> graph = Graph("one")
        >>> @graph.function
        ... async def one() -> int:
        ...     return 1
        >>> graph.run_sync(on_event=TraceSpans())[one]
        1
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, *, content: bool = False
    ) -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise DefinitionError(
                "spans need OpenTelemetry's API; install dagorch[otel]"
            ) from error
        self._trace = trace
        self._tracer = trace.get_tracer(
            "dagorch",
            tracer_provider=tracer_provider,
            schema_url=f"https://opentelemetry.io/schemas/{CONVENTIONS}",
        )
        self._content = content
        self._runs: dict[str, _Run] = {}

    def __call__(self, event: Event) -> None:
        run = self._runs.get(event.run_id)
        if run is None:
            run = self._runs[event.run_id] = self._begin(event)
        if event.type in RUN_ENDS:
            del self._runs[event.run_id]
            run.end(event)
        elif event.path and run.recorded:
            run.take(event)

    def _begin(self, event: Event) -> _Run:
        name = str(event.data.get("graph", ""))
        attributes = {"gen_ai.operation.name": "invoke_workflow", "dagorch.run.id": event.run_id}
        if name:
            attributes["gen_ai.workflow.name"] = name
        began = time.time_ns() - _nanoseconds(event.seconds)
        span = self._tracer.start_span(
            f"invoke_workflow {name}".rstrip(),
            attributes=attributes,
            start_time=began,
        )
        return _Run(self._trace, self._tracer, span, began, self._content)


class _Open:
    """A node run under way."""

    __slots__ = ("attempt", "kind", "number", "span", "started")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.attempt: Span | None = None
        """Of the attempt under way, once there is something to tell of it."""
        self.number = 0
        self.started = 0.0
        """Number and start of that attempt; 0 where none is."""
        self.kind = ""


class _Run:
    """The open spans of one run."""

    def __init__(self, trace: Any, tracer: Any, span: Span, began: int, content: bool) -> None:
        self._trace = trace
        self._tracer = tracer
        self._span = span
        self._began = began
        self._content = content
        self._open: dict[str, _Open] = {}
        self.recorded = span.is_recording()
        """If not, no span under it would be."""

    def take(self, event: Event) -> None:
        """Note an event of a node run."""
        kind, path = event.type, event.path
        if kind in NODE_ENDS:
            self._end_node(event)
            return
        node = self._open.get(path) or self._open_node(event)
        if kind is EventType.NODE_STARTED:
            node.kind = str(event.data.get("kind", ""))
            node.number, node.started = event.attempt, event.seconds
            if event.attempt > 1:
                self._attempt(node, path)
        elif kind is EventType.EXCHANGE_ENDED:
            self._exchange(event, node)
        elif kind is EventType.ATTEMPT_FAILED:
            self._attempt(node, path)
            self._end_attempt(node, event, "failed")
        elif kind not in (EventType.NODE_READY, EventType.NODE_TOKENS):
            told = {f"dagorch.{name}": event.data[name] for name in _TELLABLE if name in event.data}
            node.span.add_event(kind.value, told, self._at(event.seconds))

    def end(self, event: Event) -> None:
        """Close the run's span, and whatever is open under it because its end was not heard of."""
        for path in list(reversed(self._open)):
            node = self._open.pop(path)
            for span in (node.attempt, node.span):
                if span is not None:
                    span.end(self._at(event.seconds))
        self._close(self._span, event, RUN_ENDS[event.type])

    def _open_node(self, event: Event) -> _Open:
        node = _Open(
            self._start(
                NodePath(event.path).node_id,
                self._parent(event),
                event.seconds,
                {"dagorch.node.path": event.path},
            )
        )
        self._open[event.path] = node
        return node

    def _parent(self, event: Event) -> Span:
        """Give the span around a node run; an attempt that gave a graph ends where that begins."""
        owner = self._open.get(NodePath(event.path).container)
        if owner is None:
            return self._span
        self._end_attempt(owner, event, "completed")
        return owner.span

    def _end_node(self, event: Event) -> None:
        end = NODE_ENDS[event.type]
        node = self._open.pop(event.path, None)
        if node is None:  # never ready
            told = {"dagorch.node.path": event.path, "dagorch.end": end}
            self._parent(event).add_event(event.type.value, told, self._at(event.seconds))
            return
        self._end_attempt(node, event, end)
        told = {"dagorch.node.kind": event.data.get("kind", node.kind)}
        if "cost_usd" in event.data:
            told["dagorch.cost_usd"] = event.data["cost_usd"]
        self._close(node.span, event, end, told)

    def _attempt(self, node: _Open, path: str) -> Span:
        """Give the span of the attempt under way; where none is, that of the node run."""
        if node.attempt is None and node.number:
            told = {"dagorch.node.path": path, "dagorch.attempt": node.number}
            name = f"attempt {node.number}"
            node.attempt = self._start(name, node.span, node.started, told)
        return node.attempt or node.span

    def _end_attempt(self, node: _Open, event: Event, end: str) -> None:
        node.number = 0
        if node.attempt is not None:
            span, node.attempt = node.attempt, None
            self._close(span, event, end)

    def _exchange(self, event: Event, node: _Open) -> None:
        """Make the span of an exchange, which is known of when it has ended."""
        data = event.data
        service = data["service"]
        span = self._start(
            f"chat {data['model']}".rstrip(),
            self._attempt(node, event.path),
            data["began_seconds"],
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": _PROVIDERS.get(service, service),
                "gen_ai.usage.input_tokens": data["input_tokens"],
                "gen_ai.usage.output_tokens": data["output_tokens"],
                "dagorch.usage.estimated": data["estimated"],
                **{told: data[name] for name, told in _OF_EXCHANGES.items() if data.get(name)},
            },
            self._trace.SpanKind.CLIENT,
        )
        told: dict[str, Any] = {}
        if "finish_reason" in data:
            told["gen_ai.response.finish_reasons"] = [data["finish_reason"]]
        end = "completed" if told else "failed" if "error" in data else "cancelled"
        if self._content:
            told |= _content(data)
        self._close(span, event, end, told)

    def _start(
        self,
        name: str,
        parent: Span,
        seconds: float,
        attributes: dict[str, Any],
        kind: SpanKind | None = None,
    ) -> Span:
        context = self._trace.set_span_in_context(parent)
        span: Span = self._tracer.start_span(
            name,
            context,
            kind or self._trace.SpanKind.INTERNAL,
            attributes,
            start_time=self._at(seconds),
        )
        return span

    def _close(
        self, span: Span, event: Event, end: str, told: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        attributes = {"dagorch.end": end, **told}
        if end == "failed":
            error = str(event.data.get("error", "_OTHER"))
            attributes["error.type"] = error.partition(":")[0]
            description = error if self._content else None
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, description))
        span.set_attributes(attributes)
        span.end(self._at(event.seconds))

    def _at(self, seconds: float) -> int:
        return self._began + _nanoseconds(seconds)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def _content(data: Mapping[str, Any]) -> dict[str, str]:
    """Give what was said in an exchange, in the shape that the conventions give it."""
    told = {"gen_ai.input.messages": [_message(message) for message in data.get("messages", ())]}
    if "reply" in data:
        reply = {**data, "role": "assistant", "content": data["reply"]}
        told["gen_ai.output.messages"] = [
            {**_message(reply), "finish_reason": data["finish_reason"]}
        ]
    return {name: json.dumps(messages) for name, messages in told.items()}


def _message(told: Mapping[str, Any]) -> dict[str, Any]:
    parts = [{"type": "text", "content": told["content"]}] if told["content"] else []
    parts += [
        {"type": "uri", "modality": "image", "uri": image} for image in told.get("images", ())
    ]
    parts += [{"type": "tool_call", **call} for call in told.get("tool_calls", ())]
    return {"role": told["role"], "parts": parts}
