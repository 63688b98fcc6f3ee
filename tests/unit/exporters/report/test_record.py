"""The record of a run: all that happened, out to JSON and back; the timeline of its attempts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagorch import LLM, DefinitionError, Graph, Policy, Retry, RunError
from dagorch.errors import OverloadedError
from dagorch.exporters import (
    Recorder,
    RunRecord,
    read_record,
    to_timeline,
    to_timeline_svg,
    write_record,
)
from dagorch.exporters.report import recorder as module
from dagorch.exporters.report.record import AttemptRecord, NodeRecord
from dagorch.exporters.report.spans import spans_of
from dagorch.models.llm import LLMResponse, ToolCall
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.result import NodeRun, Result
from dagorch.models.usage import Usage
from dagorch.testing import ScriptedProvider, run_virtual
from tests.conformance.doubles import by_tier, cascade, talking

BUSY = OverloadedError("busy", status=503)


def recorded(graph: Graph, **options: Any) -> RunRecord:
    """Run a graph with a recorder, and give its record, which goes to JSON and back."""
    recorder = Recorder()
    options.setdefault("provider", ScriptedProvider("Yes."))

    async def main() -> RunRecord:
        try:
            result = await graph.run(on_event=recorder, **options)
        except RunError as error:
            return recorder.record(error.partial_results, error=error)
        return recorder.record(result)

    record = run_virtual(main)
    assert RunRecord.model_validate_json(record.model_dump_json()) == record
    return record


def asking(**options: Any) -> Graph:
    graph = Graph("asking")
    graph.add(LLM("ask", system="Be brief.", prompt="Well?", **options))
    return graph


def node(record: RunRecord, path: str) -> NodeRecord:
    return next(found for found in record.node_runs if found.path == path)


def test_prompts_replies_and_the_bill() -> None:
    usage = Usage(7, 3, Decimal("0.0000012"), calls=1, cached_tokens=2, reasoning_tokens=1)
    answer = LLMResponse("Yes.", "m-2", usage, "length")
    record = recorded(asking(), provider=ScriptedProvider([answer]))
    (exchange,) = record.exchanges
    assert [(said.role, said.content) for said in exchange.messages] == [
        ("system", "Be brief."), ("user", "Well?"),
    ]  # fmt: skip
    assert (exchange.reply, exchange.finish_reason, exchange.error) == ("Yes.", "length", "")
    assert exchange.usage == record.usage == node(record, "ask").usage
    assert record.usage.cost_usd == Decimal("0.0000012")
    assert record.usage_by_model == {"scripted:scripted": record.usage}
    assert (record.title, record.status, record.output) == ("asking", "completed", "Yes.")
    assert node(record, "ask").value == "Yes."
    assert record.graph is not None
    assert list(record.graph.boxes) == ["ask"]
    assert [step.path for step in record.critical_path] == ["ask"]
    before = datetime.now(UTC) - timedelta(seconds=60)
    assert before < record.started_at <= datetime.now(UTC) + timedelta(seconds=1)


def test_every_attempt_with_its_times_and_why_it_failed() -> None:
    graph = asking(policy=Policy(retry=Retry(attempts=3)))
    provider = ScriptedProvider([BUSY, BUSY, "Yes."], latency_seconds=2)
    record = recorded(graph, provider=provider, seed=1)
    ask = node(record, "ask")
    assert [(a.number, a.error) for a in ask.attempts] == [
        (1, "OverloadedError: busy"), (2, "OverloadedError: busy"), (3, ""),
    ]  # fmt: skip
    times = [(a.started_seconds, a.ended_seconds) for a in ask.attempts]
    assert all(end - start == pytest.approx(2) for start, end in times)  # type: ignore[operator]
    spans = spans_of(ask)
    assert [span.kind for span in spans] == [
        "running", "retrying", "running", "retrying", "running",
    ]  # fmt: skip
    assert [span.failed for span in spans if span.kind == "running"] == [True, True, False]
    for before, after in pairwise(spans):
        assert before.end_seconds == after.start_seconds
    assert spans[-1].end_seconds == ask.ended_seconds == record.duration_seconds
    assert [exchange.error for exchange in record.exchanges] == [
        "OverloadedError: busy", "OverloadedError: busy", "",
    ]  # fmt: skip


def test_a_wait_for_a_slot_after_the_pause_is_waiting_and_not_retrying() -> None:
    graph = asking(policy=Policy(retry=Retry(attempts=2, base_delay_seconds=0.001)))

    @graph.function
    async def hog() -> None:
        await anyio.sleep(10)

    record = recorded(graph, provider=ScriptedProvider([BUSY, "Yes."], latency_seconds=1),
                      max_parallel=1, seed=4)  # fmt: skip
    kinds = [span.kind for span in spans_of(node(record, "ask"))]
    assert kinds[-1] == "running"
    assert "waiting" in kinds


def test_a_cancelled_exchange_keeps_its_prompt() -> None:
    graph = asking(policy=Policy(timeout_seconds=1))
    record = recorded(graph, provider=ScriptedProvider("late", latency_seconds=9))
    assert (record.status, record.output) == ("failed", None)
    assert "NodeTimeoutError" in record.error
    (exchange,) = record.exchanges
    assert exchange.messages[-1].content == "Well?"
    assert (exchange.reply, exchange.finish_reason, exchange.error) == ("", "", "")
    assert node(record, "ask").end == "failed"
    assert "NodeTimeoutError" in node(record, "ask").error


def test_tool_calls_are_told() -> None:
    def look_up(word: str) -> str:
        return f"{word}!"

    graph = Graph("tools")
    graph.add(LLM("ask", prompt="Well?", tools=[look_up]))
    call = LLMResponse("", "m", tool_calls=(ToolCall("1", "look_up", '{"word": "bee"}'),))
    record = recorded(graph, provider=ScriptedProvider([call, "Yes."]))
    first, second = record.exchanges
    assert first.tool_calls == ('look_up({"word": "bee"})',)
    assert [said.role for said in second.messages if said.content == "bee!"] == ["tool"]
    assert spans_of(node(record, "ask")) == ()  # a container


def test_cached_and_reasoning_tokens_go_out_and_back() -> None:
    usage = Usage(9, 8, Decimal("0.1"), calls=1, cached_tokens=7, reasoning_tokens=6)
    record = recorded(asking(), provider=ScriptedProvider([LLMResponse("Yes.", "m", usage)]))
    assert record.usage == record.exchanges[0].usage == usage


def test_a_hedge_is_a_second_exchange_of_its_attempt() -> None:
    times = iter([60.0, 1.0])
    provider = ScriptedProvider("Yes.", latency_seconds=lambda request: next(times))
    record = recorded(asking(policy=Policy(hedge_after=2.0)), provider=provider)
    quick, late = record.exchanges
    assert (quick.attempt, quick.started_seconds, quick.reply) == (1, 2.0, "Yes.")
    assert (late.attempt, late.started_seconds, late.reply) == (1, 0.0, "")
    [node] = record.node_runs
    assert len(node.attempts) == 1
    assert node.attempts[0].usage == quick.usage + late.usage == record.usage


def test_an_orchestrators_record_has_its_task_and_tiers() -> None:
    recorder = Recorder()
    workflow = cascade(talking(by_tier))
    outcome = run_virtual(partial(workflow.execute_workflow, "Why?", on_event=recorder))
    record = recorder.record(outcome)
    assert (record.task, record.status) == ("Why?", "completed")
    assert record.output == outcome.result
    assert set(record.usage_by_tier) >= {"belter", "drummer", "camina"}
    tokens = sum(usage.total_tokens for usage in record.usage_by_tier.values())
    assert tokens == record.usage.total_tokens
    assert node(record, "belter_1").tier == "belter"
    assert len(record.exchanges) == record.usage.calls
    assert RunRecord.model_validate_json(record.model_dump_json()) == record


def test_one_recorder_for_runs_at_once_mixes_nothing() -> None:
    recorder = Recorder()
    results: dict[str, Result] = {}

    async def one(word: str) -> None:
        graph = Graph(word)
        graph.add(LLM("ask", prompt=word))
        provider = ScriptedProvider(word.upper(), latency_seconds=1)
        results[word] = await graph.run(provider=provider, on_event=recorder)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for word in ("a", "b", "c"):
                group.start_soon(one, word)

    run_virtual(main)
    for word, result in results.items():
        record = recorder.record(result)
        assert [e.reply for e in record.exchanges] == [word.upper()]
        assert [e.messages[0].content for e in record.exchanges] == [word]
        numbers = [event.number for event in record.events]
        assert numbers == sorted(numbers)
    assert recorder.record(results["a"]).events == ()  # let go with the first record


def test_without_listening_there_is_what_the_result_knows() -> None:
    graph = asking(policy=Policy(retry=Retry(attempts=2)))
    provider = ScriptedProvider([BUSY, "Yes."], latency_seconds=1)
    result = run_virtual(lambda: graph.run(provider=provider))
    record = Recorder().record(result, task="Well")
    assert (record.exchanges, record.events, record.task) == ((), (), "Well")
    ask = node(record, "ask")
    assert [a.started_seconds for a in ask.attempts] == [None, None]
    assert [span.kind for span in spans_of(ask)] == ["running"]
    assert spans_of(ask) == spans_of(result.get("ask"))


def test_long_values_are_cut_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VALUE", 100)
    graph = Graph("long")

    @graph.function
    async def text() -> str:
        return "x" * 1000

    @graph.function
    async def numbers(text: str) -> list[int]:
        return list(range(1000))

    record = recorded(graph)
    assert node(record, "text").value == "x" * 100
    assert node(record, "text").value_left_out == 902  # with its quotes
    assert str(node(record, "numbers").value).startswith("[0, 1, 2")
    assert record.output_left_out > 0


def test_too_many_events_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS", 3)
    record = recorded(asking())
    assert (len(record.events), record.events_left_out) == (3, 3)


class Odd:
    """A value that JSON cannot hold."""

    def __str__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    "value",
    [float("nan"), b"\xff", {1, 2}, "lone \ud800 half", "nul \x00", object, Odd(), {(1, 2): 3}],
)
def test_odd_values_do_no_harm(value: object) -> None:
    graph = Graph("odd")

    @graph.function
    async def odd() -> object:
        return value

    record = recorded(graph)
    assert node(record, "odd").value is not None


def test_half_characters_in_names_do_no_harm(tmp_path: Path) -> None:
    graph = Graph("half \ud800")

    @graph.function(id="a\ud800")
    async def a() -> str:
        raise ValueError("no \udfff")

    graph.add(LLM("b\ud800", prompt="Hi", model="m\ud800"), after="a\ud800")
    graph.add(LLM("c\ud800", prompt="Hi", model="m\ud800"))
    record = recorded(graph, provider=ScriptedProvider("x"))
    assert read_record(write_record(record, tmp_path / "run.json")) == record
    assert set(record.graph.boxes) == {"a?", "b?", "c?"} if record.graph else False


@given(reply=st.text(max_size=60))
@settings(max_examples=30)
def test_any_text_goes_out_and_back(reply: str) -> None:
    record = recorded(asking(), provider=ScriptedProvider(reply or "x"))
    kept = (reply or "x").encode("utf-8", "replace").decode()
    assert record.exchanges[0].reply == kept


def test_a_very_long_reply_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TEXT", 10)
    record = recorded(asking(), provider=ScriptedProvider("y" * 25))
    assert record.exchanges[0].reply == "y" * 10 + "… (15 more characters)"


def test_a_pickled_result_has_no_graph() -> None:
    import pickle

    result = pickle.loads(pickle.dumps(run_virtual(partial(asking().run,
                          provider=ScriptedProvider("Yes.")))))  # fmt: skip
    record = Recorder().record(result)
    assert (record.graph, record.critical_path, record.title) == (None, (), "run")


def test_an_outcome_from_json_cannot_be_recorded() -> None:
    with pytest.raises(DefinitionError, match="read from JSON"):
        Recorder().record(OrchestratorResult("t", "completed"))


# -- the file -----------------------------------------------------------------------------------


def test_a_file_and_back(tmp_path: Path) -> None:
    record = recorded(asking())
    path = write_record(record, tmp_path / "run.json")
    assert read_record(path) == record


def test_files_that_are_no_record(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    for text in ("", "[]", "{}", '{"format": "other"}', "[" * 100_000):
        path.write_text(text)
        with pytest.raises(DefinitionError, match="not the record of a run"):
            read_record(path)
    for version in (99, '"new"'):
        path.write_text(f'{{"format": "dagorch-run", "version": {version}}}')
        with pytest.raises(DefinitionError, match="read it with a later one"):
            read_record(path)
    data = json.loads(recorded(asking()).model_dump_json())
    del data["node_runs"][0]["end"]
    path.write_text(json.dumps(data))
    with pytest.raises(DefinitionError, match=r"node_runs\.0\.end: Field required"):
        read_record(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match="cannot read"):
        read_record(path)
    with pytest.raises(DefinitionError, match="No such file"):
        read_record(tmp_path / "none.json")
    with pytest.raises(DefinitionError, match="cannot write"):
        write_record(recorded(asking()), tmp_path / "no" / "run.json")


# -- its timeline -------------------------------------------------------------------------------


def test_the_timeline_of_a_record_tells_attempts_apart() -> None:
    graph = asking(policy=Policy(retry=Retry(attempts=2), fallback_models=("other",)))
    provider = ScriptedProvider([BUSY, BUSY, "Yes."], latency_seconds=2)
    record = recorded(graph, provider=provider, seed=1)
    timeline = to_timeline(record)
    assert [lane.name for lane in timeline.lanes] == ["scripted:scripted", "scripted:other"]
    first, second = timeline.lanes
    assert [(bar.kind, bar.attempt, bar.failed) for bar in first.bars] == [
        ("running", 1, True), ("retrying", 0, False), ("running", 2, True),
    ]  # fmt: skip
    assert [(bar.kind, bar.attempt, bar.failed) for bar in second.bars] == [("running", 3, False)]
    svg = to_timeline_svg(record)
    assert "waiting to be tried again" in svg
    assert "failed or cancelled" in svg


def test_cancelled_while_it_waited_to_be_tried_again() -> None:
    attempts = (AttemptRecord(number=1, started_seconds=0, ended_seconds=1, retry_seconds=9),)
    run = NodeRecord(path="a", kind="llm", end="cancelled", ready_seconds=0, started_seconds=0,
                     ended_seconds=4, attempts=attempts)  # fmt: skip
    assert [(span.kind, span.end_seconds) for span in spans_of(run)] == [
        ("running", 1), ("retrying", 4),
    ]  # fmt: skip


def test_what_never_was_ready_has_no_spans() -> None:
    assert spans_of(NodeRun("a", "function", "skipped", None, None, 1, 0)) == ()
