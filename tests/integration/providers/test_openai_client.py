"""The client against a real server on loopback: answers, failures, connections."""

from __future__ import annotations

import gc
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from decimal import Decimal
from email.utils import formatdate
from time import time
from typing import Any

import anyio
import pytest

from dagorch.errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    DefinitionError,
    MalformedReplyError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusedError,
)
from dagorch.models.llm import LLMRequest, LLMResponse, Message, ToolSpec
from dagorch.models.rates import RateLimits, RateWindow
from dagorch.models.usage import Usage
from dagorch.providers import OpenAIProvider, Timeouts
from tests.servers import (
    DONE,
    Handler,
    ModelServer,
    answer,
    byte_by_byte,
    closed_port,
    delta,
    event,
    hang_up,
    reply,
    silent,
    stream,
    usage,
)

pytestmark = pytest.mark.anyio

KEY = "sk-MARKER-0123456789abcdef"
HI = [{"role": "user", "content": "Hi"}]


def provider(address: ModelServer | str, **options: Any) -> OpenAIProvider:
    url = address if isinstance(address, str) else address.url
    options = {
        "api_key": KEY,
        "default_model": "gpt-4o-mini",
        "key_env": "OPENAI_API_KEY",
    } | options
    return OpenAIProvider(url, **options)


async def ask(server: ModelServer | str, **options: Any) -> LLMResponse:
    async with provider(server, **options) as client:
        return await client.acomplete(HI)


async def read(client: OpenAIProvider, take: Callable[[str], object]) -> None:
    async with client.stream(HI) as pieces:
        async for text in pieces:
            take(text)


async def failure(*handlers: Handler, **options: Any) -> ProviderError:
    with ModelServer(*handlers) as server, pytest.raises(ProviderError) as raised:
        await ask(server, **options)
    return raised.value


# ---- answers ----


async def test_an_answer_with_its_usage_and_price() -> None:
    with ModelServer(answer("Hello there", input_tokens=1_000, output_tokens=100)) as server:
        response = await ask(server)
    assert response == LLMResponse(
        content="Hello there",
        model="served-model",
        usage=Usage(1_000, 100, Decimal("0.00021"), calls=1),
        finish_reason="stop",
    )
    request = server.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_text_streams_while_it_is_generated() -> None:
    with ModelServer(answer("one two three")) as server:
        async with provider(server) as client, client.stream(HI) as pieces:
            with pytest.raises(DefinitionError, match="not complete"):
                _ = pieces.response
            assert [text async for text in pieces] == ["one ", "two ", "three"]
            assert pieces.response.content == "one two three"


async def test_a_stream_may_be_split_anywhere_even_inside_a_character() -> None:
    text = "Grüße, 世界 🌍"
    body = b"".join(
        [
            b": a comment\r\n\r\nevent: message\r\nid: 1\r\n",
            b"data: " + json.dumps(delta(text), ensure_ascii=False).encode() + b"\r\n\r\n",
            event(delta(finish="stop")).replace(b"\n", b"\r"),
            event(usage(1, 2)),
            DONE,
        ]
    )
    with ModelServer(byte_by_byte(body)) as server:
        response = await ask(server)
    assert (response.content, response.usage.total_tokens) == (text, 3)


