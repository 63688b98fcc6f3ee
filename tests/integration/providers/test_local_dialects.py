"""The embedded model's third-party server, called in both of its dialects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from dagorch import LLM, Graph
from dagorch.errors import ContextTooLongError
from dagorch.models.llm import LLMRequest, Message, ToolCall, ToolSpec
from dagorch.providers import AnthropicProvider, HttpProvider, OpenAIProvider, local_server
from dagorch.providers.local_model import MODEL_NAME, download_model, find_model

pytestmark = [pytest.mark.anyio, pytest.mark.local]

HI = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}, "sure": {"type": "boolean"}},
    "required": ["colour", "sure"],
}


class Choice(BaseModel):
    sure: bool


@pytest.fixture(scope="module")
def server() -> Iterator[local_server.LocalServer]:
    settings = local_server.ServerSettings(
        find_model() or download_model(), MODEL_NAME, 4, 1, 1_024
    )
    owner = object()
    server = local_server.acquire(settings, owner)
    yield server
    assert local_server.release(settings, owner) is server
    server.stop()


def options(server: local_server.LocalServer) -> dict[str, Any]:
    """The arguments of a provider that uses the server."""
    return {
        "base_url": f"{server.wait_for_address()}/v1",
        "api_key": server.key.reveal(),
        "name": "local",
        "default_model": MODEL_NAME,
        "free": True,
    }


@pytest.fixture(params=[OpenAIProvider, AnthropicProvider], ids=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest, server: local_server.LocalServer) -> HttpProvider:
    kind: type[HttpProvider] = request.param
    return kind(**options(server))


async def test_the_same_question_has_the_same_answer_and_count(
    server: local_server.LocalServer,
) -> None:
    answers = []
    for kind in (OpenAIProvider, AnthropicProvider):
        async with kind(**options(server)) as provider:
            response = await provider.acomplete(HI, max_tokens=8, temperature=0.0)
        assert 0 < response.usage.output_tokens <= 8
        assert not response.usage.estimated
        answers.append((response.content, response.model, response.usage.input_tokens))
    assert answers[0] == answers[1]


async def test_text_streams_while_it_is_generated(provider: HttpProvider) -> None:
    async with provider, provider.stream(HI, max_tokens=8, temperature=0.0) as pieces:
        texts = [text async for text in pieces]
    assert len(texts) > 1
    assert "".join(texts) == pieces.response.content


async def test_truncation_and_stop_are_distinguished(provider: HttpProvider) -> None:
    async with provider:
        cut = await provider.acomplete(HI, max_tokens=1, temperature=0.0)
        whole = await provider.acomplete(
            [{"role": "user", "content": "Count: one two three"}], max_tokens=64, stop=["\n"],
            temperature=0.0,
        )  # fmt: skip
    assert cut.finish_reason == "length"
    assert whole.finish_reason in ("stop", "length")
    assert "\n" not in whole.content


async def test_sixteen_at_once(provider: HttpProvider) -> None:
    contents: list[str] = []

    async def ask() -> None:
        response = await provider.acomplete(HI, max_tokens=6, temperature=0.0)
        contents.append(response.content)

    async with provider, anyio.create_task_group() as group:
        for _ in range(16):
            group.start_soon(ask)
    assert len(contents) == 16
    assert len(set(contents)) == 1


async def test_json_that_fits_the_schema(server: local_server.LocalServer) -> None:
    async with OpenAIProvider(**options(server)) as provider:
        response = await provider.acomplete(HI, json_schema=SCHEMA, temperature=0.0)
    answer = json.loads(response.content)
    assert answer["colour"] in ("red", "green")
    assert isinstance(answer["sure"], bool)


async def test_a_conversation_with_tools_is_accepted(provider: HttpProvider) -> None:
    """The model is too small to call tools; check only that its server accepts ours."""
    messages = (
        Message("user", "What is the weather in Paris?"),
        Message("assistant", "", tool_calls=(ToolCall("id_a", "weather", '{"city": "Paris"}'),)),
        Message("tool", "error: no weather today", tool_call_id="id_a", is_error=True),
    )
    spec: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
    request = LLMRequest(messages, max_tokens=8, tools=(ToolSpec("weather", "Tells.", spec),))
    async with provider:
        response = await provider.exchange(request, lambda _: None)
    assert response.usage.input_tokens > 20


async def test_cancelling_frees_the_slots(provider: HttpProvider) -> None:
    long = [{"role": "user", "content": "Count to a thousand."}]
    async with provider:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                started = anyio.Event()
                request = LLMRequest((Message("user", long[0]["content"]),), max_tokens=900)
                group.start_soon(provider.exchange, request, lambda _, e=started: e.set())
                await started.wait()
            group.cancel_scope.cancel()
        with anyio.fail_after(10):
            await provider.acomplete(HI, max_tokens=1)


async def test_a_prompt_that_is_too_long(provider: HttpProvider) -> None:
    async with provider:
        with pytest.raises(ContextTooLongError, match="1024 tokens"):
            await provider.acomplete([{"role": "user", "content": "hello " * 2_000}])


async def test_an_output_type_is_enforced(server: local_server.LocalServer) -> None:
    graph = Graph("ask")
    answer = graph.add(LLM("answer", prompt="Are you sure?", output=Choice, max_tokens=64))
    async with OpenAIProvider(**options(server)) as provider:
        result = await graph.run(provider=provider)
    assert isinstance(result[answer].sure, bool)
