"""OpenAI's chat completions as data: request to JSON, events to an answer; no sockets."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dagorch.models.llm import FinishReason, LLMRequest, Message, ToolCall

__all__ = ["EventLines", "ReplyBuilder", "WireError", "encode", "request_body"]

_MOST_EVENT_CHARS = 4_000_000
"""No single event is that long; a service that sends one without end must not fill the memory."""

_WANTS_COMPLETION_TOKENS = re.compile(r"(.*/)?(o\d|gpt-5)")
"""Models of OpenAI that refuse `max_tokens` and take the same number under its newer name."""

_FINISH: Mapping[str, FinishReason] = {
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


class WireError(Exception):
    """What came is not what the protocol promises; told to the user by whoever knows the key."""

    def __init__(self, found: str, text: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.text = text
        """As it came: whole, since a key that is cut in two is no longer recognised."""


def request_body(request: LLMRequest, model: str) -> dict[str, Any]:
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


def encode(body: Mapping[str, Any]) -> bytes:
    """Give the bytes of a JSON object, in UTF-8 and without blanks."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


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


class EventLines:
    """Server-sent events out of bytes that are cut anywhere; gives each event's data."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[str]:
        """
        Take the next bytes and give the data of each event that they complete.

        Raises:
            WireError: An event is too long to be one.
        """
        self._rest += self._decoder.decode(chunk)
        *lines, self._rest = re.split(r"\r\n|\n|\r(?=.)", self._rest, flags=re.DOTALL)
        for line in lines:
            yield from self._line(line)
        if len(self._rest) + sum(map(len, self._data)) > _MOST_EVENT_CHARS:
            raise WireError("an event of more than four million characters")

    def end(self) -> Iterator[str]:
        """Give the data of a last event that lacks its empty line."""
        yield from self._line(self._rest.rstrip("\r"))
        yield from self._line("")

    def _line(self, line: str) -> Iterator[str]:
        if not line:
            if self._data:
                yield "\n".join(self._data)
            self._data = []
        # Some servers name a failure's field `error`, as llama.cpp did for years.
        elif (name := line.partition(":")[0]) in ("data", "error"):
            self._data.append(line[len(name) + 1 :].removeprefix(" "))


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class ReplyBuilder:
    """
    Puts an answer together from its chunks.

    A whole completion, which a server sends that knows no streaming, counts as one chunk.
    """

    on_text: Callable[[str], None]
    done: bool = False
    """The service said that nothing more comes."""
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    has_usage: bool = False
    finish: str = ""
    _texts: list[str] = field(default_factory=list)
    _refusals: list[str] = field(default_factory=list)
    _calls: dict[int, _Call] = field(default_factory=dict)
    _has_choice: bool = False

    def feed(self, data: str) -> Mapping[str, Any] | str | None:
        """
        Take one event's data.

        Returns:
            The `error` that the service reports in it, as the service wrote it; else None.

        Raises:
            WireError: The data is not a JSON object in the protocol's shape.
        """
        if data.strip() == "[DONE]":
            self.done = True
            return None
        try:
            chunk = json.loads(data)
        except ValueError:
            raise WireError("an event that is not JSON", data) from None
        if not isinstance(chunk, dict):
            raise WireError("an event that is no JSON object", data)
        if chunk.get("error"):
            error = chunk["error"]
            return error if isinstance(error, dict) else str(error)
        if "choices" not in chunk and ("message" in chunk or chunk.get("object") == "error"):
            return chunk
        try:
            self._take(chunk)
        except (AttributeError, LookupError, TypeError, ValueError):
            raise WireError("an event in another shape", data) from None
        return None

    def _take(self, chunk: dict[str, Any]) -> None:
        self.model = chunk.get("model") or self.model
        if usage := chunk.get("usage"):
            self._count(usage)
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) != 0:
                continue  # `n` in `extra` asks for more answers than a response can hold
            self._has_choice = True
            self.finish = choice.get("finish_reason") or self.finish
            delta = choice.get("delta") or choice.get("message") or {}
            if text := delta.get("content"):
                self._texts.append(text)
                self.on_text(text)
            if text := delta.get("refusal"):
                self._refusals.append(text)
            for position, piece in enumerate(delta.get("tool_calls") or ()):
                call = self._calls.setdefault(piece.get("index", position), _Call())
                function = piece.get("function") or {}
                call.id = piece.get("id") or call.id
                call.name += function.get("name") or ""
                call.arguments += function.get("arguments") or ""

    def _count(self, usage: Mapping[str, Any]) -> None:
        self.has_usage = True
        self.input_tokens = int(usage.get("prompt_tokens") or 0)
        # Some services leave silent reasoning out of completion_tokens, but bill it and have
        # it in the total.
        self.output_tokens = max(
            int(usage.get("completion_tokens") or 0),
            int(usage.get("total_tokens") or 0) - self.input_tokens,
        )
        details = usage.get("prompt_tokens_details") or {}
        self.cached_tokens = int(details.get("cached_tokens") or 0)

    @property
    def is_whole(self) -> bool:
        """Whether the service ended the answer, rather than the connection ending under it."""
        return self.done or bool(self.finish)

    @property
    def has_choice(self) -> bool:
        """Whether anything was answered, be it nothing but an end."""
        return self._has_choice

    @property
    def content(self) -> str:
        """The text so far; a refusal's text where the model gave nothing else."""
        return "".join(self._texts) or "".join(self._refusals)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls so far, in the service's order."""
        return tuple(ToolCall(c.id, c.name, c.arguments) for _, c in sorted(self._calls.items()))

    @property
    def finish_reason(self) -> FinishReason:
        """Why the answer ended, in dagorch's words."""
        if self._refusals:
            return "refused"
        if self._calls and self.finish in ("stop", ""):
            return "tool_calls"  # some servers say `stop` where they mean this
        return _FINISH.get(self.finish, "other")