async def test_every_field_of_a_request_is_sent() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    request = LLMRequest(
        messages=(
            Message("system", "Be brief."),
            Message("user", "What is it?", images=("https://example.org/cat.png",)),
        ),
        model="gpt-4o",
        max_tokens=5,
        temperature=0.0,
        stop=("END",),
        json_schema=schema,
        schema_name="a number",
        tools=(ToolSpec("look", "Looks.", {"type": "object", "properties": {}}),),
        extra={"top_p": 0.5, "stream": False},
    )
    with ModelServer() as server:
        async with provider(server) as client:
            await client.exchange(request, lambda _: None)
    assert server.requests[0].json == {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
                ],
            },
        ],
        "max_tokens": 5,
        "temperature": 0.0,
        "stop": ["END"],
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "a_number",
                "schema": {**schema, "additionalProperties": False},
                "strict": True,
            },
        },
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "look",
                    "description": "Looks.",
                    "parameters": {"type": "object", "properties": {}},
                },
            }
        ],
        "top_p": 0.5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_tool_calls_are_assembled_from_pieces() -> None:
    def piece(index: int, **function: str) -> dict[str, Any]:
        return {"index": index, "function": function}

    handler = stream(
        delta(tool_calls=[{"id": "a", **piece(0, name="look", arguments="")}]),
        delta(tool_calls=[piece(0, arguments='{"x"')]),
        delta(tool_calls=[{"id": "b", **piece(1, name="find", arguments="{}")}]),
        delta(tool_calls=[piece(0, arguments=": 1}")]),
        delta(finish="tool_calls"),
    )
    with ModelServer(handler) as server:
        response = await ask(server)
    assert response.finish_reason == "tool_calls"
    assert [(c.id, c.name, c.arguments) for c in response.tool_calls] == [
        ("a", "look", '{"x": 1}'),
        ("b", "find", "{}"),
    ]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "refused"),
        ("function_call", "tool_calls"),
        ("something_new", "other"),
    ],
)
async def test_finish_reasons(raw: str, reason: str) -> None:
    with ModelServer(stream(delta("x", finish=raw))) as server:
        assert (await ask(server)).finish_reason == reason


async def test_a_refusal_is_the_answer_and_says_so() -> None:
    with ModelServer(stream(delta(refusal="I will not."), delta(finish="stop"))) as server:
        response = await ask(server)
    assert (response.content, response.finish_reason) == ("I will not.", "refused")


async def test_missing_usage_is_marked_and_costs_nothing() -> None:
    with ModelServer(stream(delta("x", finish="stop"))) as server:
        response = await ask(server)
    assert response.usage == Usage(0, 0, Decimal(0), estimated=True, calls=1)


async def test_hidden_reasoning_counts_even_if_only_the_total_includes_it() -> None:
    with ModelServer(stream(delta("x", finish="stop"), usage(10, 5, total_tokens=40))) as server:
        assert (await ask(server)).usage.output_tokens == 30


async def test_an_unknown_model_costs_nothing_and_has_no_worst_case() -> None:
    with ModelServer() as server:
        client = provider(server, default_model="house-blend")
        async with client:
            response = await client.acomplete(HI)
    assert response.cost == 0.0
    request = LLMRequest((Message("user", "Hi"),), max_tokens=10)
    assert client.worst_case_usd(request) is None


