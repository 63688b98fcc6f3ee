from __future__ import annotations

from typing import Any

import pytest

from dagorch.errors import DefinitionError
from dagorch.models.llm import LLMRequest, Message, ToolCall, ToolSpec
from dagorch.models.messages import build_request, parse_messages

USER = {"role": "user", "content": "Hi"}
CALL = {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"x": 1}'}}


def test_dicts_and_messages_mix() -> None:
    parsed = parse_messages(
        [
            {"role": "developer", "content": "Be brief."},
            Message("user", "Hi"),
            {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None},
            {"role": "tool", "tool_call_id": "a", "content": "seen"},
            {"role": "tool", "tool_call_id": "b", "content": "no such place", "is_error": True},
        ]
    )
    assert parsed == (
        Message("system", "Be brief."),
        Message("user", "Hi"),
        Message("assistant", "", tool_calls=(ToolCall("a", "look", '{"x": 1}'),)),
        Message("tool", "seen", tool_call_id="a"),
        Message("tool", "no such place", tool_call_id="b", is_error=True),
    )


def test_parts_become_text_and_images() -> None:
    content = [
        {"type": "text", "text": "one"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "text", "text": "two"},
        {"type": "image_url", "image_url": "https://example.org/b.png"},
    ]
    (message,) = parse_messages([{"role": "user", "content": content}])
    assert message.content == "one\ntwo"
    assert message.images == ("data:image/png;base64,AA==", "https://example.org/b.png")


def test_arguments_passed_as_an_object_become_text() -> None:
    call = {"id": "a", "function": {"name": "look", "arguments": {"ü": 1}}}
    (message,) = parse_messages([{"role": "assistant", "tool_calls": [call]}])
    assert message.tool_calls[0].arguments == '{"ü": 1}'


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ("Hi", "messages is a str; pass a list"),
        (USER, "messages is a dict"),
        (None, "messages is a NoneType"),
        ([], "messages is empty"),
        ([USER, "Hi"], r"messages\[1\] is a str"),
        ([{"content": "Hi"}], r"messages\[0\] has no 'role'"),
        ([{"role": "usr", "content": "Hi"}], "did you mean 'user'"),
        ([{"role": "user"}], "has no 'content'"),
        ([{"role": "user", "contents": "Hi"}], "did you mean 'content'"),
        ([{"role": "user", "content": 5}], r"content is a int; pass text or a list"),
        ([{"role": "user", "content": [{"type": "audio"}]}], r"content\[0\] is neither"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": "cat.png"}]}],
            "https: or data: URL",
        ),
        ([{**USER, "tool_calls": [CALL]}], "but its role is not 'assistant'"),
        ([{"role": "assistant", "tool_calls": [{"id": "a"}]}], r"tool_calls\[0\] is not"),
        ([{"role": "tool", "content": "x"}], "no 'tool_call_id'"),
        ([{**USER, "tool_call_id": "a"}], "tool_call_id, but its role is not 'tool'"),
        ([{**USER, "is_error": True}], "has is_error, but its role is not 'tool'"),
    ],
)
def test_a_malformed_message_is_named(messages: Any, words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        parse_messages(messages)


def test_options_become_the_request() -> None:
    tool = ToolSpec("look", "Looks.", {})
    options = {"max_tokens": 5, "stop": "END", "tools": [tool], "extra": {"top_p": 1}}
    assert build_request([USER], None, options) == LLMRequest(
        (Message("user", "Hi"),), max_tokens=5, stop=("END",), tools=(tool,), extra={"top_p": 1}
    )


def test_options_that_are_none_are_absent() -> None:
    options = dict.fromkeys(("max_tokens", "temperature", "stop", "tools", "extra", "json_schema"))
    assert build_request([USER], "m", options) == LLMRequest((Message("user", "Hi"),), model="m")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_token": 5}, "did you mean 'max_tokens'"),
        ({"top_p": 0.5}, "extra={'top_p': ...}"),
        ({"max_tokens": 0}, "at least 1"),
        ({"max_tokens": "many"}, "a whole number"),
        ({"tools": [{"type": "function"}]}, "pass ToolSpec objects"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        build_request([USER], None, options)
