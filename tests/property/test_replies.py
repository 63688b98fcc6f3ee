"""Anything that a service sends is parsed or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.models.llm import Thought, ToolCall
from dagorch.providers.anthropic_wire import AnthropicReplyParser
from dagorch.providers.dialect import ReplyParser
from dagorch.providers.error_bodies import ErrorBody, parse_error, parse_error_body
from dagorch.providers.gemini_wire import GeminiReplyParser
from dagorch.providers.openai_wire import OpenAIReplyParser
from dagorch.providers.wire import WireError

# Names that the dialects look for, with values of every kind below them.
NAMES = [
    "id", "model", "usage", "choices", "index", "delta", "message", "content", "refusal",
    "finish_reason", "tool_calls", "function", "name", "arguments", "prompt_tokens",
    "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details",
    "cached_tokens", "reasoning_tokens", "error", "object", "type", "content_block", "text",
    "partial_json", "thinking", "signature", "data", "input", "stop_reason", "stop_details",
    "explanation", "input_tokens", "output_tokens", "cache_creation", "candidates", "parts",
    "finishReason", "finishMessage", "functionCall", "args", "thought", "thoughtSignature",
    "promptFeedback", "blockReason", "usageMetadata", "promptTokenCount", "responseId",
    "modelVersion", "details", "retryDelay", "reason", "code", "status", "request_id",
]  # fmt: skip
TYPES = [
    "message_start", "content_block_start", "content_block_delta", "message_delta",
    "message_stop", "message", "text", "tool_use", "thinking", "redacted_thinking",
    "text_delta", "input_json_delta", "thinking_delta", "signature_delta", "ping",
]  # fmt: skip

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([1.5, 1e400, -1e400]),
    st.sampled_from(TYPES),
    st.text(max_size=3),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    ),
    max_leaves=25,
)
events = st.dictionaries(st.sampled_from(NAMES), values, min_size=1, max_size=6)


@pytest.mark.parametrize("kind", [OpenAIReplyParser, AnthropicReplyParser, GeminiReplyParser])
@given(sent=st.lists(events, max_size=5))
def test_the_parser_survives_any_event(kind: type[ReplyParser], sent: list[dict[str, Any]]) -> None:
    texts: list[str] = []
    reply = kind(texts.append)
    for event in sent:
        try:
            error = reply.feed(json.dumps(event))
        except WireError:
            break
        if error is not None:
            assert isinstance(parse_error(error), ErrorBody)
    assert all(isinstance(text, str) for text in texts)
    assert isinstance(reply.content, str)
    assert all(isinstance(call, ToolCall) for call in reply.tool_calls)
    for call in reply.tool_calls:
        assert all(
            isinstance(part, str) for part in (call.id, call.name, call.arguments, call.signature)
        )
    assert all(isinstance(thought, Thought) for thought in reply.thoughts)
    assert reply.finish_reason in ("stop", "length", "tool_calls", "refused", "other")
    assert all(isinstance(text, str) for text in (reply.model, reply.id, reply.finish_details))
    counts = (
        reply.input_tokens, reply.output_tokens, reply.cached_tokens, reply.reasoning_tokens,
        reply.cache_written_tokens, reply.cache_written_1h_tokens,
    )  # fmt: skip
    assert all(isinstance(count, int) and count >= 0 for count in counts)


@given(body=st.one_of(st.binary(max_size=50), values.map(lambda value: json.dumps(value).encode())))
def test_every_error_body_can_be_parsed(body: bytes) -> None:
    error = parse_error_body(body)
    assert isinstance(error.message, str)
    assert isinstance(error.request_id, str)
    assert 400 <= error.status <= 599
    assert error.retry_after_seconds is None or error.retry_after_seconds >= 0
