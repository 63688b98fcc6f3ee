"""Anthropic's Messages: builds request bodies and parses replies; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from dagorch.http.foreign import token_count
from dagorch.models.llm import FinishReason, LLMRequest, Message, Thought
from dagorch.providers.anthropic_schema import to_anthropic_schema
from dagorch.providers.dialect import Dialect, OnText, PartialToolCall, ReplyParser
from dagorch.providers.wire import (
    alternating_turns,
    as_text,
    merge_fields,
    parse_arguments,
    parse_data_url,
    schema_instruction,
)

__all__ = ["ANTHROPIC", "AnthropicReplyParser", "request_body"]

_VERSION: Final = "2023-06-01"
"""
The protocol's version. 2026-10-21 accepts no sampling options, even for models that have them;
everything else that is sent here is the same in both.
"""
_MAX_TOKENS: Final = 32_000
"""Sent if no other limit is known; every Claude since 4 can generate as much."""
_MAX_TOKENS_UNKNOWN_MODEL: Final = 8_192
"""The same, for the models of other servers that speak this dialect."""
_HAS_STRUCTURED_OUTPUTS: Final = re.compile(
    r"claude-(?!2|3|instant|sonnet-4-0|opus-4-[01]\b|(sonnet|opus)-4-2025|fable-5$)"
)
"""Claude from 4.5 on, with one exception."""


def request_body(request: LLMRequest, model: str, limit: int | None = None) -> dict[str, Any]:
    """
    Build the JSON body of a request.

    All system messages go into `system`, in order. Consecutive messages of one side become one
    turn, because the service requires the results of parallel tool calls in one turn.
    `request.extra` may set or replace any field except `stream`.

    Args:
        request: The request.
        model: The service's name for the model.
        limit: The model's known output limit. Sent if the request has no `max_tokens`, because
            the service requires a number.
    """
    default = _MAX_TOKENS if model.startswith("claude-") else _MAX_TOKENS_UNKNOWN_MODEL
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": request.max_tokens or limit or default,
        "messages": alternating_turns(
            request.messages, _blocks, assistant="assistant", key="content"
        ),
    }
    system = [turn.content for turn in request.messages if turn.role == "system"]
    if request.json_schema is not None:
        schema = None
        if _HAS_STRUCTURED_OUTPUTS.match(model):
            schema = to_anthropic_schema(request.json_schema)
        if schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        else:
            system.append(schema_instruction(request.json_schema))
    if system := [text for text in system if text.strip()]:
        body["system"] = "\n\n".join(system)
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if request.tools:
        body["tools"] = [
            {
                "name": tool.name,
                "description": tool.description,
                "input_schema": dict(tool.parameters),
            }
            for tool in request.tools
        ]
    return merge_fields(body, request.extra) | {"stream": True}


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        result: dict[str, Any] = {
            "type": "tool_result",
            "tool_use_id": _valid_id(message.tool_call_id),
            "content": message.content,
        }
        return [result | {"is_error": True} if message.is_error else result]
    blocks = [_thought(thought) for thought in message.thoughts if not thought.field]
    if message.content.strip():
        blocks.append({"type": "text", "text": message.content})
    blocks += [{"type": "image", "source": _image_source(url)} for url in message.images]
    blocks += [
        {
            "type": "tool_use",
            "id": _valid_id(call.id),
            "name": call.name,
            "input": parse_arguments(call),
        }
        for call in message.tool_calls
    ]
    return blocks


def _thought(thought: Thought) -> dict[str, Any]:
    if thought.hidden:
        return {"type": "redacted_thinking", "data": thought.text}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def _image_source(url: str) -> dict[str, str]:
    inline = parse_data_url(url)
    if inline is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": inline[0], "data": inline[1]}


def _valid_id(call_id: str) -> str:
    """Replace characters that the service refuses; another service may have made the id."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call_id)


