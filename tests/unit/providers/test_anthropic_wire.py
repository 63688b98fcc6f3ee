from __future__ import annotations

import json
from typing import Any

import pytest

from dagorch.models.llm import LLMRequest, Message, Thought, ToolCall, ToolSpec
from dagorch.providers.anthropic_wire import AnthropicReplyParser, request_body

HI = (Message("user", "Hi"),)
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def body(*messages: Message, model: str = "claude-haiku-4-5", **options: Any) -> dict[str, Any]:
    limit = options.pop("limit", None)
    return request_body(LLMRequest(messages or HI, **options), model, limit)


def test_every_field_of_a_request() -> None:
    found = body(
        Message("system", "Be brief."),
        Message("user", "What is it?", images=("data:image/png;base64,iVBOR", "https://e.org/a")),
        max_tokens=5,
        temperature=0.0,
        stop=("END",),
        json_schema=SCHEMA,
        tools=(ToolSpec("look", "Looks.", {"type": "object", "properties": {}}),),
        extra={"top_k": 5, "stream": False, "output_config": {"effort": "low"}},
    )
    image = {"type": "base64", "media_type": "image/png", "data": "iVBOR"}
    assert found == {
        "model": "claude-haiku-4-5",
        "max_tokens": 5,
        "system": "Be brief.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image", "source": image},
                    {"type": "image", "source": {"type": "url", "url": "https://e.org/a"}},
                ],
            }
        ],
        "temperature": 0.0,
        "stop_sequences": ["END"],
        "output_config": {
            "format": {
                "type": "json_schema",
                "schema": {**SCHEMA, "additionalProperties": False},
            },
            "effort": "low",
        },
        "tools": [
            {
                "name": "look",
                "description": "Looks.",
                "input_schema": {"type": "object", "properties": {}},
            }
        ],
        "top_k": 5,
        "stream": True,
    }


@pytest.mark.parametrize(
    ("max_tokens", "limit", "model", "sent"),
    [
        (7, 8_192, "claude-haiku-4-5", 7),
        (None, 8_192, "claude-3-5-haiku-latest", 8_192),
        (None, None, "claude-opus-9", 32_000),
        (None, None, "smollm2", 8_192),
    ],
)
def test_there_is_always_a_bound_on_output(
    max_tokens: int | None, limit: int | None, model: str, sent: int
) -> None:
    assert body(model=model, max_tokens=max_tokens, limit=limit)["max_tokens"] == sent


def test_the_results_of_parallel_calls_are_in_one_turn() -> None:
    found = body(
        Message("user", "Hi"),
        Message(
            "assistant",
            "",
            tool_calls=(ToolCall("a.1", "look", '{"x": 1}'), ToolCall("b", "find", "{broken")),
            thoughts=(Thought("Hm.", "signed"), Thought("c2VjcmV0", hidden=True)),
        ),
        Message("tool", "seen", tool_call_id="a.1"),
        Message("tool", "error: none", tool_call_id="b", is_error=True),
        Message("user", "Well?"),
    )
    broken = {"INVALID_JSON": "{broken"}
    assert found["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "signed"},
                {"type": "redacted_thinking", "data": "c2VjcmV0"},
                {"type": "tool_use", "id": "a_1", "name": "look", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "find", "input": broken},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a_1", "content": "seen"},
                {
                    "type": "tool_result",
                    "tool_use_id": "b",
                    "content": "error: none",
                    "is_error": True,
                },
                {"type": "text", "text": "Well?"},
            ],
        },
    ]


def test_empty_turns_are_left_out_and_system_messages_are_joined() -> None:
    found = body(
        Message("system", "One."),
        Message("user", "Hi"),
        Message("assistant", " "),
        Message("system", "Two."),
        Message("system", ""),
        Message("user", "Still there?"),
    )
    texts = [{"type": "text", "text": text} for text in ("Hi", "Still there?")]
    assert found["messages"] == [{"role": "user", "content": texts}]
    assert found["system"] == "One.\n\nTwo."


@pytest.mark.parametrize(
    ("model", "structured"),
    [
        ("claude-haiku-4-5", True),
        ("claude-sonnet-4-5-20250929", True),
        ("claude-opus-4-6", True),
        ("claude-sonnet-5-5", True),
        ("claude-opus-4-1-20250805", False),
        ("claude-sonnet-4-20250514", False),
        ("claude-3-7-sonnet-latest", False),
        ("smollm2", False),
    ],
)
def test_a_schema_is_sent_as_structured_output_or_as_an_instruction(
    model: str, structured: bool
) -> None:
    found = body(Message("system", "Be brief."), *HI, model=model, json_schema=SCHEMA)
    assert ("output_config" in found) is structured
    system = found["system"].removeprefix("Be brief.")
    assert (json.dumps(SCHEMA) in system) is not structured


def test_an_unsupported_schema_is_sent_as_an_instruction() -> None:
    free = {"type": "object", "additionalProperties": {"type": "integer"}}
    found = body(json_schema=free)
    assert "output_config" not in found
    assert json.dumps(free) in found["system"]


def parsed(*events: dict[str, Any]) -> AnthropicReplyParser:
    reply = AnthropicReplyParser(lambda _: None)
    for event in events:
        assert reply.feed(json.dumps(event)) is None
    return reply


def test_a_complete_message_from_a_server_without_streaming() -> None:
    reply = parsed(
        {
            "type": "message",
            "id": "msg_1",
            "model": "m",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": ""},
                {"type": "text", "text": "Hello"},
                {"type": "tool_use", "id": "a", "name": "look", "input": {"x": 1}},
            ],
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 3, "output_tokens": 2},
        }
    )
    assert (reply.content, reply.finish_reason, reply.has_usage) == ("Hello", "tool_calls", True)
    assert reply.tool_calls == (ToolCall("a", "look", '{"x": 1}'),)
    assert reply.thoughts == (), "unsigned, so the service would refuse it"


def test_unknown_events_are_ignored() -> None:
    reply = parsed(
        {"type": "ping"},
        {"type": "message_start", "message": {"model": "m"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "new_block"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta"}},
        {"type": "new_event"},
        {"type": "message_delta", "delta": {"stop_reason": "new_reason"}},
    )
    assert (reply.finish_reason, reply.has_usage, reply.done) == ("other", False, False)


def test_counts_that_are_not_repeated_are_kept() -> None:
    reply = parsed(
        {
            "type": "message_start",
            "message": {
                "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 1}
            },
        },
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"input_tokens": None, "output_tokens": 9},
        },
    )
    assert (reply.input_tokens, reply.cached_tokens, reply.output_tokens) == (8, 3, 9)


def test_an_answer_without_a_start_is_empty_and_of_unknown_cost() -> None:
    """As llama.cpp ends a stream whose one token is half a letter."""
    end = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}
    reply = parsed(end | {"usage": {"output_tokens": 1}}, {"type": "message_stop"})
    assert reply.is_complete
    assert (reply.has_answer, reply.content, reply.finish_reason) == (True, "", "length")
    assert (reply.output_tokens, reply.has_usage) == (1, False)
