# ruff: noqa: ASYNC240  a test may read its small file
"""Recording and replay of a provider: content, order, errors, and no key in the file."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dagorch import LLM, Graph, RunError
from dagorch.errors import DefinitionError, OverloadedError, ProviderError, RateLimitedError
from dagorch.models.llm import LLMResponse, ToolCall, ToolSpec
from dagorch.models.rates import RateLimits, RateWindow
from dagorch.models.usage import Usage
from dagorch.testing import RecordingProvider, ReplayProvider, ScriptedProvider


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traffic.jsonl"


async def test_every_field_of_a_response_is_replayed(path: Path) -> None:
    answer = LLMResponse(
        "text",
        "model-2",
        Usage(3, 4, Decimal("0.000123"), estimated=True, calls=1),
        "tool_calls",
        (ToolCall("id", "weather", '{"city": "Oslo"}'),),
        "request-7",
    )
    recording = RecordingProvider(ScriptedProvider([answer]), path)
    tools = (ToolSpec("weather", "Tell the weather.", {"type": "object"}),)
    options: dict[str, Any] = {"max_tokens": 9, "temperature": 0.5, "tools": tools, "stop": "END"}
    assert await recording.acomplete(ask("Hi"), "model", **options) == answer
    replay = ReplayProvider(path)
    assert await replay.acomplete(ask("Hi"), "model", **options) == answer


async def test_the_text_is_streamed_to_both(path: Path) -> None:
    recording = RecordingProvider(ScriptedProvider("one two"), path)
    async with recording.stream(ask("Hi")) as pieces:
        assert "".join([piece async for piece in pieces]) == "one two"
    async with ReplayProvider(path).stream(ask("Hi")) as pieces:
        assert "".join([piece async for piece in pieces]) == "one two"
        assert pieces.response.content == "one two"


async def test_requests_are_found_by_content_and_equal_ones_by_their_order(path: Path) -> None:
    recording = RecordingProvider(ScriptedProvider(["a1", "b1", "a2"]), path)
    for text in ("a", "b", "a"):
        await recording.acomplete(ask(text))
    replay = ReplayProvider(path)
    assert [(await replay.acomplete(ask(text))).content for text in ("a", "a", "b")] == [
        "a1",
        "a2",
        "b1",
    ]
    with pytest.raises(DefinitionError, match="recorded 2 times, but is sent once more: 'a'"):
        await replay.acomplete(ask("a"))


async def test_an_unknown_request_names_the_most_similar(path: Path) -> None:
    recording = RecordingProvider(ScriptedProvider("x"), path)
    await recording.acomplete(ask("Weigh these views on owls."))
    await recording.acomplete(ask("Something else entirely, and far longer than the other."))
    with pytest.raises(DefinitionError) as caught:
        await ReplayProvider(path).acomplete(ask("Weigh these views on cats."))
    assert str(caught.value) == (
        "traffic.jsonl: this request was not recorded; the most similar is line 2, where "
        "messages[0].content is 'Weigh these views on owls.' and not 'Weigh these views on cats.'"
    )
    with pytest.raises(DefinitionError, match=r"where temperature is None and not 0\.5"):
        await ReplayProvider(path).acomplete(ask("Weigh these views on owls."), temperature=0.5)


async def test_failures_are_replayed_with_their_attributes(path: Path) -> None:
    limited = RateLimitedError(
        "slow down", service="s", model="m", status=429, request_id="r", retry_after_seconds=7.5,
        rate_limits=RateLimits(requests=RateWindow(60, 0, 7.5)), answer_begun=True,
        usage=Usage(3, 2, Decimal("0.1"), calls=1),
    )  # fmt: skip
    script = [limited, TimeoutError("late"), StrangeError("odd"), "fine"]
    recording = RecordingProvider(ScriptedProvider(script), path)
    for kind in (RateLimitedError, TimeoutError, StrangeError):
        with pytest.raises(kind):
            await recording.acomplete(ask("Hi"))
    await recording.acomplete(ask("Hi"))

    replay = ReplayProvider(path)
    with pytest.raises(RateLimitedError, match="slow down") as caught:
        await replay.acomplete(ask("Hi"))
    assert vars(caught.value) == vars(limited)
    with pytest.raises(TimeoutError, match="late"):
        await replay.acomplete(ask("Hi"))
    with pytest.raises(ProviderError, match="StrangeError: odd"):
        await replay.acomplete(ask("Hi"))
    assert (await replay.acomplete(ask("Hi"))).content == "fine"


class StrangeError(Exception):
    """An error of another library."""


KEY = "sk-proj-abcdefghijklmnop1234"
KEYS = [
    KEY,
    "xai-ABCDEFGHIJKLMNOPQRSTUVWX",
    "gsk_abcdefghijklmnopqrstuvwx",
    "AIzaSyA1234567890abcdefghijklmnopqrst",
    "Bearer abc.def-ghi",
]


@pytest.mark.parametrize("key", KEYS)
async def test_text_that_looks_like_a_key_is_never_written(path: Path, key: str) -> None:
    failure = OverloadedError(f"the key {key} was refused")
    recording = RecordingProvider(ScriptedProvider([f"you said {key}", failure]), path)
    extra = {"headers": {"Authorization": key, "x-api-key": "plain", "x-trace": "kept"}}
    for _ in range(2):
        with contextlib.suppress(OverloadedError):
            await recording.acomplete(ask(f"My key is {key}."), extra=extra)
    written = path.read_text("utf-8")
    assert key not in written
    assert "plain" not in written
    assert "kept" in written
    # The request is found with any key.
    replay = ReplayProvider(path)
    answer = await replay.acomplete(ask(f"My key is {key}."), extra=extra)
    assert answer.content == "you said ***"


async def test_secrets_are_never_written(path: Path) -> None:
    secret = "correct horse"
    recording = RecordingProvider(ScriptedProvider(None), path, secrets=[secret, ""])
    await recording.acomplete(ask(f"I say {secret}."), extra={"note": secret})
    assert secret not in path.read_text("utf-8")
    replay = ReplayProvider(path, secrets=[secret])
    answer = await replay.acomplete(ask(f"I say {secret}."), extra={"note": secret})
    assert answer.content == "I say ***."


def test_words_that_resemble_keys_are_kept(path: Path) -> None:
    text = "risk-taking task-oriented sk-short bearer of news; max_tokens; ask_me_anything_you_want"
    RecordingProvider(ScriptedProvider(None), path).complete(ask(text))
    assert text in path.read_text("utf-8")


def test_a_recording_replaces_the_file_and_is_lines_of_json(path: Path) -> None:
    path.write_text("old")
    recording = RecordingProvider(ScriptedProvider("x", name="n", max_concurrency=3), path)
    recording.complete(ask("Hi"))
    head, line = (json.loads(text) for text in path.read_text("utf-8").splitlines())
    assert head == {"provider": {"name": "n", "default_model": "scripted", "max_concurrency": 3}}
    assert line["request"] == {"messages": [{"role": "user", "content": "Hi"}]}
    replay = ReplayProvider(path)
    assert (replay.name, replay.default_model, replay.max_concurrency) == ("n", "scripted", 3)


def test_another_file_is_not_a_recording(path: Path) -> None:
    with pytest.raises(DefinitionError, match="cannot be read"):
        ReplayProvider(path)
    for text in ("", "no json", '{"other": 1}'):
        path.write_text(text)
        with pytest.raises(DefinitionError, match="is not a recording of RecordingProvider"):
            ReplayProvider(path)


def test_an_empty_recording_has_a_message_of_its_own(path: Path) -> None:
    RecordingProvider(ScriptedProvider("x"), path)
    with pytest.raises(DefinitionError, match="was not recorded; the recording is empty"):
        ReplayProvider(path).complete(ask("Hi"))


async def test_a_graph_runs_on_its_recording_with_the_same_usage(path: Path) -> None:
    graph = Graph("talk")
    graph.add(LLM("first", prompt="One"))
    graph.add(LLM("second", prompt="Two {first}"))
    inner = ScriptedProvider(lambda request: "said", price_per_token=0.01)
    recorded = await graph.run(provider=RecordingProvider(inner, path), max_cost=500)
    replayed = await graph.run(provider=ReplayProvider(path), max_cost=500)
    assert replayed.output == recorded.output == "said"
    assert replayed.usage == recorded.usage
    assert len(inner.requests) == 2


async def test_the_inner_provider_is_closed_with_the_recording(path: Path) -> None:
    closed = []

    class Closing(ScriptedProvider):
        async def aclose(self) -> None:
            closed.append(1)

    async with RecordingProvider(Closing("x"), path):
        assert not closed
    assert closed == [1]


async def test_a_share_of_a_ceiling_is_not_part_of_a_recorded_request(path: Path) -> None:
    graph = Graph("shares")
    for name in ("one", "two", "three"):
        graph.add(LLM(name, prompt=name))
    inner = ScriptedProvider(lambda request: "said", price_per_token=0.01, output_limit=50_000)
    recorded = await graph.run(provider=RecordingProvider(inner, path), max_cost=40)
    assert len({request.max_tokens for request in inner.requests}) > 1
    replayed = await graph.run(provider=ReplayProvider(path), max_cost=40)
    assert replayed.usage == recorded.usage
    changed = Graph("changed")
    changed.add(LLM("one", prompt="other", max_tokens=9))
    with pytest.raises(RunError, match="was not recorded"):
        await changed.run(provider=ReplayProvider(path))
