"""Traces of `dagorch run`, where its process was started to be traced; nothing is configured."""

from __future__ import annotations

import sys
from collections.abc import Callable

from dagorch.models.events import Event

__all__ = ["tracers"]


def tracers() -> list[Callable[[Event], None]]:
    """
    Give what makes spans of a run, if somebody has set a tracer provider; else nothing.

    `opentelemetry-instrument dagorch run ...` does so. Nobody else could have: a process that
    OpenTelemetry is not loaded in by now has none.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None or isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return []
    from dagorch.exporters.listeners.traces import TraceSpans

    return [TraceSpans()]
