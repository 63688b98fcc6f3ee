"""
A run's events as OpenTelemetry spans, after the semantic conventions for generative AI.

The user configures where spans go. This module exports and configures nothing.
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

_PROVIDER_NAMES: Final = {"gemini": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"}
"""The conventions' names of services, if they differ from ours."""
_CALL_ATTRIBUTES: Final = {
    "model": "gen_ai.request.model",
    "answered_by": "gen_ai.response.model",
    "request_id": "gen_ai.response.id",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "cost_usd": "dagorch.cost_usd",
}
"""Attributes of a provider call, left out if the event's field is empty."""
_EVENT_FIELDS: Final = ("after_seconds", "delay_seconds", "model", "service")
"""Fields that a span event keeps. Others, such as a question, may have content."""


class TraceSpans:
    """
    A listener that creates OpenTelemetry spans. One object serves any number of runs.

    The run has a span, whose parent is the current span where the run starts. Below it is a span
    for each node run, from ready to end, nested like the graphs. Below that is a span for each
    attempt, and below that one for each provider call. A single attempt that succeeded without a
    provider call has no span. Retries and skipped nodes are span events.

    Args:
        tracer_provider: Creates the spans; None is the global one.
        content: Whether to record prompts, replies and error messages, which may quote them.
            Without it, only the type of an error is recorded.

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
        self._runs: dict[str, _RunSpans] = {}

    def __call__(self, event: Event) -> None:
        run = self._runs.get(event.run_id)
        if run is None:
            run = self._runs[event.run_id] = self._start_run(event)
        if event.type in RUN_ENDS:
            del self._runs[event.run_id]
            run.end(event)
        elif event.path and run.is_recording:
            run.handle(event)

    def _start_run(self, event: Event) -> _RunSpans:
        name = str(event.data.get("graph", ""))
        attributes = {"gen_ai.operation.name": "invoke_workflow", "dagorch.run.id": event.run_id}
        if name:
            attributes["gen_ai.workflow.name"] = name
        start_ns = time.time_ns() - _nanoseconds(event.seconds)
        span = self._tracer.start_span(
            f"invoke_workflow {name}".rstrip(),
            attributes=attributes,
            start_time=start_ns,
        )
        return _RunSpans(self._trace, self._tracer, span, start_ns, self._content)


class _OpenNode:
    """A node run whose span is open."""

    __slots__ = ("attempt", "attempt_number", "attempt_started", "kind", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.attempt: Span | None = None
        """The span of the current attempt; None until the attempt needs one."""
        self.attempt_number = 0
        """0 between attempts."""
        self.attempt_started = 0.0
        self.kind = ""


class _RunSpans:
    """The open spans of one run."""

    def __init__(self, trace: Any, tracer: Any, span: Span, start_ns: int, content: bool) -> None:
        self._trace = trace
        self._tracer = tracer
        self._span = span
        self._start_ns = start_ns
        self._content = content
        self._open: dict[str, _OpenNode] = {}
        self.is_recording = span.is_recording()
        """False if the run is not sampled: then none of its spans is recorded."""

    def handle(self, event: Event) -> None:
        """Handle an event of a node run."""
        kind, path = event.type, event.path
        if kind in NODE_ENDS:
            self._end_node(event)
            return
        node = self._open.get(path) or self._start_node(event)
        if kind is EventType.NODE_STARTED:
            node.kind = str(event.data.get("kind", ""))
            node.attempt_number, node.attempt_started = event.attempt, event.seconds
            if event.attempt > 1:
                self._attempt_span(node, path)
        elif kind is EventType.EXCHANGE_ENDED:
            self._record_call(event, node)
        elif kind is EventType.ATTEMPT_FAILED:
            self._attempt_span(node, path)
            self._end_attempt(node, event, "failed")
        elif kind not in (EventType.NODE_READY, EventType.NODE_TOKENS):
            fields = (name for name in _EVENT_FIELDS if name in event.data)
            attributes = {f"dagorch.{name}": event.data[name] for name in fields}
            node.span.add_event(kind.value, attributes, self._time_ns(event.seconds))

    def end(self, event: Event) -> None:
        """End the run's span, and first all spans whose end event a slow listener missed."""
        for node in reversed(self._open.values()):
            for span in (node.attempt, node.span):
                if span is not None:
                    span.end(self._time_ns(event.seconds))
        self._open.clear()
        self._end_span(self._span, event, RUN_ENDS[event.type])

    def _start_node(self, event: Event) -> _OpenNode:
        node_id = NodePath(event.path).node_id  # without frame numbers: span names are few values
        attributes = {"dagorch.node.path": event.path}
        span = self._start_span(node_id, self._parent(event), event.seconds, attributes)
        node = self._open[event.path] = _OpenNode(span)
        return node

    def _parent(self, event: Event) -> Span:
        """Return the span around a node run, and end an attempt that returned its graph."""
        container = self._open.get(NodePath(event.path).container)
        if container is None:
            return self._span
        self._end_attempt(container, event, "completed")
        return container.span

    def _end_node(self, event: Event) -> None:
        end = NODE_ENDS[event.type]
        node = self._open.pop(event.path, None)
        if node is None:  # it was never ready
            attributes = {"dagorch.node.path": event.path, "dagorch.end": end}
            time_ns = self._time_ns(event.seconds)
            self._parent(event).add_event(event.type.value, attributes, time_ns)
            return
        self._end_attempt(node, event, end)
        attributes = {"dagorch.node.kind": event.data.get("kind", node.kind)}
        if "cost_usd" in event.data:
            attributes["dagorch.cost_usd"] = event.data["cost_usd"]
        self._end_span(node.span, event, end, attributes)

    def _attempt_span(self, node: _OpenNode, path: str) -> Span:
        """Return the span of the current attempt; between attempts, that of the node run."""
        if node.attempt is None and node.attempt_number:
            attributes = {"dagorch.node.path": path, "dagorch.attempt": node.attempt_number}
            name = f"attempt {node.attempt_number}"
            node.attempt = self._start_span(name, node.span, node.attempt_started, attributes)
        return node.attempt or node.span

    def _end_attempt(self, node: _OpenNode, event: Event, end: str) -> None:
        node.attempt_number = 0
        if node.attempt is not None:
            span, node.attempt = node.attempt, None
            self._end_span(span, event, end)

    def _record_call(self, event: Event, node: _OpenNode) -> None:
        """Create the span of a provider call, which has only an end event."""
        data = event.data
        service = data["service"]
        span = self._start_span(
            f"chat {data['model']}".rstrip(),
            self._attempt_span(node, event.path),
            data["began_seconds"],
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": _PROVIDER_NAMES.get(service, service),
                "gen_ai.usage.input_tokens": data["input_tokens"],
                "gen_ai.usage.output_tokens": data["output_tokens"],
                "dagorch.usage.estimated": data["estimated"],
                **{key: data[name] for name, key in _CALL_ATTRIBUTES.items() if data.get(name)},
            },
            self._trace.SpanKind.CLIENT,
        )
        attributes: dict[str, Any] = {}
        if "finish_reason" in data:
            attributes["gen_ai.response.finish_reasons"] = [data["finish_reason"]]
        end = "completed" if attributes else "failed" if "error" in data else "cancelled"
        if self._content:
            attributes |= _content(data)
        self._end_span(span, event, end, attributes)

    def _start_span(
        self,
        name: str,
        parent: Span,
        seconds: float,
        attributes: dict[str, Any],
        kind: SpanKind | None = None,
    ) -> Span:
        span: Span = self._tracer.start_span(
            name,
            self._trace.set_span_in_context(parent),
            kind or self._trace.SpanKind.INTERNAL,
            attributes,
            start_time=self._time_ns(seconds),
        )
        return span

    def _end_span(
        self,
        span: Span,
        event: Event,
        end: str,
        attributes: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        attributes = {"dagorch.end": end, **attributes}
        if end == "failed":
            error = str(event.data.get("error", "_OTHER"))
            attributes["error.type"] = error.partition(":")[0]
            description = error if self._content else None
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, description))
        span.set_attributes(attributes)
        span.end(self._time_ns(event.seconds))

    def _time_ns(self, seconds: float) -> int:
        return self._start_ns + _nanoseconds(seconds)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def _content(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the prompt and the reply of a provider call, in the shape of the conventions."""
    content = {"gen_ai.input.messages": [_message(message) for message in data.get("messages", ())]}
    if "reply" in data:
        reply = _message({**data, "role": "assistant", "content": data["reply"]})
        content["gen_ai.output.messages"] = [{**reply, "finish_reason": data["finish_reason"]}]
    return {name: json.dumps(messages) for name, messages in content.items()}


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    parts = [{"type": "text", "content": message["content"]}] if message["content"] else []
    parts += [
        {"type": "uri", "modality": "image", "uri": image} for image in message.get("images", ())
    ]
    parts += [{"type": "tool_call", **call} for call in message.get("tool_calls", ())]
    return {"role": message["role"], "parts": parts}
