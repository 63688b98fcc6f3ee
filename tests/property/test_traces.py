"""
The spans of random graphs, compared with a model built from the work that ran and its ends.

The model does not use events.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dagorch.exporters import TraceSpans
from dagorch.models.events import EventType
from tests.property.circumstances import INPUTS, options, parallel, spec_of, world_of
from tests.property.driver import Driven, drive

Key = tuple[str, int]
"""A node run's path and an attempt's number. Number 0 is the node run; an empty path is the run."""


def key_of(span: ReadableSpan) -> Key:
    attributes = span.attributes or {}
    attempt = attributes.get("dagorch.attempt", 0)
    assert isinstance(attempt, int)
    return str(attributes.get("dagorch.node.path", "")), attempt


def traced(seed: int) -> tuple[Driven, float, dict[Key, tuple[Key, ReadableSpan]], Counter[str]]:
    """Run the graph of a seed; return its spans with their parents' keys, and other ends."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    chosen = options(seed) | {"observed": True, "checked": False}
    seen = drive(spec_of(seed), world_of(seed), parallel(seed), INPUTS, **chosen)
    listener = TraceSpans(provider)
    for event in seen.events:
        listener(event)
    spans = exporter.get_finished_spans()
    keys = {span.context.span_id: key_of(span) for span in spans}
    assert len(set(keys.values())) == len(spans)
    found: dict[Key, tuple[Key, ReadableSpan]] = {}
    for span in spans:
        parent = keys[span.parent.span_id] if span.parent is not None else ("", -1)
        found[key_of(span)] = (parent, span)
    span_events = Counter(
        str((event.attributes or {})["dagorch.node.path"])
        for span in spans
        for event in span.events
        if "dagorch.node.path" in (event.attributes or {})
    )
    return seen, chosen["start"], found, span_events


def modelled(seen: Driven) -> dict[Key, Key]:
    """Return each expected span with its parent. These graphs have no provider calls."""
    model: dict[Key, Key] = {("", 0): ("", -1)}
    for path, ending in seen.ends.items():
        if ending.ready is not None:
            model[path, 0] = (re.sub(r"(\[(\d+|fallback)\])?(^|/)[^/]*$", "", path), 0)
    failed = {
        (event.path, event.attempt)
        for event in seen.events
        if event.type is EventType.ATTEMPT_FAILED
    }
    for started in seen.started:
        attempt = (started.path, started.number)
        if started.number > 1 or attempt in failed:
            model[attempt] = (started.path, 0)
    return model


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_every_ready_node_run_and_recorded_attempt_has_a_span(first: int) -> None:
    for seed in range(first, first + 50):
        seen, _, found, span_events = traced(seed)
        assert {key: parent for key, (parent, _) in found.items()} == modelled(seen), seed
        never = {path: 1 for path, ending in seen.ends.items() if ending.ready is None}
        assert span_events == never, seed


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_spans_have_the_times_of_the_work_and_lie_within_their_parents(first: int) -> None:
    for seed in range(first, first + 50):
        seen, start, found, _ = traced(seed)
        origin = found["", 0][1].start_time
        for parent, span in found.values():
            if parent in found:
                around = found[parent][1]
                assert around.start_time <= span.start_time <= span.end_time <= around.end_time
        for path, ending in seen.ends.items():
            if ending.ready is None:
                continue
            span = found[path, 0][1]
            times = (span.start_time - origin, span.end_time - origin)
            expected = (ending.ready, ending.time - start)
            assert times == pytest.approx([1e9 * seconds for seconds in expected], abs=2e3), seed
            assert (span.attributes or {})["dagorch.end"] == ending.end
            failed = ending.end == "failed"
            assert (span.attributes or {}).get("error.type") == (ending.error if failed else None)
        for started in seen.started:
            attempt = found.get((started.path, started.number))
            if attempt is None:
                continue
            span = attempt[1]
            began = 1e9 * (started.time - start)
            assert span.start_time - origin == pytest.approx(began, abs=2e3), seed
            following = found.get((started.path, started.number + 1))
            assert following is None or span.end_time <= following[1].start_time
