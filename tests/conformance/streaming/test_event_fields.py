"""The fields of each event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dagorch import EventType, StreamEvent
from dagorch.models.events import CONTENT_FIELDS
from tests.conformance.doubles import by_tier, cascade, once, talking
from tests.conformance.patterns import KINDS, of_models

MAKE = {
    "cascade": lambda: cascade(talking(by_tier)),
    **{kind: lambda kind=kind: of_models(kind, once(), talking("a b c")) for kind in KINDS},
}
WRITE = {
    "cascade": {"belter_1", "drummer_1", "camina_1"},
    "sequential": {"one", "two", "three"},
    "conditional": {"true_1", "true_2", "true_3"},
    "iterative": {"passes[0]/improve", "passes[1]/improve", "passes[2]/improve"},
}


@pytest.mark.parametrize("kind", MAKE)
async def test_each_event_has_every_field(kind: str) -> None:
    events: list[StreamEvent] = []
    o = MAKE[kind]()
    o.config.stream_engine_events = True
    o.stream_callback = events.append
    before = datetime.now(UTC)
    result = await o.execute_workflow("Why?")
    after = datetime.now(UTC)
    assert len(events) > 20
    progress = -1.0
    for event in events:
        assert isinstance(event.event_type, EventType)
        assert event.message
        assert event.task_id == result.task_id
        assert event.timestamp.utcoffset() == timedelta(0)
        assert before - timedelta(seconds=1) <= event.timestamp <= after + timedelta(seconds=1)
        assert isinstance(event.data, dict)
        assert event.progress is not None
        assert progress <= event.progress <= 100
        assert event.progress == round(event.progress, 1)
        progress = event.progress
        assert (event.progress == 100) is (event.event_type is EventType.TASK_COMPLETED)
    assert [e.timestamp for e in events] == sorted(e.timestamp for e in events)
    tokens = [e for e in events if e.event_type is EventType.NODE_TOKENS]
    assert {e.data["node"] for e in tokens} >= WRITE[kind]
    assert all(e.data["text"] for e in tokens)
    # Only listeners of the engine receive prompts.
    assert not any(CONTENT_FIELDS & e.data.keys() for e in events)
