"""Traces of the command, in processes of their own: a tracer provider is set once for all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry import trace

from dagorch.cli.tracing import trace_listeners
from dagorch.exporters import TraceSpans

RUN = ["run", "sequential", "Why?", "--provider", "scripted", "--steps", "one,two", "-q"]
UNTRACED = f"""
from dagorch.cli.main import main
try:
    main({RUN!r})
finally:
    import sys
    print("opentelemetry.sdk" in sys.modules, "dagorch.exporters.listeners.traces" in sys.modules)
"""
TRACED = f"""
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

provider = TracerProvider()
exporter = ConsoleSpanExporter(formatter=lambda span: "SPAN " + span.name + chr(10))
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

from dagorch.cli.main import main
main({RUN!r})
"""


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_traced_process_exports_the_spans_of_the_run(tmp_path: Path) -> None:
    names = [line[5:] for line in run(TRACED, tmp_path).splitlines() if line.startswith("SPAN ")]
    assert sorted(names) == sorted(
        ["invoke_workflow sequential", *["one", "two"], *["attempt 1"] * 2, *["chat scripted"] * 2]
    )
    assert names[-1] == "invoke_workflow sequential"


def test_spans_need_a_tracer_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trace_listeners() == []
    monkeypatch.setattr(trace, "get_tracer_provider", trace.NoOpTracerProvider)
    (listener,) = trace_listeners()
    assert isinstance(listener, TraceSpans)
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    assert trace_listeners() == []


def test_an_untraced_process_imports_no_tracing(tmp_path: Path) -> None:
    assert run(UNTRACED, tmp_path).splitlines()[-1] == "False False"