async def test_a_server_without_streaming_is_supported() -> None:
    whole = {
        "model": "served-model",
        "choices": [{"index": 0, "message": {"content": "All at once"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 3},
    }
    with ModelServer(reply(200, whole)) as server:
        response = await ask(server)
    assert (response.content, response.usage.total_tokens) == ("All at once", 6)


async def test_a_finish_reason_without_done_completes_the_answer() -> None:
    with ModelServer(stream(delta("x", finish="stop"), done=False)) as server:
        assert (await ask(server)).content == "x"


async def test_a_connection_left_open_after_done_does_not_delay_the_answer() -> None:
    with ModelServer(stream(delta("x", finish="stop"), b"[DONE]", hold=True)) as server:
        assert (await ask(server)).content == "x"


async def test_a_missing_model_is_the_callers_error() -> None:
    with ModelServer() as server, pytest.raises(DefinitionError, match="no model"):
        await ask(server, default_model="")
    assert not server.requests


# ---- failures ----


@pytest.mark.parametrize(
    ("handler", "kind", "words"),
    [
        (reply(400, {"error": {"message": "bad field"}}), BadRequestError, "bad field"),
        (reply(401, {"error": {"message": "no"}}), AuthenticationError, "OPENAI_API_KEY"),
        (reply(402, {"error": "Insufficient Balance"}), PermissionDeniedError, "no credit"),
        (reply(403, b"forbidden"), PermissionDeniedError, "check its rights"),
        (reply(404, {"detail": "Not Found"}), NotFoundError, "check the model name"),
        (reply(302, b"", location="http://127.0.0.1/login"), NotFoundError, "a redirect to"),
        (
            reply(400, {"error": {"code": "context_length_exceeded", "message": "8,193"}}),
            ContextTooLongError,
            "shorten the messages",
        ),
        (
            reply(400, [{"error": {"message": "This model's maximum context length is 9"}}]),
            ContextTooLongError,
            "maximum context length",
        ),
        (
            reply(400, {"error": {"code": "content_filter", "message": "filtered"}}),
            RefusedError,
            "reword",
        ),
        (
            reply(429, {"error": {"code": "insufficient_quota", "message": "quota"}}),
            PermissionDeniedError,
            "no credit",
        ),
        (reply(429, {"error": {"message": "slow down"}}), RateLimitedError, "slow down"),
        (reply(500, b"oops"), OverloadedError, "oops"),
        (
            reply(502, b"<html><head><title>Bad &amp; gateway</title></head></html>"),
            OverloadedError,
            "an HTML page, 'Bad & gateway'",
        ),
        (
            reply(200, b"<!doctype html><title>Log in</title>", content_type="text/html"),
            MalformedReplyError,
            "an HTML page",
        ),
        (reply(200, b"certainly!"), MalformedReplyError, "not JSON: 'certainly!'"),
        (stream(b"{truncat"), MalformedReplyError, "not JSON: '{truncat'"),
        (stream(b"[1]"), MalformedReplyError, "not a JSON object"),
        (stream({"choices": [{"delta": "text"}]}), MalformedReplyError, "unexpected shape"),
        (stream(usage(1, 0)), MalformedReplyError, "no answer"),
        (hang_up, ProviderConnectionError, "closed the connection"),
        (stream(delta("half"), cut=True), ProviderConnectionError, "closed the connection"),
        (stream(delta("half"), done=False), ProviderConnectionError, "before the reply was"),
        (
            stream(delta("half"), {"error": {"code": 502, "message": "upstream died"}}),
            OverloadedError,
            "upstream died",
        ),
        (
            stream(delta("half"), {"error": {"type": "rate_limit_exceeded"}}),
            RateLimitedError,
            "rate_limit_exceeded",
        ),
        (stream({"error": "something broke"}), OverloadedError, "something broke"),
    ],
)
async def test_each_failure_has_its_error_class_and_advice(
    handler: Handler, kind: type[ProviderError], words: str
) -> None:
    error = await failure(handler)
    assert type(error) is kind
    assert words in str(error)
    assert str(error).startswith("openai (gpt-4o-mini): ")
    assert (error.service, error.model) == ("openai", "gpt-4o-mini")


async def test_connection_refused() -> None:
    with closed_port() as url, pytest.raises(ProviderConnectionError) as raised:
        await ask(url)
    assert "is the server running?" in str(raised.value)
    assert raised.value.retryable
    assert raised.value.status is None


async def test_an_unresolved_host() -> None:
    with pytest.raises(
        ProviderConnectionError, match=r"cannot resolve the host of .*; check the address"
    ):
        await ask("http://no-such-host.invalid/v1")


async def test_a_server_without_tls() -> None:
    with ModelServer() as server, pytest.raises(ProviderConnectionError, match="TLS handshake"):
        await ask(server.url.replace("http:", "https:"))


async def test_no_connection_in_time() -> None:
    with ModelServer(greeting=None) as server, pytest.raises(ProviderTimeoutError) as raised:
        await ask(server.url.replace("http:", "https:"), timeouts=Timeouts(connect_seconds=0.2))
    assert "no connection to https://127.0.0.1" in str(raised.value)


async def test_no_first_byte() -> None:
    error = await failure(silent, timeouts=Timeouts(first_byte_seconds=0.2))
    assert type(error) is ProviderTimeoutError
    assert "no first byte within 0.2 s" in str(error)


async def test_silence_in_the_middle_of_an_answer() -> None:
    timeouts = Timeouts(between_chunks_seconds=0.2)
    error = await failure(stream(delta("half"), hold=True), timeouts=timeouts)
    assert type(error) is ProviderTimeoutError
    assert "silent for 0.2 s" in str(error)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        (lambda: {"retry_after": "7"}, 7.0, 7.0),
        (lambda: {"retry_after": formatdate(time() + 60, usegmt=True)}, 50.0, 60.0),
        (lambda: {"retry_after": formatdate(time() - 60, usegmt=True)}, 0.0, 0.0),
        (lambda: {"retry_after_ms": "1500", "retry_after": "2"}, 1.5, 1.5),
    ],
)
async def test_retry_after_in_seconds_dates_and_milliseconds(
    header: Callable[[], dict[str, str]], low: float, high: float
) -> None:
    error = await failure(reply(429, {"error": "slow down"}, **header()))
    assert error.retry_after_seconds is not None
    assert low <= error.retry_after_seconds <= high


