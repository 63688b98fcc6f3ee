"""One suite for all dialects, against a real server on loopback."""

from __future__ import annotations

import gc
import json
import pickle
from decimal import Decimal
from typing import Any

import anyio
import pytest

from dagorch.errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
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
from dagorch.models.llm import LLMResponse
from dagorch.models.rates import RateLimits, RateWindow
from dagorch.models.usage import Usage
from dagorch.providers import Timeouts
from tests.fake_services import FAKE_SERVICES, FakeService, FunctionCall
from tests.servers import (
    Handler,
    ModelServer,
    byte_by_byte,
    closed_port,
    event,
    hang_up,
    reply,
    silent,
    stream,
)

pytestmark = pytest.mark.anyio

HI = [{"role": "user", "content": "Hi"}]
CODES = {
    "openai": {
        400: "invalid_request_error", 401: "invalid_api_key", 403: "forbidden",
        404: "model_not_found", 429: "rate_limit_exceeded", 500: "server_error",
        503: "overloaded",
    },
    "anthropic": {
        400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
        404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error",
        500: "api_error", 504: "timeout_error", 529: "overloaded_error",
    },
    "gemini": {
        400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED",
        404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    },
}  # fmt: skip
KINDS: dict[int, type[ProviderError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: ContextTooLongError,
    429: RateLimitedError,
}


@pytest.fixture(params=FAKE_SERVICES, ids=lambda service: service.name)
def service(request: pytest.FixtureRequest) -> FakeService:
    found: FakeService = request.param
    return found


async def ask(service: FakeService, server: ModelServer | str, **options: Any) -> LLMResponse:
    async with service.provider(server, **options) as client:
        return await client.acomplete(HI)


async def failure(service: FakeService, *handlers: Handler, **options: Any) -> ProviderError:
    with ModelServer(*handlers) as server, pytest.raises(ProviderError) as raised:
        await ask(service, server, **options)
    return raised.value


# ---- answers ----


async def test_an_answer_with_its_usage_and_price(service: FakeService) -> None:
    with ModelServer(service.answers(input_tokens=1_000, output_tokens=100)) as server:
        response = await ask(service, server, api_key="sk-1", prices={service.model: (1, 10)})
    assert (response.content, response.model) == ("Hello there", "served-model")
    assert response.usage == Usage(1_000, 100, Decimal("0.002"), calls=1)
    assert response.finish_reason == "stop"
    request = server.requests[0]
    assert request.path == service.path
    assert "sk-1" in request.headers[service.key_header]
    assert request.headers["content-type"] == "application/json"


async def test_without_a_key_none_is_sent(service: FakeService) -> None:
    with ModelServer(service.answers()) as server:
        await ask(service, server)
    assert service.key_header not in server.requests[0].headers


def test_three_methods_make_the_same_request(service: FakeService, anyio_backend_name: str) -> None:
    async def both() -> tuple[str, list[str], str]:
        async with service.provider(server) as client:
            whole = (await client.acomplete(HI)).content
            async with client.stream(HI) as pieces:
                texts = [text async for text in pieces]
            return whole, texts, pieces.response.content

    with ModelServer(service.answers("one two three")) as server:
        found = anyio.run(both, backend=anyio_backend_name)
        assert found == ("one two three", ["one ", "two ", "three"], "one two three")
        assert service.provider(server).complete(HI).content == "one two three"
        server.wait_until(lambda s: s.open == 0)
    bodies = [request.json for request in server.requests]
    assert bodies[0] == bodies[1] == bodies[2]


async def test_a_stream_may_be_split_anywhere_even_inside_a_character(service: FakeService) -> None:
    text = "Grüße, 世界 🌍"
    events = [*service.half(text), *service.end_events("stop", 1, 2)]
    raw = [json.dumps(event_data, ensure_ascii=False).encode() for event_data in events]
    with ModelServer(byte_by_byte(b": hello\r\n\r\n" + b"".join(map(event, raw)))) as server:
        response = await ask(service, server)
    assert (response.content, response.usage.total_tokens) == (text, 3)


async def test_parallel_tool_calls(service: FakeService) -> None:
    calls = [FunctionCall("id_a", "look", {"x": 1}), FunctionCall("id_b", "find", {"of": "ü"})]
    with ModelServer(service.calls_tools(calls)) as server:
        response = await ask(service, server)
    assert response.finish_reason == "tool_calls"
    assert [(c.id, c.name, json.loads(c.arguments)) for c in response.tool_calls] == [
        ("id_a", "look", {"x": 1}),
        ("id_b", "find", {"of": "ü"}),
    ]


async def test_calls_without_ids_get_different_ones(service: FakeService) -> None:
    calls = [FunctionCall("", "look", {}), FunctionCall("", "look", {})]
    with ModelServer(service.calls_tools(calls)) as server:
        response = await ask(service, server)
    ids = [call.id for call in response.tool_calls]
    assert len(set(ids)) == 2
    assert all(ids)


async def test_truncation_has_its_own_finish_reason(service: FakeService) -> None:
    handler = stream(*service.half(), *service.end_events("length", 1, 2), done=service.done)
    with ModelServer(handler) as server:
        response = await ask(service, server)
    assert (response.content, response.finish_reason) == ("half", "length")


async def test_missing_usage_is_marked(service: FakeService) -> None:
    ended = service.end_events("stop", 1, 2)
    for event_data in ended:
        event_data.pop("usage", None)
        event_data.pop("usageMetadata", None)
    with ModelServer(stream(*service.half(), *ended, done=service.done)) as server:
        response = await ask(service, server)
    assert response.usage.estimated
    assert response.usage.cost_usd == 0


# ---- failures, in every phase ----


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 502, 503, 504, 529])
async def test_each_status_has_its_error_class(service: FakeService, status: int) -> None:
    code = CODES[service.name].get(status, "unknown")
    error = await failure(service, service.fails(status, code, "words of its own"))
    assert type(error) is KINDS.get(status, OverloadedError)
    assert (error.service, error.model, error.status) == (service.name, service.model, status)
    assert error.retryable == (status == 429 or status >= 500)
    assert f"answered {status}: words of its own; " in str(error)
    assert not error.answer_begun
    copied = pickle.loads(pickle.dumps(error))
    assert (vars(copied), str(copied)) == (vars(error), str(error))


