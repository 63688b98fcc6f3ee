"""OpenTelemetry traces of `dagorch run`, if its process was started with tracing."""

from __future__ import annotations

import sys
from collections.abc import Callable

from dagorch.models.events import Event

__all__ = ["trace_listeners"]


def trace_listeners() -> list[Callable[[Event], None]]:
    """
    Return the listener that makes spans of a run, if the process has a tracer provider.

    `opentelemetry-instrument dagorch run ...` sets one before dagorch starts. So a process that
    has not loaded OpenTelemetry by now is not traced.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None or isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return []
    from dagorch.exporters.listeners.traces import TraceSpans

    return [TraceSpans()]
