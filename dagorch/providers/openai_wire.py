"""OpenAI's chat completions: builds request bodies and parses replies; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from dagorch.http.foreign import token_count
from dagorch.models.llm import FinishReason, LLMRequest, Message, Thought
from dagorch.providers.dialect import Dialect, OnText, PartialToolCall, ReplyParser
from dagorch.providers.wire import as_text, rewrite_schema, subschemas

__all__ = ["OPENAI", "OpenAIReplyParser", "request_body"]

_RENAMED_MAX_TOKENS: Final = re.compile(r"(.*/)?(o\d|gpt-5)")
"""OpenAI models that accept `max_completion_tokens` only, not `max_tokens`."""

_REASONING_FIELD: Final = "reasoning_content"
"""
The field for reasoning text of DeepSeek, Moonshot, llama.cpp and others.

DeepSeek wants it back with the tool calls that it led to, and in no other message.
"""


def request_body(request: LLMRequest, model: str, _limit: int | None = None) -> dict[str, Any]:
    """
    Build the JSON body of a request.

    `request.extra` may set or replace any field except those that request streaming: only a
    stream can be cancelled at the service, and have its silences measured.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
    }
    if request.max_tokens is not None:
        renamed = _RENAMED_MAX_TOKENS.match(model)
        body["max_completion_tokens" if renamed else "max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop"] = list(request.stop)
    if request.json_schema is not None:
        schema = rewrite_schema(request.json_schema, _close_object)
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": re.sub(r"[^a-zA-Z0-9_-]", "_", request.schema_name)[:64] or "output",
                "schema": schema,
                "strict": _is_strict(schema),
            },
        }
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in request.tools
        ]
    body |= request.extra
    return body | {"stream": True, "stream_options": {"include_usage": True}}


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        text = [{"type": "text", "text": message.content}] if message.content else []
        wire["content"] = text + [
            {"type": "image_url", "image_url": {"url": url}} for url in message.images
        ]
    if message.tool_calls:
        wire["content"] = message.content or None
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
        for thought in message.thoughts:
            if thought.field:
                wire[thought.field] = thought.text
    if message.role == "tool":
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _close_object(schema: dict[str, Any]) -> dict[str, Any]:
    """Forbid properties that an object schema does not list, unless it says otherwise."""
    if "properties" in schema and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    return schema


def _is_strict(schema: Any) -> bool:
    """Return whether OpenAI's strict mode accepts it: objects closed, no property optional."""
    return all(
        part.get("additionalProperties") is False
        and set(part.get("properties", ())) == set(part.get("required", ()))
        for part in subschemas(schema)
        if part.get("type") == "object"
    )


class OpenAIReplyParser(ReplyParser):
    """Builds an answer from chunks, or from one complete reply."""

    FINISH_REASONS: ClassVar[Mapping[str, FinishReason]] = {
        "stop": "stop",
        "end_turn": "stop",
        "eos": "stop",
        "length": "length",
        "max_tokens": "length",
        "tool_calls": "tool_calls",
        "function_call": "tool_calls",
        "content_filter": "refused",
        "refusal": "refused",
    }

    def __init__(self, on_text: OnText) -> None:
        super().__init__(on_text)
        self._refusals: list[str] = []
        self._reasoning: list[str] | None = None

    def _find_error(self, event: Mapping[str, Any]) -> Any:
        if "choices" not in event and ("message" in event or event.get("object") == "error"):
            return event.get("error") or event
        return event.get("error")

    def _parse_event(self, event: dict[str, Any]) -> None:
        # Most chunks repeat known values and add only a piece of text.
        if (value := event.get("id")) != self.id:
            self.id = as_text(value) or self.id
        if (value := event.get("model")) != self.model:
            self.model = as_text(value) or self.model
        if usage := event.get("usage"):
            self._read_usage(usage)
        for choice in event.get("choices") or ():
            if choice.get("index", 0) != 0:
                continue  # `n` in `extra` asks for more answers, but a response holds one
            self.has_answer = True
            if (value := choice.get("finish_reason")) is not None:
                self.finish = as_text(value) or self.finish
            delta = choice.get("delta") or choice.get("message") or {}
            if (value := delta.get("content")) is not None:
                self._add_text(value)
            if (value := delta.get(_REASONING_FIELD)) is not None:
                self._reasoning = self._reasoning or []
                self._reasoning.append(as_text(value))
            if text := as_text(delta.get("refusal")):
                self._refusals.append(text)
            for position, piece in enumerate(delta.get("tool_calls") or ()):
                call = self.calls.setdefault(int(piece.get("index", position)), PartialToolCall())
                function = piece.get("function") or {}
                call.id = as_text(piece.get("id")) or call.id
                call.name += as_text(function.get("name"))
                call.arguments += as_text(function.get("arguments"))

    def _parse_usage(self, usage: Mapping[str, Any]) -> None:
        self.input_tokens = token_count(usage.get("prompt_tokens"))
        # Some services leave hidden reasoning out of completion_tokens, but bill it and include
        # it in the total.
        self.output_tokens = max(
            token_count(usage.get("completion_tokens")),
            token_count(usage.get("total_tokens")) - self.input_tokens,
        )
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        # The other name is DeepSeek's.
        self.cached_tokens = token_count(cached or usage.get("prompt_cache_hit_tokens"))
        reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
        self.reasoning_tokens = token_count(reasoning)

    @property
    def content(self) -> str:
        """The text so far; the refusal if there is no other text."""
        return super().content or "".join(self._refusals)

    @property
    def thoughts(self) -> tuple[Thought, ...]:
        """The reasoning, even if empty: the service may require it back once it has sent it."""
        if self._reasoning is None:
            return ()
        return (Thought("".join(self._reasoning), field=_REASONING_FIELD),)

    @property
    def finish_reason(self) -> FinishReason:
        """Why the answer ended."""
        return "refused" if self._refusals else super().finish_reason


def _bounds(body: Mapping[str, Any]) -> tuple[int, int | None]:
    answers = body.get("n")
    return answers if isinstance(answers, int) else 1, body.get(
        "max_completion_tokens", body.get("max_tokens")
    )


OPENAI: Final = Dialect(
    name="OpenAI's chat completions",
    service="openai",
    path=lambda _model: "/chat/completions",
    key_header=lambda key: ("authorization", f"Bearer {key}"),
    request_body=request_body,
    bounds=_bounds,
    reply_parser=OpenAIReplyParser,
    max_image_tokens=50_000,  # gpt-4o-mini counts 48,169 for one of full size
)
