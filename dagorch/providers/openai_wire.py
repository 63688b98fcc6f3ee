"""OpenAI's chat completions as data: request to JSON, events to an answer; no sockets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from dagorch.models.llm import FinishReason, LLMRequest, Message, Thought
from dagorch.providers.dialect import Call, Dialect, OnText, Reply
from dagorch.providers.wire import count_of, text_of

__all__ = ["OPENAI", "OpenAIReply", "request_body"]

_WANTS_COMPLETION_TOKENS: Final = re.compile(r"(.*/)?(o\d|gpt-5)")
"""Models of OpenAI that refuse `max_tokens` and take the same number under its newer name."""

_REASONING: Final = "reasoning_content"
"""
Where DeepSeek, Moonshot, llama.cpp and others put what a model thinks before it answers.

DeepSeek wants it back with the tool calls that it led to, and not elsewhere.
"""


def request_body(request: LLMRequest, model: str, _limit: int | None = None) -> dict[str, Any]:
    """
    Give the JSON object to send.

    `request.extra` may set or replace any field but the ones that make the reply a stream:
    a stream alone can be cancelled at the service, and its silences measured.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
    }
    if request.max_tokens is not None:
        newer = _WANTS_COMPLETION_TOKENS.match(model)
        body["max_completion_tokens" if newer else "max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop"] = list(request.stop)
    if request.json_schema is not None:
        schema = _closed(request.json_schema)
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


def _closed(schema: Any) -> Any:
    """Say of each object that lists its properties that it has no others, unless it says."""
    if isinstance(schema, Mapping):
        closed = {key: _closed(value) for key, value in schema.items()}
        if "properties" in closed and closed.get("type") == "object":
            closed.setdefault("additionalProperties", False)
        return closed
    if isinstance(schema, list | tuple):
        return [_closed(part) for part in schema]
    return schema


def _is_strict(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes the schema: objects closed, no property optional."""
    if isinstance(schema, Mapping):
        if schema.get("type") == "object" and (
            schema.get("additionalProperties") is not False
            or set(schema.get("properties", ())) != set(schema.get("required", ()))
        ):
            return False
        return all(_is_strict(part) for part in schema.values())
    return not isinstance(schema, list) or all(_is_strict(part) for part in schema)


class OpenAIReply(Reply):
    """An answer from chunks, or from one whole completion."""

    FINISH: ClassVar[Mapping[str, FinishReason]] = {
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

    def _error_in(self, event: Mapping[str, Any]) -> Any:
        if "choices" not in event and ("message" in event or event.get("object") == "error"):
            return event.get("error") or event
        return event.get("error")

    def _take(self, event: dict[str, Any]) -> None:
        # Most chunks say once more what is known, and nothing but a piece of text.
        if (said := event.get("id")) != self.id:
            self.id = text_of(said) or self.id
        if (said := event.get("model")) != self.model:
            self.model = text_of(said) or self.model
        if usage := event.get("usage"):
            self._count(usage)
        for choice in event.get("choices") or ():
            if choice.get("index", 0) != 0:
                continue  # `n` in `extra` asks for more answers than a response can hold
            self.has_answer = True
            if (said := choice.get("finish_reason")) is not None:
                self.finish = text_of(said) or self.finish
            delta = choice.get("delta") or choice.get("message") or {}
            if (said := delta.get("content")) is not None:
                self._say(said)
            if (said := delta.get(_REASONING)) is not None:
                self._reasoning = self._reasoning or []
                self._reasoning.append(text_of(said))
            if text := text_of(delta.get("refusal")):
                self._refusals.append(text)
            for position, piece in enumerate(delta.get("tool_calls") or ()):
                call = self.calls.setdefault(int(piece.get("index", position)), Call())
                function = piece.get("function") or {}
                call.id = text_of(piece.get("id")) or call.id
                call.name += text_of(function.get("name"))
                call.arguments += text_of(function.get("arguments"))

    def _count(self, usage: Mapping[str, Any]) -> None:
        self.input_tokens = count_of(usage.get("prompt_tokens"))
        # Some services leave silent reasoning out of completion_tokens, but bill it and have
        # it in the total.
        self.output_tokens = max(
            count_of(usage.get("completion_tokens")),
            count_of(usage.get("total_tokens")) - self.input_tokens,
        )
        read = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        # The other name is DeepSeek's.
        self.cached_tokens = count_of(read or usage.get("prompt_cache_hit_tokens"))
        thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
        self.reasoning_tokens = count_of(thought)
        self.has_usage = True

    @property
    def content(self) -> str:
        """The text so far; a refusal's text where the model gave nothing else."""
        return super().content or "".join(self._refusals)

    @property
    def thoughts(self) -> tuple[Thought, ...]:
        """The reasoning, if the service showed it, were it empty: it may insist on having it."""
        if self._reasoning is None:
            return ()
        return (Thought("".join(self._reasoning), field=_REASONING),)

    @property
    def finish_reason(self) -> FinishReason:
        """Why the answer ended, in dagorch's words."""
        return "refused" if self._refusals else super().finish_reason


def _bounds(body: Mapping[str, Any]) -> tuple[int, int | None]:
    most = body.get("max_completion_tokens", body.get("max_tokens"))
    return int(body.get("n") or 1), most


OPENAI: Final = Dialect(
    name="OpenAI's chat completions",
    service="openai",
    path=lambda _model: "/chat/completions",
    key_header=lambda key: ("authorization", f"Bearer {key}"),
    request_body=request_body,
    bounds=_bounds,
    reply=OpenAIReply,
    image_tokens=50_000,  # gpt-4o-mini makes 48,169 of one of full size
)
