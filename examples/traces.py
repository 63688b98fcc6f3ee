"""
Trace a run with OpenTelemetry: a span for each node run, each attempt, each exchange.

Wants `dagorch[otel]` and opentelemetry-sdk. Your own program would set up an exporter that sends
spans somewhere; here they are kept and printed as a tree.

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

again = Policy(retry=Retry(attempts=2, base_delay_seconds=0.01))
once = Graph("pass")
once.input("text", str)
once.add(LLM("critic", prompt="Improve: {text}", policy=again))

graph = Graph("refine")
graph.loop("passes", once, text="A draft.", max_iterations=2)


def show(spans: list[ReadableSpan], parent: int | None = None, indent: str = "") -> None:
    for span in sorted(spans, key=lambda span: span.start_time):
        if (span.parent and span.parent.span_id) == parent:
            facts = span.attributes
            error = f", {facts['error.type']}" if "error.type" in facts else ""
            print(f"{indent}{span.name}: {facts['dagorch.end']}{error}")
            show(spans, span.context.span_id, indent + "  ")


async def main() -> None:
    provider = ScriptedProvider([OverloadedError("busy"), "Better.", "Good."])
    await graph.run(provider=provider, on_event=TraceSpans(tracing))
    show(list(exporter.get_finished_spans()))


anyio.run(main)