async def test_the_request_id_is_reported_and_survives_pickling() -> None:
    error = await failure(reply(500, b"oops", x_request_id="req_42"))
    assert str(error).endswith("[request req_42]")
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.request_id, copied.status, str(copied)) == ("req_42", 500, str(error))


async def test_answers_and_errors_have_the_services_rate_limits() -> None:
    raw = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}
    expected = RateLimits(requests=RateWindow(60, 0))
    with ModelServer(stream(delta("x", finish="stop"), headers=raw)) as server:
        assert (await ask(server)).rate_limits == expected
    named = {name.replace("-", "_"): value for name, value in raw.items()}
    error = await failure(reply(429, b"slow down", **named))
    assert pickle.loads(pickle.dumps(error)).rate_limits == expected


# ---- the key ----


@pytest.mark.parametrize(
    "handler",
    [
        reply(401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}),
        reply(500, f"{'x' * 290}{KEY}".encode(), x_request_id=KEY),
        reply(302, b"", location=f"http://127.0.0.1/?key={KEY}"),
        reply(200, f"<html>{KEY}</html>".encode()),
        stream(f"{'x' * 280}{KEY}".encode()),
        stream({"error": {"message": f"key {KEY} expired", "code": "invalid_request_error"}}),
        hang_up,
        answer(),
    ],
)
async def test_no_output_shows_the_key(handler: Handler, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    outputs = [repr(provider("http://127.0.0.1/v1"))]
    with ModelServer(handler) as server:
        client = provider(server)
        outputs += [repr(vars(client)), str(client)]
        async with client:
            try:
                outputs.append(repr(await client.acomplete(HI)))
            except ProviderError as error:
                outputs += [str(error), repr(error), repr(vars(error))]
                outputs += traceback.format_exception(error)
    # httpcore's own connection dump shows the headers that the server sent, with any content.
    outputs += [m for m in caplog.messages if not m.startswith("receive_response_headers.complete")]
    assert not [text for text in outputs if KEY[:16] in text]


def test_an_invalid_key_is_refused_without_showing_it() -> None:
    with pytest.raises(DefinitionError, match="OPENAI_API_KEY") as raised:
        provider("http://127.0.0.1/v1", api_key=f"{KEY}\n{KEY}")
    assert KEY not in str(raised.value)


def test_an_address_with_a_password_is_shown_without_it() -> None:
    shown = repr(provider("https://me:hunter2@example.org/v1"))
    assert shown == "<OpenAIProvider 'openai' model='gpt-4o-mini' at https://example.org/v1>"


# ---- connections ----


async def test_a_connection_serves_many_requests() -> None:
    with ModelServer() as server:
        async with provider(server) as client:
            for _ in range(5):
                await client.acomplete(HI)
        server.wait_until(lambda s: s.open == 0)
    assert (len(server.requests), server.connections) == (5, 1)


async def test_an_error_reply_leaves_the_connection_usable() -> None:
    with ModelServer(reply(500, b"oops"), answer()) as server:
        async with provider(server) as client:
            with pytest.raises(OverloadedError):
                await client.acomplete(HI)
            await client.acomplete(HI)
    assert server.connections == 1


async def test_cancelling_an_answer_closes_the_connection() -> None:
    with ModelServer(stream(delta("half"), hold=True)) as server:
        async with provider(server) as client, client.stream(HI) as pieces:
            assert await anext(pieces) == "half"
            assert server.open == 1
        await anyio.to_thread.run_sync(server.wait_until, lambda s: s.open == 0)


async def test_cancelling_before_the_first_byte_closes_the_connection() -> None:
    with ModelServer(silent) as server:
        async with provider(server) as client, anyio.create_task_group() as group:
            group.start_soon(client.acomplete, HI)
            await anyio.to_thread.run_sync(server.wait_until, lambda s: len(s.requests) == 1)
            group.cancel_scope.cancel()
        await anyio.to_thread.run_sync(server.wait_until, lambda s: s.open == 0)


async def test_an_error_in_the_stream_closes_the_connection_and_generators() -> None:
    with ModelServer(stream(delta("half"), {"error": "broke"}, hold=True)) as server:
        async with provider(server) as client:
            with pytest.raises(OverloadedError):
                await client.acomplete(HI)
            await anyio.to_thread.run_sync(server.wait_until, lambda s: s.open == 0)
    gc.collect()  # a generator left open would warn here, and a warning is an error


async def test_an_exception_of_the_reader_is_raised_unchanged() -> None:
    with ModelServer(stream(delta("half"), hold=True)) as server:
        async with provider(server) as client:
            with pytest.raises(ZeroDivisionError):
                await read(client, lambda _: 1 / 0)
        await anyio.to_thread.run_sync(server.wait_until, lambda s: s.open == 0)


async def test_a_stream_that_fails_raises_after_its_text() -> None:
    got: list[str] = []
    with ModelServer(stream(delta("half"), {"error": "broke"})) as server:
        async with provider(server) as client:
            with pytest.raises(OverloadedError):
                await read(client, got.append)
    assert got == ["half"]


async def test_no_more_requests_at_once_than_allowed() -> None:
    with ModelServer() as server:
        async with (
            provider(server, max_concurrency=3) as client,
            anyio.create_task_group() as group,
        ):
            for _ in range(20):
                group.start_soon(client.acomplete, HI)
    assert len(server.requests) == 20
    assert server.connections <= 3


async def test_many_calls_at_once() -> None:
    with ModelServer() as server:
        client = provider(server, max_concurrency=None)
        async with client, anyio.create_task_group() as group:
            for _ in range(200):
                group.start_soon(client.acomplete, HI)
        await anyio.to_thread.run_sync(server.wait_until, lambda s: s.open == 0)
    assert len(server.requests) == 200


async def test_complete_works_on_a_running_loop_too() -> None:
    with ModelServer() as server:
        assert provider(server).complete(HI).content == "Hello there"
        server.wait_until(lambda s: s.open == 0)


def test_one_provider_works_on_two_loops_and_closes_by_itself(
    anyio_backend_name: str,
) -> None:
    async def once() -> str:
        return (await client.acomplete(HI)).content

    with ModelServer() as server:
        client = provider(server)
        for _ in range(2):
            assert anyio.run(once, backend=anyio_backend_name) == "Hello there"
            server.wait_until(lambda s: s.open == 0)
    gc.collect()


def test_complete_works_without_a_loop() -> None:
    with ModelServer() as server:
        assert provider(server).complete(HI, model="gpt-4o").content == "Hello there"
        server.wait_until(lambda s: s.open == 0)
    assert server.requests[0].json["model"] == "gpt-4o"
