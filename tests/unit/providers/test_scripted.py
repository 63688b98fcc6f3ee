from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest

from dagorch.errors import DefinitionError, RateLimitedError
from dagorch.models.llm import LLMRequest, LLMResponse, Message
from dagorch.ports import Provider
from dagorch.providers import ScriptedProvider

pytestmark = pytest.mark.anyio


def request_for(text: str, **options: Any) -> LLMRequest:
    return LLMRequest((Message("user", text),), **options)


async def ask(provider: ScriptedProvider, text: str = "Hi", **options: Any) -> LLMResponse:
    return await provider.exchange(request_for(text, **options), lambda _: None)


async def async_reply(request: LLMRequest) -> str:
    return f"async {request.messages[-1].content}"


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        (None, "Hi"),
        ("always", "always"),
        (["first", "second"], "first"),
        ({"never": "x", "H": "matched"}, "matched"),
        (lambda request: request.messages[-1].content.upper(), "HI"),
        (async_reply, "async Hi"),
        ([{"n": 1}], '{"n": 1}'),
        ([LLMResponse("whole", "m")], "whole"),
        (["  kept  spaces \n"], "  kept  spaces \n"),
        ([" \n"], " \n"),
        ([""], ""),
    ],
)
async def test_the_sources_of_replies(script: Any, reply: str) -> None:
    provider = ScriptedProvider(script)
    assert isinstance(provider, Provider)
    pieces: list[str] = []
    response = await provider.exchange(request_for("Hi"), pieces.append)
    assert response.content == "".join(pieces) == reply
    assert [request.messages[0].content for request in provider.requests] == ["Hi"]


async def test_words_stream_one_by_one() -> None:
    pieces: list[str] = []
    await ScriptedProvider("one two\nthree ").exchange(request_for("Hi"), pieces.append)
    assert pieces == ["one", " two", "\nthree "]


async def test_an_exception_in_the_script_is_raised_once() -> None:
    provider = ScriptedProvider([RateLimitedError("slow down"), "now"])
    with pytest.raises(RateLimitedError):
        await ask(provider)
    assert (await ask(provider)).content == "now"
    assert (len(provider.requests), provider.active) == (2, 0)


@pytest.mark.parametrize(
    ("script", "words"),
    [([], "has 0 replies"), ({"a": "b"}, "has replies for: 'a'"), ([5], "reply is a int")],
)
async def test_a_script_without_a_reply(script: Any, words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        await ask(ScriptedProvider(script), "x")


async def test_tokens_cost_and_are_bounded() -> None:
    provider = ScriptedProvider("a b c d", price_per_token=0.01)
    response = await ask(provider, "x y", max_tokens=3)
    assert (response.content, response.finish_reason) == ("a b c", "length")
    assert (response.usage.input_tokens, response.usage.output_tokens) == (2, 3)
    assert response.usage.cost_usd == Decimal("0.05")
    worst = provider.worst_case_usd(request_for("x y", max_tokens=3))
    assert worst is not None
    assert worst >= response.usage.cost_usd


@pytest.mark.parametrize("latency", [2.5, lambda request: 2.5])
async def test_latency_uses_the_clock_that_was_passed(
    latency: float | Callable[[LLMRequest], float],
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await ask(ScriptedProvider("x", latency_seconds=latency, sleep=sleep))
    assert slept == [2.5]


async def test_the_peak_of_active_exchanges() -> None:
    provider = ScriptedProvider("x", max_concurrency=7)
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(ask, provider)
    assert (provider.peak, provider.active, provider.max_concurrency) == (5, 0, 7)


async def test_stream_and_complete_work_on_a_running_loop() -> None:
    provider = ScriptedProvider(["one two", "three", "four"])
    hi = [{"role": "user", "content": "Hi"}]
    async with provider.stream(hi) as pieces:
        assert [text async for text in pieces] == ["one", " two"]
    assert pieces.response.usage.output_tokens == 2
    assert provider.complete(hi).content == "three"
    assert (await anyio.to_thread.run_sync(provider.complete, hi)).content == "four"


async def test_an_error_comes_out_of_complete_on_a_running_loop() -> None:
    with pytest.raises(RateLimitedError):
        ScriptedProvider([RateLimitedError("slow down")]).complete(
            [{"role": "user", "content": "Hi"}]
        )


def test_a_bound_below_one_is_refused() -> None:
    with pytest.raises(DefinitionError, match="at least 1"):
        ScriptedProvider(max_concurrency=0)
