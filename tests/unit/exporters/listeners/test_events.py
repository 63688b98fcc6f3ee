"""Events as lines, JSON and server-sent events."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from dagorch import LLM, DefinitionError, Event, EventType, Graph, RunError, StreamEvent
from dagorch.exporters import ConsoleLines, JsonLines, to_json, to_sse
from dagorch.testing import ScriptedProvider, run_virtual
from tests.conformance.doubles import by_tier, cascade, talking

NASTY = 'two\nlines, "quotes", é\u2028\x1b[31mred'


def ask(*listeners: Any, reply: Any = NASTY) -> list[Event]:
    """Run one LLM node and return its events."""
    graph = Graph("asking")
    graph.add(LLM("ask", prompt="Well?"))
    seen: list[Event] = []

    async def main() -> None:
        await graph.run(provider=ScriptedProvider(reply), on_event=(seen.append, *listeners))

    run_virtual(main)
    return seen


def fields(event: Event) -> dict[str, Any]:
    return event._asdict()


def test_json_is_one_line_and_complete() -> None:
    events = ask()
    assert EventType.NODE_TOKENS in {event.type for event in events}
    for event in events:
        line = to_json(event)
        assert len(line.splitlines()) == 1
        assert json.loads(line) == fields(event)
        assert Event(**json.loads(line)) == event


def workflow(callback: Any) -> None:
    orchestrator = cascade(talking(by_tier))
    orchestrator.stream_callback = callback
    run_virtual(orchestrator.execute_workflow, "Why?")


def test_the_events_of_an_orchestrator() -> None:
    seen: list[StreamEvent] = []
    workflow(seen.append)
    for event in seen:
        assert StreamEvent.model_validate_json(to_json(event)) == event
        kind, data, *end = to_sse(event).split("\n")
        assert (kind, end) == (f"event: {event.event_type}", ["", ""])
        assert StreamEvent.model_validate_json(data.removeprefix("data: ")) == event
    assert seen[-1].event_type == "task_completed"


def test_a_server_sent_event_follows_the_standard() -> None:
    for event in ask():
        sent: dict[str, str] = {}
        lines = to_sse(event).split("\n")
        assert lines[-2:] == ["", ""]
        for line in lines[:-2]:
            name, _, value = line.partition(": ")
            assert name not in sent
            sent[name] = value
        assert sent["id"] == str(event.number)
        assert sent["event"] == event.type.value
        assert json.loads(sent["data"]) == fields(event)


def test_lines_are_written_immediately_and_later_runs_are_appended(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    so_far: list[int] = []
    with JsonLines(file) as listener:

        def listen(event: Event) -> None:
            listener(event)
            so_far.append(len(file.read_text("utf-8").splitlines()))

        events = ask(listen)
    assert so_far == list(range(1, len(events) + 1))
    with JsonLines(file) as listener:
        more = ask(listener)
    read = [Event(**json.loads(line)) for line in file.read_text("utf-8").split("\n")[:-1]]
    assert read == [*events, *more]


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"cannot write .*nowhere.*No such file"):
        JsonLines(tmp_path / "nowhere" / "run.jsonl")


def test_console_lines_have_all_events_but_tokens() -> None:
    out = io.StringIO()
    events = ask(ConsoleLines(out))
    lines = out.getvalue().splitlines()
    assert len(lines) == sum(event.type is not EventType.NODE_TOKENS for event in events)
    assert lines[0] == "  0.00 s    0 %  run_started"
    assert lines[-1] == "  0.00 s  100 %  run_completed"
    assert "  0.00 s    0 %  node_started ask" in lines


def test_console_lines_have_errors_without_control_characters() -> None:
    out = io.StringIO()
    with pytest.raises(RunError):
        ask(ConsoleLines(out), reply=[ValueError("\x1b[2Jb\x07ad")] * 3)
    assert "node_failed ask (ValueError: bad)\n" in out.getvalue()
    assert not {"\x1b", "\x07"} & set(out.getvalue())


def test_console_lines_have_an_orchestrators_messages(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[StreamEvent] = []
    console = ConsoleLines()

    def listen(event: StreamEvent) -> None:
        seen.append(event)
        console(event)

    workflow(listen)
    lines = capsys.readouterr().err.splitlines()
    shown = [event for event in seen if event.event_type is not EventType.NODE_TOKENS]
    assert len(lines) == len(shown)
    assert lines[-1].startswith(f"{seen[-1].timestamp:%H:%M:%S}  100 %  task_completed")
