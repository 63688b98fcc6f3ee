from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dagorch.models.llm import LLMRequest, Message, ToolCall
from dagorch.providers.openai_wire import (
    EventLines,
    ReplyBuilder,
    WireError,
    encode,
    request_body,
)

HI = (Message("user", "Hi"),)


@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\r\n")).map(lambda t: f"x{t}")),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(0, 10_000)),
)
def test_events_are_the_same_wherever_the_bytes_are_cut(
    texts: list[str], newline: str, cuts: list[int]
) -> None:
    body = "".join(f"data: {text}{newline}{newline}" for text in texts).encode()
    ends = sorted({cut % (len(body) + 1) for cut in cuts} | {0, len(body)})
    lines = EventLines()
    found = [data for start, end in pairwise(ends) for data in lines.feed(body[start:end])]
    assert [*found, *lines.end()] == texts


def test_data_of_several_lines_and_a_last_event_without_its_empty_line() -> None:
    lines = EventLines()
    assert list(lines.feed(b'data: {"a":\ndata: 1}\n\nevent: x\n\ndata:last')) == ['{"a":\n1}']
    assert list(lines.end()) == ["last"]


def test_an_event_without_end_is_refused() -> None:
    with pytest.raises(WireError):
        list(EventLines().feed(b"x" * 4_000_001))


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
def test_strict_only_where_the_service_takes_the_schema(
    model: type[BaseModel], strict: bool
) -> None:
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
def test_the_bound_on_output_goes_by_the_name_that_the_model_takes(model: str, name: str) -> None:
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


def test_bytes_are_utf8_and_survive_half_a_surrogate() -> None:
    assert encode({"a": "ü"}) == '{"a":"ü"}'.encode()
    assert encode({"a": "\ud800"})


def built(*chunks: dict[str, Any]) -> ReplyBuilder:
    builder = ReplyBuilder(lambda _: None)
    for chunk in chunks:
        assert builder.feed(json.dumps(chunk)) is None
    return builder


def test_only_the_first_of_several_choices_is_read() -> None:
    builder = built(
        {
            "choices": [
                {"index": 0, "delta": {"content": "a"}},
                {"index": 1, "delta": {"content": "b"}},
            ]
        }
    )
    assert builder.content == "a"
    assert not builder.is_whole


def test_stop_with_tool_calls_means_tool_calls() -> None:
    call = {"id": "a", "function": {"name": "look", "arguments": "{}"}}
    choice = {"delta": {"tool_calls": [call]}, "finish_reason": "stop"}
    assert built({"choices": [choice]}).finish_reason == "tool_calls"