@pytest.mark.parametrize("status", [401, 429, 500, 503, 529])
async def test_an_error_inside_a_stream_has_the_class_of_its_code(
    service: FakeService, status: int
) -> None:
    code = CODES[service.name].get(status, "overloaded_error")
    event_data = service.error_body(status, code, "words of its own")
    error = await failure(service, stream(*service.half(), event_data, done=False))
    assert type(error) is KINDS.get(status, OverloadedError)
    assert "words of its own" in str(error)
    assert error.answer_begun


async def test_an_error_as_first_event_has_not_begun_an_answer(service: FakeService) -> None:
    error = await failure(service, stream(service.error_body(529, "overloaded", "no"), done=False))
    assert type(error) is OverloadedError
    assert not error.answer_begun


@pytest.mark.parametrize(
    ("handler", "kind", "words"),
    [
        (hang_up, ProviderConnectionError, "closed the connection"),
        (
            reply(200, b"<!doctype html><title>Log in</title>", content_type="text/html"),
            MalformedReplyError,
            "an HTML page",
        ),
        (
            reply(502, b"<html><head><title>Bad &amp; gateway</title></head></html>"),
            OverloadedError,
            "an HTML page, 'Bad & gateway'",
        ),
        (reply(200, b"certainly!"), MalformedReplyError, "not JSON: 'certainly!'"),
        (reply(200, b"[" * 100_000), MalformedReplyError, "not JSON"),
        (reply(200, b'{"a":' * 50_000), MalformedReplyError, "not JSON"),
        (stream(b"{truncat"), MalformedReplyError, "not JSON: '{truncat'"),
        (stream(b"[1]"), MalformedReplyError, "not a JSON object"),
        (stream(done=True), MalformedReplyError, "no answer"),
        (stream(done=False), ProviderConnectionError, "before the reply was"),
        (reply(500, b""), OverloadedError, "no details"),
        (reply(307, b"", location="http://127.0.0.1/login"), NotFoundError, "a redirect to"),
    ],
)
async def test_replies_that_are_not_answers(
    service: FakeService, handler: Handler, kind: type[ProviderError], words: str
) -> None:
    error = await failure(service, handler)
    assert type(error) is kind
    assert words in str(error)
    assert not error.answer_begun


