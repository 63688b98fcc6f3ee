"""
The types of the official SDKs: they validate our request bodies, and build replies for us.

Only the SDKs' types are used, never their clients.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anthropic.types import RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from google.genai import types as google
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from pydantic import BaseModel, TypeAdapter

from tests.fake_services import FunctionCall

OPENAI_REQUEST = TypeAdapter(CompletionCreateParamsStreaming)
ANTHROPIC_REQUEST = TypeAdapter(MessageCreateParamsStreaming)
ANTHROPIC_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)

GOOGLE_PARTS: Mapping[str, TypeAdapter[Any]] = {
    "contents": TypeAdapter(list[google.Content]),
    "systemInstruction": TypeAdapter(google.Content),
    "tools": TypeAdapter(list[google.Tool]),
    "generationConfig": TypeAdapter(google.GenerationConfig),
}
SAMPLING = frozenset({"temperature"})
"""
Fields that the service accepts but Anthropic's types lack. The types describe version 2026-10-21
of the protocol; dagorch speaks 2023-06-01.
"""


def check_request(dialect: str, body: Mapping[str, Any]) -> None:
    """Raise unless the SDK's types accept every field of `body`."""
    if dialect == "openai":
        assert plain(OPENAI_REQUEST.validate_python(body)) == body
    elif dialect == "anthropic":
        known = {name: value for name, value in body.items() if name not in SAMPLING}
        assert plain(ANTHROPIC_REQUEST.validate_python(known)) == known
    else:
        for name, value in body.items():  # Google's models refuse unknown fields
            GOOGLE_PARTS[name].validate_json(json.dumps(value))


def plain(value: Any) -> Any:
    """
    Evaluate what was validated: pydantic validates an Iterable only when it is iterated.

    A typed dict drops unknown fields, so the result then differs from the body.
    """
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple) or (
        hasattr(value, "__next__") and not isinstance(value, str | bytes)
    ):
        return [plain(inner) for inner in value]
    return value


def dumped(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def openai_events(
    texts: Sequence[str], calls: Sequence[FunctionCall], finish: str, counts: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    def chunk(**fields: Any) -> dict[str, Any]:
        base = {"id": "c1", "created": 1, "model": "m-1", "object": "chat.completion.chunk"}
        return dumped(ChatCompletionChunk.model_validate({"choices": [], **base, **fields}))

    def choice(delta: dict[str, Any], end: str | None = None) -> dict[str, Any]:
        return chunk(choices=[{"index": 0, "delta": delta, "finish_reason": end}])

    yield choice({"role": "assistant", "content": ""})
    for text in texts:
        yield choice({"content": text})
    for index, call in enumerate(calls):
        arguments = json.dumps(call.arguments)
        head = {"name": call.name, "arguments": ""}
        start = {"index": index, "id": call.id, "type": "function", "function": head}
        yield choice({"tool_calls": [start]})
        yield choice({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]})
    yield choice({}, finish)
    yield chunk(
        usage={
            "prompt_tokens": counts["input"],
            "completion_tokens": counts["output"],
            "total_tokens": counts["input"] + counts["output"],
            "prompt_tokens_details": {"cached_tokens": counts["cached"]},
            "completion_tokens_details": {"reasoning_tokens": counts["reasoning"]},
        }
    )


def anthropic_events(
    texts: Sequence[str], calls: Sequence[FunctionCall], finish: str, counts: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    def event(**fields: Any) -> dict[str, Any]:
        return dumped(ANTHROPIC_EVENT.validate_python(fields))

    fresh = counts["input"] - counts["cached"]
    usage = {
        "input_tokens": fresh,
        "cache_read_input_tokens": counts["cached"],
        "cache_creation_input_tokens": 0,
        "output_tokens": 1,
    }
    message = {
        "id": "c1", "type": "message", "role": "assistant", "model": "m-1", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    yield event(type="message_start", message=message)
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if texts:
        block = {"type": "text", "text": "", "citations": None}
        blocks.append((block, [{"type": "text_delta", "text": text} for text in texts]))
    for call in calls:
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        piece = {"type": "input_json_delta", "partial_json": json.dumps(call.arguments)}
        blocks.append((block, [piece]))
    for index, (block, pieces) in enumerate(blocks):
        yield event(type="content_block_start", index=index, content_block=block)
        for piece in pieces:
            yield event(type="content_block_delta", index=index, delta=piece)
        yield event(type="content_block_stop", index=index)
    yield event(
        type="message_delta",
        delta={"stop_reason": finish, "stop_sequence": None},
        usage={
            "output_tokens": counts["output"],
            "output_tokens_details": {"thinking_tokens": counts["reasoning"]},
        },
    )
    yield event(type="message_stop")


def gemini_events(
    texts: Sequence[str], calls: Sequence[FunctionCall], finish: str, counts: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    def chunk(parts: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        candidate = {"index": 0, "content": {"role": "model", "parts": parts}}
        if "finishReason" in fields:
            candidate["finishReason"] = fields.pop("finishReason")
        reply = {"candidates": [candidate], "modelVersion": "m-1", "responseId": "c1", **fields}
        return dumped(google.GenerateContentResponse.model_validate(reply))

    for text in texts:
        yield chunk([{"text": text}])
    if calls:
        yield chunk(
            [
                {
                    "functionCall": {"id": call.id, "name": call.name, "args": call.arguments},
                    "thoughtSignature": "c2lnbmVk",
                }
                for call in calls
            ]
        )
    yield chunk(
        [{"text": ""}],
        finishReason=finish,
        usageMetadata={
            "promptTokenCount": counts["input"],
            "cachedContentTokenCount": counts["cached"],
            "candidatesTokenCount": counts["output"] - counts["reasoning"],
            "thoughtsTokenCount": counts["reasoning"],
            "totalTokenCount": counts["input"] + counts["output"],
        },
    )


EVENTS = {"openai": openai_events, "anthropic": anthropic_events, "gemini": gemini_events}
ENDS = {
    "openai": {
        "stop": "stop", "length": "length", "tool_calls": "tool_calls",
        "refused": "content_filter",
    },
    "anthropic": {
        "stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "refused": "refusal",
    },
    "gemini": {
        "stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "refused": "SAFETY",
    },
}  # fmt: skip
