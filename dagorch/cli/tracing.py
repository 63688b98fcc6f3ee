"""Traces of `dagorch run`, where its process was started to be traced; nothing is configured."""

from __future__ import annotations

import sys
from collections.abc import Callable

from dagorch.models.events import Event

__all__ = ["traced"]


def traced(listener: Callable[[Event], None]) -> Callable[[Event], None]:
    """
    Give the listener, or one that makes spans besides if somebody has set a tracer provider.

    `opentelemetry-instrument dagorch run ...` does so. Nobody else could have: a process that
    OpenTelemetry is not loaded in by now has none.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None or isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return listener
    from dagorch.exporters.traces import TraceSpans

    spans = TraceSpans()

    def both(event: Event) -> None:
        listener(event)
        spans(event)

    return both
