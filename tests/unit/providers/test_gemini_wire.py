from __future__ import annotations

import json
from typing import Any

import pytest

from dagorch.models.llm import LLMRequest, Message, ToolCall, ToolSpec
from dagorch.providers.gemini_wire import GEMINI, GeminiReplyParser, request_body

HI = (Message("user", "Hi"),)
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "kind": {"const": "a"}},
    "required": ["n"],
}
LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {"x": {"type": "integer"}}})


def body(*messages: Message, model: str = "gemini-2.5-flash", **options: Any) -> dict[str, Any]:
    return request_body(LLMRequest(messages or HI, **options), model)


def test_every_field_of_a_request() -> None:
    found = body(
        Message("system", "Be brief."),
        Message(
            "user", "What is it?", images=("data:image/png;base64,iVBOR", "https://e.org/a.jpg")
        ),
        max_tokens=5,
        temperature=0.0,
        stop=("END",),
        json_schema=SCHEMA,
        extra={"generationConfig": {"topP": 0.5}, "safetySettings": []},
    )
    file = {"fileUri": "https://e.org/a.jpg", "mimeType": "image/jpeg"}
    assert found == {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "What is it?"},
                    {"inlineData": {"mimeType": "image/png", "data": "iVBOR"}},
                    {"fileData": file},
                ],
            }
        ],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {
            "maxOutputTokens": 5,
            "temperature": 0.0,
            "stopSequences": ["END"],
            "responseMimeType": "application/json",
            "responseJsonSchema": {
                **SCHEMA,
                "properties": {"n": {"type": "integer"}, "kind": {"enum": ["a"]}},
            },
            "topP": 0.5,
        },
        "safetySettings": [],
    }


def test_the_results_of_parallel_calls_are_in_one_turn_and_name_their_function() -> None:
    found = body(
        Message("user", "Hi"),
        Message(
            "assistant",
            "Let me see.",
            tool_calls=(ToolCall("a", "look", '{"x": 1}', "c2ln"), ToolCall("b", "find", "")),
        ),
        Message("tool", "seen", tool_call_id="a"),
        Message("tool", "none", tool_call_id="b", is_error=True),
        Message("assistant", ""),
        Message("user", "Well?"),
    )
    assert found["contents"][1:] == [
        {
            "role": "model",
            "parts": [
                {"text": "Let me see."},
                {
                    "functionCall": {"id": "a", "name": "look", "args": {"x": 1}},
                    "thoughtSignature": "c2ln",
                },
                {"functionCall": {"id": "b", "name": "find", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "a", "name": "look", "response": {"output": "seen"}}},
                {"functionResponse": {"id": "b", "name": "find", "response": {"error": "none"}}},
                {"text": "Well?"},
            ],
        },
    ]


def test_a_function_without_parameters_declares_none() -> None:
    now = ToolSpec("now", "Tells the time.", {"type": "object", "properties": {}})
    assert body(tools=(LOOK, now))["tools"] == [
        {
            "functionDeclarations": [
                {"name": "look", "description": "Looks.", "parametersJsonSchema": LOOK.parameters},
                {"name": "now", "description": "Tells the time."},
            ]
        }
    ]


@pytest.mark.parametrize(
    ("model", "structured"),
    [
        ("gemini-2.5-flash", False),
        ("gemini-1.5-pro", False),
        ("gemini-3-pro-preview", True),
        ("gemini-flash-latest", True),
    ],
)
def test_older_models_with_tools_get_the_schema_as_an_instruction(
    model: str, structured: bool
) -> None:
    both = body(model=model, json_schema=SCHEMA, tools=(LOOK,))
    assert ("generationConfig" in both) is structured
    assert ("systemInstruction" in both) is not structured
    assert "responseJsonSchema" in body(model=model, json_schema=SCHEMA)["generationConfig"]


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-flash", "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        ("models/gemini-2.5-flash", "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        ("tunedModels/mine", "/tunedModels/mine:streamGenerateContent?alt=sse"),
        ("a?key=b", "/models/a%3Fkey%3Db:streamGenerateContent?alt=sse"),
    ],
)
def test_the_model_is_in_the_path(model: str, path: str) -> None:
    assert GEMINI.path(model) == path


def test_bounds_are_read_from_the_body() -> None:
    config = {"candidateCount": 3}
    assert GEMINI.bounds(body(max_tokens=5, extra={"generationConfig": config})) == (3, 5)
    assert GEMINI.bounds(body()) == (1, None)


def parsed(*events: dict[str, Any]) -> GeminiReplyParser:
    reply = GeminiReplyParser(lambda _: None)
    for event in events:
        assert reply.feed(json.dumps(event)) is None
    return reply


def test_only_the_first_candidate_is_read() -> None:
    reply = parsed(
        {
            "candidates": [
                {"content": {"parts": [{"text": "a"}]}},
                {"index": 1, "content": {"parts": [{"text": "b"}]}, "finishReason": "STOP"},
            ]
        }
    )
    assert reply.content == "a"
    assert not reply.is_complete


def test_tokens_that_only_the_total_has_are_output() -> None:
    reply = parsed({"usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 12}})
    assert (reply.input_tokens, reply.output_tokens) == (5, 7)


def test_a_complete_reply_without_streaming() -> None:
    call = {"functionCall": {"name": "look", "args": {"x": 1}}}
    reply = parsed(
        {
            "candidates": [{"content": {"parts": [{"text": "a"}, call]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2},
        }
    )
    assert (reply.content, reply.finish_reason, reply.is_complete) == ("a", "tool_calls", True)
    assert reply.tool_calls[0].id.startswith("call_")
    assert reply.tool_calls == reply.tool_calls, "a generated id is kept"
