from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from dagorch.models.llm import LLMRequest, Message, Thought, ToolCall
from dagorch.providers.openai_wire import OpenAIReplyParser, request_body

HI = (Message("user", "Hi"),)


class Closed(BaseModel):
    title: str
    parts: list[dict[str, int]] | None


class Optional(BaseModel):
    title: str = ""


class Nested(BaseModel):
    inner: Optional


class Plain(BaseModel):
    title: str
    tags: list[str]


@pytest.mark.parametrize(
    ("model", "strict"), [(Plain, True), (Optional, False), (Nested, False), (Closed, False)]
)
def test_strict_mode_only_for_schemas_that_it_accepts(model: type[BaseModel], strict: bool) -> None:
    schema = model.model_json_schema()
    before = json.dumps(schema)
    sent = request_body(LLMRequest(HI, json_schema=schema), "m")["response_format"]["json_schema"]
    assert sent["strict"] is strict
    assert sent["schema"]["additionalProperties"] is False
    assert json.dumps(schema) == before


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "max_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("openai/gpt-5-mini", "max_completion_tokens"),
        ("grok-3", "max_tokens"),
    ],
)
def test_the_output_bound_has_the_name_that_the_model_accepts(model: str, name: str) -> None:
    body = request_body(LLMRequest(HI, max_tokens=7), model)
    assert [key for key in body if key.startswith("max_")] == [name]
    assert body[name] == 7


def test_a_conversation_with_tools() -> None:
    request = LLMRequest(
        (
            Message("assistant", "", tool_calls=(ToolCall("a", "look", "{}"),)),
            Message("tool", "seen", tool_call_id="a"),
        )
    )
    assert request_body(request, "m")["messages"] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "content": "seen", "tool_call_id": "a"},
    ]


def parsed(*chunks: dict[str, Any]) -> OpenAIReplyParser:
    parser = OpenAIReplyParser(lambda _: None)
    for chunk in chunks:
        assert parser.feed(json.dumps(chunk)) is None
    return parser


@pytest.mark.parametrize("pieces", [["Two ", "tools."], [""]])
def test_reasoning_goes_back_with_the_tool_calls_that_it_led_to(pieces: list[str]) -> None:
    reply = OpenAIReplyParser(lambda text: None)
    for piece in pieces:
        reply.feed(json.dumps({"choices": [{"delta": {"reasoning_content": piece}}]}))
    reply.feed('{"choices": [{"delta": {"content": "Yes.", "reasoning_content": null}}]}')
    assert reply.content == "Yes."
    [thought] = reply.thoughts
    assert thought == Thought("".join(pieces), field="reasoning_content")
    calls = (ToolCall("a", "look", "{}"),)
    signed = Thought("another's", "signed")
    with_call = Message("assistant", "Yes.", tool_calls=calls, thoughts=(thought, signed))
    plain = Message("assistant", "Yes.", thoughts=(thought,))
    with_calls, without = request_body(LLMRequest((with_call, plain)), "m")["messages"]
    assert with_calls["reasoning_content"] == "".join(pieces)
    assert "reasoning_content" not in without


def test_a_model_without_reasoning_gets_none_back() -> None:
    reply = OpenAIReplyParser(lambda text: None)
    reply.feed('{"choices": [{"delta": {"content": "Yes.", "reasoning_content": null}}]}')
    assert reply.thoughts == ()


def test_only_the_first_of_several_choices_is_read() -> None:
    parser = parsed(
        {
            "choices": [
                {"index": 0, "delta": {"content": "a"}},
                {"index": 1, "delta": {"content": "b"}},
            ]
        }
    )
    assert parser.content == "a"
    assert not parser.is_complete


def test_stop_with_tool_calls_means_tool_calls() -> None:
    call = {"id": "a", "function": {"name": "look", "arguments": "{}"}}
    choice = {"delta": {"tool_calls": [call]}, "finish_reason": "stop"}
    assert parsed({"choices": [choice]}).finish_reason == "tool_calls"
