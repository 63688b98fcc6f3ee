"""Anthropic's Messages as data: request to JSON, events to an answer; no sockets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from dagorch.models.llm import FinishReason, LLMRequest, Message, Thought
from dagorch.providers.anthropic_schema import narrowed
from dagorch.providers.dialect import Call, Dialect, OnText, Reply
from dagorch.providers.wire import (
    arguments_of,
    count_of,
    inline_image,
    instruction,
    merged,
    text_of,
    turns,
)

__all__ = ["ANTHROPIC", "AnthropicReply", "request_body"]

_VERSION: Final = "2023-06-01"
"""
Of the protocol. 2026-10-21 takes no sampling options, also for models that know them; all else
that is sent here has the same shape in both.
"""
_MAX_TOKENS: Final = 32_000
"""Sent where neither the user nor the price table says; every Claude since 4 writes as much."""
_MAX_TOKENS_OF_OTHERS: Final = 8_192
"""The same, for models that other servers offer in this dialect."""
_HELD_TO_A_SCHEMA: Final = re.compile(
    r"claude-(?!2|3|instant|sonnet-4-0|opus-4-[01]\b|(sonnet|opus)-4-2025|fable-5$)"
)
"""Models with structured outputs: Claude from 4.5 on, with one exception."""


def request_body(request: LLMRequest, model: str, limit: int | None = None) -> dict[str, Any]:
    """
    Give the JSON object to send.

    Every system turn goes into `system`, in order. Turns of one side that follow each other
    become one, so the results of parallel calls stand together, as the service demands.
    `request.extra` may set or replace any field but `stream`.

    Args:
        request: What to ask.
        model: As the service calls it.
        limit: The most that the model writes; sent where the request has no `max_tokens`, as
            the service demands a number.
    """
    default = _MAX_TOKENS if model.startswith("claude-") else _MAX_TOKENS_OF_OTHERS
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": request.max_tokens or limit or default,
        "messages": turns(request.messages, _blocks, assistant="assistant", key="content"),
    }
    system = [turn.content for turn in request.messages if turn.role == "system"]
    if request.json_schema is not None:
        schema = narrowed(request.json_schema) if _HELD_TO_A_SCHEMA.match(model) else None
        if schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        else:
            system.append(instruction(request.json_schema))
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
    return merged(body, request.extra) | {"stream": True}


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        result: dict[str, Any] = {
            "type": "tool_result",
            "tool_use_id": _id(message.tool_call_id),
            "content": message.content,
        }
        return [result | {"is_error": True} if message.is_error else result]
    blocks = [_thought(thought) for thought in message.thoughts if not thought.field]
    if message.content.strip():
        blocks.append({"type": "text", "text": message.content})
    blocks += [{"type": "image", "source": _source(url)} for url in message.images]
    blocks += [
        {
            "type": "tool_use",
            "id": _id(call.id),
            "name": call.name,
            "input": arguments_of(call),
        }
        for call in message.tool_calls
    ]
    return blocks


def _thought(thought: Thought) -> dict[str, Any]:
    if thought.hidden:
        return {"type": "redacted_thinking", "data": thought.text}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def _source(url: str) -> dict[str, str]:
    inline = inline_image(url)
    if inline is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": inline[0], "data": inline[1]}


def _id(call_id: str) -> str:
    """Give a call's id in the letters that the service takes; another service may have made it."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call_id)


class AnthropicReply(Reply):
    """An answer from a message's blocks as they come, or from one whole message."""

    FINISH: ClassVar[Mapping[str, FinishReason]] = {
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
        self._counts: dict[str, Any] = {}

    def _take(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                self._open(event["message"])
            case "content_block_start":
                self._block(event["index"], event["content_block"])
            case "content_block_delta":
                self._piece(event["index"], event["delta"])
            case "message_delta":
                # llama.cpp begins with this one where a token gave no text.
                self.has_answer = True
                self._end(event["delta"])
                counts = event.get("usage") or {}
                self._count(counts)
                self.has_usage = "output_tokens" in counts and "input_tokens" in self._counts
            case "message_stop":
                self.done = True
            case "message":
                self._open(event)
                for index, block in enumerate(event["content"]):
                    self._block(index, block)
                self._end(event)
                self.has_usage = "usage" in event
            case _:
                pass  # `ping`, and what the service may add, as it says it will

    def _open(self, message: Mapping[str, Any]) -> None:
        self.has_answer = True
        self.id = text_of(message.get("id"))
        self.model = text_of(message.get("model"))
        self._count(message.get("usage") or {})

    def _block(self, index: int, block: Mapping[str, Any]) -> None:
        match block["type"]:
            case "text":
                self._say(block.get("text"))
            case "tool_use":
                self.calls[int(index)] = Call(
                    text_of(block["id"]), text_of(block["name"]), whole=block.get("input")
                )
            case "thinking":
                text, signature = text_of(block.get("thinking")), text_of(block.get("signature"))
                self._thinking[int(index)] = Thought(text, signature)
            case "redacted_thinking":
                self._thinking[int(index)] = Thought(text_of(block["data"]), hidden=True)
            case _:
                pass

    def _piece(self, index: int, delta: Mapping[str, Any]) -> None:
        match delta["type"]:
            case "text_delta":
                self._say(delta["text"])
            case "input_json_delta":
                self.calls[index].arguments += delta["partial_json"]
            case "thinking_delta":
                known = self._thinking[index]
                self._thinking[index] = Thought(known.text + delta["thinking"], known.signature)
            case "signature_delta":
                known = self._thinking[index]
                self._thinking[index] = Thought(known.text, known.signature + delta["signature"])
            case _:
                pass

    def _end(self, delta: Mapping[str, Any]) -> None:
        self.finish = text_of(delta.get("stop_reason")) or self.finish
        details = delta.get("stop_details") or {}
        because = details.get("explanation") or details.get("category")
        self.because = text_of(because) or self.because

    def _count(self, usage: Mapping[str, Any]) -> None:
        """Take counts, each the latest total of its kind; those not given stay as they were."""
        self._counts |= {name: count for name, count in usage.items() if count is not None}

        def total(name: str) -> int:
            return count_of(self._counts.get(name))

        self.cached_tokens = total("cache_read_input_tokens")
        self.cache_written_tokens = total("cache_creation_input_tokens")
        written = self._counts.get("cache_creation") or {}
        self.cache_written_1h_tokens = count_of(written.get("ephemeral_1h_input_tokens"))
        # Its `input_tokens` are those that no cache had to do with.
        self.input_tokens = total("input_tokens") + self.cached_tokens + self.cache_written_tokens
        self.output_tokens = total("output_tokens")
        details = self._counts.get("output_tokens_details") or {}
        self.reasoning_tokens = count_of(details.get("thinking_tokens"))

    @property
    def thoughts(self) -> tuple[Thought, ...]:
        """The thinking so far; without a signature the service would refuse it."""
        known = [thought for _, thought in sorted(self._thinking.items())]
        return tuple(thought for thought in known if thought.signature or thought.hidden)


ANTHROPIC: Final = Dialect(
    name="Anthropic's Messages",
    service="anthropic",
    path=lambda _model: "/v1/messages",
    key_header=lambda key: ("x-api-key", key),
    request_body=request_body,
    bounds=lambda body: (1, body["max_tokens"]),
    reply=AnthropicReply,
    image_tokens=5_000,  # its page says 4,784 for the sharpest that a model sees
    headers={"anthropic-version": _VERSION},
    address_end="/v1",
)
