"""
Trace a run with OpenTelemetry: one span per node run, attempt and request.

This needs `dagorch[otel]` and `opentelemetry-sdk`. Your own program would configure an exporter
that sends the spans to a service. Here they are kept in memory and printed as a tree.

Prints:
    invoke_workflow refine: completed
      passes: completed
        critic: completed
          attempt 1: failed, OverloadedError
            chat scripted: failed, OverloadedError
          attempt 2: completed
            chat scripted: completed
        critic: completed
          attempt 1: completed
            chat scripted: completed
"""

import anyio
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dagorch import LLM, Graph, Policy, Retry
from dagorch.errors import OverloadedError
from dagorch.exporters import TraceSpans
from dagorch.testing import ScriptedProvider

exporter = InMemorySpanExporter()
tracing = TracerProvider()
tracing.add_span_processor(SimpleSpanProcessor(exporter))

patient = Policy(retry=Retry(attempts=2, base_delay_seconds=0.01))
body = Graph("pass")
body.input("text", str)
body.add(LLM("critic", prompt="Improve: {text}", policy=patient))

graph = Graph("refine")
graph.loop("passes", body, text="A draft.", max_iterations=2)


def show(spans: list[ReadableSpan], parent: int | None = None, indent: str = "") -> None:
    for span in sorted(spans, key=lambda span: span.start_time):
        if (span.parent and span.parent.span_id) == parent:
            attributes = span.attributes
            error = f", {attributes['error.type']}" if "error.type" in attributes else ""
            print(f"{indent}{span.name}: {attributes['dagorch.end']}{error}")
            show(spans, span.context.span_id, indent + "  ")


async def main() -> None:
    provider = ScriptedProvider([OverloadedError("busy"), "Better.", "Good."])
    await graph.run(provider=provider, on_event=TraceSpans(tracing))
    show(list(exporter.get_finished_spans()))


if __name__ == "__main__":
    anyio.run(main)