async def test_an_answer_that_breaks_off(service: FakeService) -> None:
    half = service.half()
    last = json.dumps(half[-1]).encode()

    for handler in (stream(*half, cut=True), stream(*half, done=False)):
        error = await failure(service, handler)
        assert type(error) is ProviderConnectionError
        assert "before the reply was complete" in str(error)
        assert error.answer_begun
    error = await failure(service, stream(*half, last[: len(last) // 2], done=False))
    assert type(error) is MalformedReplyError
    assert error.answer_begun


async def test_an_event_of_unexpected_shape_is_a_malformed_reply(service: FakeService) -> None:
    shapes = {
        "openai": {"choices": [{"delta": "text"}]},
        "anthropic": {"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta"}},
        "gemini": {"candidates": [{"content": {"parts": ["text"]}}]},
    }
    error = await failure(service, stream(shapes[service.name], done=False))
    assert type(error) is MalformedReplyError
    assert "unexpected shape" in str(error)


async def test_silence_raises_a_timeout_error(service: FakeService) -> None:
    error = await failure(service, silent, timeouts=Timeouts(first_byte_seconds=0.2))
    assert type(error) is ProviderTimeoutError
    assert "no first byte within 0.2 s" in str(error)
    assert not error.answer_begun
    held = stream(*service.half(), hold=True)
    error = await failure(service, held, timeouts=Timeouts(between_chunks_seconds=0.2))
    assert type(error) is ProviderTimeoutError
    assert "silent for 0.2 s" in str(error)
    assert error.answer_begun


async def test_a_connection_that_stays_open_after_the_end_is_not_an_error(
    service: FakeService,
) -> None:
    handler = stream(*service.half(), *service.end_events("stop", 1, 2), hold=True)
    timeouts = Timeouts(between_chunks_seconds=0.2)
    with ModelServer(handler) as server:
        assert (await ask(service, server, timeouts=timeouts)).content == "half"


async def test_connection_refused(service: FakeService) -> None:
    with (
        closed_port() as url,
        pytest.raises(ProviderConnectionError, match="is the server running"),
    ):
        await ask(service, url)


async def test_an_error_has_retry_after_and_rate_limits(service: FakeService) -> None:
    headers = {"retry_after": "7", "x_ratelimit_remaining_requests": "0"}
    code = CODES[service.name][429]
    error = await failure(service, service.fails(429, code, **headers))
    assert error.retry_after_seconds == 7.0
    assert error.rate_limits == RateLimits(requests=RateWindow(remaining=0))


# ---- connections ----


async def test_a_connection_serves_many_requests(service: FakeService) -> None:
    with ModelServer(service.answers()) as server:
        async with service.provider(server) as client:
            for _ in range(5):
                await client.acomplete(HI)
    assert (len(server.requests), server.connections) == (5, 1)


async def test_cancelling_an_answer_closes_the_connection(service: FakeService) -> None:
    with ModelServer(stream(*service.half(), hold=True)) as server:
        async with service.provider(server) as client, client.stream(HI) as pieces:
            assert await anext(pieces) == "half"
        await anyio.to_thread.run_sync(server.wait_until, lambda s: s.open == 0)
    gc.collect()


async def test_fifty_at_once(service: FakeService) -> None:
    with ModelServer(service.answers()) as server:
        async with service.provider(server) as client, anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(client.acomplete, HI)
    assert len(server.requests) == 50


# ---- features of one dialect ----

ANTHROPIC = next(service for service in FAKE_SERVICES if service.name == "anthropic")
GEMINI = next(service for service in FAKE_SERVICES if service.name == "gemini")


async def test_anthropics_request_ids() -> None:
    error = await failure(ANTHROPIC, ANTHROPIC.fails(529, "overloaded_error"))
    assert error.request_id == "req_7"
    assert str(error).endswith("[request req_7]")
    error = await failure(ANTHROPIC, ANTHROPIC.fails(500, "api_error", request_id="req_8"))
    assert error.request_id == "req_8"


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, "invalid_request_error", "prompt is too long: 9 tokens > 8", ContextTooLongError),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 9 + 9 > 8",
            ContextTooLongError,
        ),
        (400, "invalid_request_error", "Your credit balance is too low", PermissionDeniedError),
        (402, "billing_error", "pay", PermissionDeniedError),
    ],
)
async def test_anthropics_error_messages(
    status: int, code: str, message: str, kind: type[ProviderError]
) -> None:
    assert type(await failure(ANTHROPIC, ANTHROPIC.fails(status, code, message))) is kind


def google(status: int, name: str, message: str, *details: dict[str, Any]) -> Handler:
    error = {"code": status, "message": message, "status": name, "details": list(details)}
    return reply(status, [{"error": error}])


async def test_googles_retry_delay_is_in_the_body() -> None:
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "32.5s"}
    error = await failure(GEMINI, google(429, "RESOURCE_EXHAUSTED", "quota", retry))
    assert (type(error), error.retry_after_seconds) == (RateLimitedError, 32.5)


@pytest.mark.parametrize(
    ("handler", "key", "kind", "words"),
    [
        (
            google(400, "INVALID_ARGUMENT", "API key not valid.", {"reason": "API_KEY_INVALID"}),
            "sk-wrong",
            AuthenticationError,
            "the API key in GEMINI_API_KEY was rejected",
        ),
        (
            google(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers"),
            "",
            AuthenticationError,
            "no API key was sent; set GEMINI_API_KEY",
        ),
        (
            google(
                400,
                "INVALID_ARGUMENT",
                "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            ),
            "sk-1",
            ContextTooLongError,
            "shorten",
        ),
        (
            google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
            "sk-1",
            PermissionDeniedError,
            "not available in your region",
        ),
    ],
)
async def test_googles_error_messages(
    handler: Handler, key: str, kind: type[ProviderError], words: str
) -> None:
    error = await failure(GEMINI, handler, api_key=key, key_env="GEMINI_API_KEY")
    assert type(error) is kind
    assert words in str(error)


async def test_a_blocked_prompt_is_a_refusal_with_its_bill() -> None:
    blocked = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7},
        "responseId": "resp-9",
    }
    error = await failure(
        GEMINI, stream(blocked, done=False), prices={GEMINI.model: (1_000_000, 1)}
    )
    assert type(error) is RefusedError
    assert "the prompt is blocked: PROHIBITED_CONTENT" in str(error)
    assert (error.request_id, error.retryable) == ("resp-9", False)
    assert error.usage == Usage(7, 0, Decimal(7), calls=1)


