"""The records of runs: prompts, replies, attempts, usage and values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagorch import LLM, DefinitionError, Graph, Policy, Ref, Retry
from dagorch.exporters import (
    Recorder,
    RunRecord,
    read_record,
    write_record,
)
from dagorch.exporters.report import recorder as module
from dagorch.exporters.report.segments import segments_of
from dagorch.models.llm import LLMResponse, ToolCall
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.result import Result
from dagorch.models.usage import Usage
from dagorch.testing import ScriptedProvider, run_virtual
from tests.conformance.doubles import by_tier, cascade, talking
from tests.unit.exporters.report.recording import BUSY, asking, node, recorded


def test_prompts_replies_and_usage() -> None:
    usage = Usage(7, 3, Decimal("0.0000012"), calls=1, cached_tokens=2, reasoning_tokens=1)
    answer = LLMResponse("Yes.", "m-2", usage, "length")
    record = recorded(asking(), provider=ScriptedProvider([answer]))
    (exchange,) = record.exchanges
    assert [(message.role, message.content) for message in exchange.messages] == [
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


def test_attempts_have_their_times_and_errors() -> None:
    graph = asking(policy=Policy(retry=Retry(attempts=3)))
    provider = ScriptedProvider([BUSY, BUSY, "Yes."], latency_seconds=2)
    record = recorded(graph, provider=provider, seed=1)
    ask = node(record, "ask")
    assert [(a.number, a.error) for a in ask.attempts] == [
        (1, "OverloadedError: busy"), (2, "OverloadedError: busy"), (3, ""),
    ]  # fmt: skip
    times = [(a.started_seconds, a.ended_seconds) for a in ask.attempts]
    assert all(end - start == pytest.approx(2) for start, end in times)  # type: ignore[operator]
    segments = segments_of(ask)
    assert [segment.kind for segment in segments] == [
        "running", "retrying", "running", "retrying", "running",
    ]  # fmt: skip
    assert [s.failed for s in segments if s.kind == "running"] == [True, True, False]
    for before, after in pairwise(segments):
        assert before.end_seconds == after.start_seconds
    assert segments[-1].end_seconds == ask.ended_seconds == record.duration_seconds
    assert [exchange.error for exchange in record.exchanges] == [
        "OverloadedError: busy", "OverloadedError: busy", "",
    ]  # fmt: skip


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


def test_tool_calls() -> None:
    def look_up(word: str) -> str:
        return f"{word}!"

    graph = Graph("tools")
    graph.add(LLM("ask", prompt="Well?", tools=[look_up]))
    call = LLMResponse("", "m", tool_calls=(ToolCall("1", "look_up", '{"word": "bee"}'),))
    record = recorded(graph, provider=ScriptedProvider([call, "Yes."]))
    first, second = record.exchanges
    assert first.tool_calls == ('look_up({"word": "bee"})',)
    assert [message.role for message in second.messages if message.content == "bee!"] == ["tool"]
    assert segments_of(node(record, "ask")) == ()  # a container


def test_keys_in_prompts_replies_and_values_are_removed() -> None:
    key, login = "ghp_0123456789abcdefghij", "https://me:hunter2@example.org"
    graph = Graph("keys")
    ask = graph.add(LLM("ask", prompt=f"I am {login}, my key is {key}."))

    @graph.function
    def headers(reply: str = ask) -> dict[str, object]:
        return {"reply": reply, "nested": [{"Authorization": {"value": "hunter2"}}]}

    graph.output(headers)
    text = recorded(graph, provider=ScriptedProvider(f"Keep {key} safe.")).model_dump_json()
    assert key not in text
    assert "hunter2" not in text
    assert "Keep *** safe." in text


def test_cached_and_reasoning_tokens() -> None:
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


def test_one_recorder_keeps_concurrent_runs_apart() -> None:
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
    assert recorder.record(results["a"]).events == ()  # dropped with the first record


def test_a_record_without_events_has_the_data_of_the_result() -> None:
    graph = asking(policy=Policy(retry=Retry(attempts=2)))
    provider = ScriptedProvider([BUSY, "Yes."], latency_seconds=1)
    result = run_virtual(lambda: graph.run(provider=provider))
    record = Recorder().record(result, task="Well")
    assert (record.exchanges, record.events, record.task) == ((), (), "Well")
    ask = node(record, "ask")
    assert [a.started_seconds for a in ask.attempts] == [None, None]
    assert [segment.kind for segment in segments_of(ask)] == ["running"]
    assert segments_of(ask) == segments_of(result.get("ask"))


def test_long_values_are_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert node(record, "text").value_chars_omitted == 902  # including its quotes
    assert str(node(record, "numbers").value).startswith("[0, 1, 2")
    assert record.output_chars_omitted > 0


def test_too_many_events_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS", 3)
    record = recorded(asking())
    assert (len(record.events), record.events_omitted) == (3, 3)


class Odd:
    """A value that JSON cannot hold."""

    def __str__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    "value",
    [float("nan"), b"\xff", {1, 2}, "lone \ud800 half", "nul \x00", object, Odd(), {(1, 2): 3}],
)
def test_values_that_json_cannot_hold(value: object) -> None:
    graph = Graph("odd")

    @graph.function
    async def odd() -> object:
        return value

    record = recorded(graph)
    assert node(record, "odd").value is not None


def test_lone_surrogates_in_names(tmp_path: Path) -> None:
    graph = Graph("half \ud800")

    @graph.function(id="a\ud800")
    async def a() -> str:
        raise ValueError("no \udfff")

    graph.add(LLM("b\ud800", prompt="Hi", model="m\ud800"), after=Ref(graph, "a\ud800"))
    graph.add(LLM("c\ud800", prompt="Hi", model="m\ud800"))
    record = recorded(graph, provider=ScriptedProvider("x"))
    assert read_record(write_record(record, tmp_path / "run.json")) == record
    assert set(record.graph.boxes) == {"a?", "b?", "c?"} if record.graph else False


@given(reply=st.text(max_size=60))
@settings(max_examples=30)
def test_any_reply_survives_json(reply: str) -> None:
    record = recorded(asking(), provider=ScriptedProvider(reply or "x"))
    kept = (reply or "x").encode("utf-8", "replace").decode()
    assert record.exchanges[0].reply == kept


def test_a_very_long_reply_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
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