class AnthropicReplyParser(ReplyParser):
    """Builds an answer from the blocks of a message, or from one complete message."""

    FINISH_REASONS: ClassVar[Mapping[str, FinishReason]] = {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "tool_use": "tool_calls",
        "refusal": "refused",
    }

    def __init__(self, on_text: OnText) -> None:
        super().__init__(on_text)
        self._thinking: dict[int, Thought] = {}
        self._usage: dict[str, Any] = {}

    def _parse_event(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                self._start_message(event["message"])
                self.has_usage = False  # the output is not counted yet
            case "content_block_start":
                self._start_block(event["index"], event["content_block"])
            case "content_block_delta":
                self._extend_block(event["index"], event["delta"])
            case "message_delta":
                # llama.cpp begins with this event when the first token has no text.
                self.has_answer = True
                self._finish_message(event["delta"])
                self._read_usage(event.get("usage"))
            case "message_stop":
                self.done = True
            case "message":
                self._start_message(event)
                for index, block in enumerate(event["content"]):
                    self._start_block(index, block)
                self._finish_message(event)
            case _:
                pass  # `ping`, and events that the service announces it may add

    def _start_message(self, message: Mapping[str, Any]) -> None:
        self.has_answer = True
        self.id = as_text(message.get("id"))
        self.model = as_text(message.get("model"))
        self._read_usage(message.get("usage"))

    def _start_block(self, index: int, block: Mapping[str, Any]) -> None:
        match block["type"]:
            case "text":
                self._add_text(block.get("text"))
            case "tool_use":
                self.calls[int(index)] = PartialToolCall(
                    as_text(block["id"]),
                    as_text(block["name"]),
                    arguments_object=block.get("input"),
                )
            case "thinking":
                text, signature = as_text(block.get("thinking")), as_text(block.get("signature"))
                self._thinking[int(index)] = Thought(text, signature)
            case "redacted_thinking":
                self._thinking[int(index)] = Thought(as_text(block["data"]), hidden=True)
            case _:
                pass

    def _extend_block(self, index: int, delta: Mapping[str, Any]) -> None:
        match delta["type"]:
            case "text_delta":
                self._add_text(delta["text"])
            case "input_json_delta":
                self.calls[index].arguments += delta["partial_json"]
            case "thinking_delta":
                thought = self._thinking[index]
                text = thought.text + delta["thinking"]
                self._thinking[index] = Thought(text, thought.signature)
            case "signature_delta":
                thought = self._thinking[index]
                signature = thought.signature + delta["signature"]
                self._thinking[index] = Thought(thought.text, signature)
            case _:
                pass

    def _finish_message(self, delta: Mapping[str, Any]) -> None:
        self.finish = as_text(delta.get("stop_reason")) or self.finish
        details = delta.get("stop_details") or {}
        explanation = details.get("explanation") or details.get("category")
        self.finish_details = as_text(explanation) or self.finish_details

    def _parse_usage(self, usage: Mapping[str, Any]) -> None:
        """Store the latest total of each count; a count that is missing keeps its value."""
        self._usage |= {name: count for name, count in usage.items() if count is not None}

        def total(name: str) -> int:
            return token_count(self._usage.get(name))

        self.cached_tokens = total("cache_read_input_tokens")
        self.cache_written_tokens = total("cache_creation_input_tokens")
        written = self._usage.get("cache_creation") or {}
        self.cache_written_1h_tokens = token_count(written.get("ephemeral_1h_input_tokens"))
        # The service's `input_tokens` exclude tokens read from or written to a cache.
        self.input_tokens = total("input_tokens") + self.cached_tokens + self.cache_written_tokens
        self.output_tokens = total("output_tokens")
        details = self._usage.get("output_tokens_details") or {}
        self.reasoning_tokens = token_count(details.get("thinking_tokens"))
        if usage.get("output_tokens") is None or "input_tokens" not in self._usage:
            raise ValueError("a count is missing")

    @property
    def thoughts(self) -> tuple[Thought, ...]:
        """The thinking so far; the service refuses it without a signature."""
        thoughts = [thought for _, thought in sorted(self._thinking.items())]
        return tuple(thought for thought in thoughts if thought.signature or thought.hidden)


ANTHROPIC: Final = Dialect(
    name="Anthropic's Messages",
    service="anthropic",
    path=lambda _model: "/v1/messages",
    key_header=lambda key: ("x-api-key", key),
    request_body=request_body,
    bounds=lambda body: (1, body["max_tokens"]),
    reply_parser=AnthropicReplyParser,
    max_image_tokens=5_000,  # documented: 4,784 at the highest resolution
    headers={"anthropic-version": _VERSION},
    base_url_suffix="/v1",
)