@pytest.mark.parametrize(
    ("service", "finish"),
    [
        (ANTHROPIC, "refusal"),
        (GEMINI, "SAFETY"),
        (GEMINI, "RECITATION"),
        (FAKE_SERVICES[0], "content_filter"),
    ],
)
async def test_a_filtered_answer_is_refused_and_an_empty_one_is_an_error(
    service: FakeService, finish: str
) -> None:
    ended = service.end_events(finish, 3, 2)
    with ModelServer(stream(*service.half(), *ended, done=service.done)) as server:
        response = await ask(service, server)
    assert (response.content, response.finish_reason) == ("half", "refused")
    error = await failure(service, stream(*service.start_events(), *ended, done=service.done))
    assert type(error) is RefusedError
    assert finish in str(error)
    assert (error.usage.input_tokens, error.usage.output_tokens) == (3, 2)


async def test_a_refusals_explanation_is_reported() -> None:
    ended = ANTHROPIC.end_events("refusal", 3, 0)
    ended[0]["delta"]["stop_details"] = {
        "type": "refusal", "category": "bio", "explanation": "It is about toxins.",
    }  # fmt: skip
    error = await failure(ANTHROPIC, stream(*ANTHROPIC.start_events(), *ended, done=False))
    assert "refused to answer (It is about toxins.)" in str(error)


async def test_a_malformed_function_call_is_retryable() -> None:
    handler = stream(*GEMINI.end_events("MALFORMED_FUNCTION_CALL", 3, 2), done=False)
    error = await failure(GEMINI, handler)
    assert type(error) is MalformedReplyError
    assert "'MALFORMED_FUNCTION_CALL'" in str(error)
    assert error.retryable


async def test_every_kind_of_token_is_counted_and_priced() -> None:
    events = ANTHROPIC.start_events()
    events[0]["message"]["usage"] |= {
        "input_tokens": 10, "cache_read_input_tokens": 1_000, "cache_creation_input_tokens": 500,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 400},
    }  # fmt: skip
    events.append(ANTHROPIC.text_event("x"))
    ended = ANTHROPIC.end_events("stop", 10, 30)
    ended[0]["usage"]["output_tokens_details"] = {"thinking_tokens": 20}
    with ModelServer(stream(*events, *ended, done=False)) as server:
        response = await ask(ANTHROPIC, server, price_service="anthropic")
    assert (response.usage.input_tokens, response.usage.output_tokens) == (1_510, 30)
    assert (response.cached_tokens, response.reasoning_tokens) == (1_000, 20)
    # claude-haiku-4-5: 1 in, 5 out, 0.10 read, 1.25 and 2 written, dollars per million.
    micro = 10 * 1 + 1_000 * Decimal("0.1") + 100 * Decimal("1.25") + 400 * 2 + 30 * 5
    assert response.usage.cost_usd == micro / 1_000_000


async def test_geminis_thoughts_are_output_and_its_cache_is_input() -> None:
    ended = GEMINI.end_events("stop", 0, 0)
    ended[0]["usageMetadata"] = {
        "promptTokenCount": 100, "cachedContentTokenCount": 60, "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 10, "thoughtsTokenCount": 40, "totalTokenCount": 155,
    }  # fmt: skip
    thought = GEMINI.text_event("hidden")
    thought["candidates"][0]["content"]["parts"][0]["thought"] = True
    with ModelServer(stream(thought, GEMINI.text_event("x"), *ended, done=False)) as server:
        response = await ask(GEMINI, server)
    assert response.content == "x"
    assert (response.usage.input_tokens, response.usage.output_tokens) == (105, 50)
    assert (response.cached_tokens, response.reasoning_tokens) == (60, 40)


async def test_a_final_v1_in_anthropics_address_is_ignored() -> None:
    with ModelServer(ANTHROPIC.answers()) as server:
        await ask(ANTHROPIC, server.url)
        await ask(ANTHROPIC, server.url.removesuffix("/v1"))
    assert [request.path for request in server.requests] == ["/v1/messages", "/v1/messages"]
    assert server.requests[0].headers["anthropic-version"] == "2023-06-01"
