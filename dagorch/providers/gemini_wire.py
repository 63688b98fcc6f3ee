"""Google Gemini's generateContent as data: request to JSON, events to an answer; no sockets."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlsplit

from dagorch.models.llm import FinishReason, LLMRequest, Message
from dagorch.providers.dialect import Call, Dialect, Reply
from dagorch.providers.wire import (
    arguments_of,
    count_of,
    inline_image,
    instruction,
    merged,
    text_of,
    turns,
)

__all__ = ["GEMINI", "GeminiReply", "request_body"]

_SCHEMA_OR_TOOLS: Final = re.compile(r"gemini-[12](\.|-|$)")
"""Models that refuse to be held to a schema while they have tools; Gemini 3 takes both."""


def request_body(request: LLMRequest, model: str, _limit: int | None = None) -> dict[str, Any]:
    """
    Give the JSON object to send; the model's name and streaming are in the path.

    Every system turn goes into `systemInstruction`, in order. Turns of one side that follow
    each other become one, so the results of parallel calls stand together, as the service
    demands. `request.extra` may set or replace any field; its `generationConfig` is added to ours.
    """
    config: dict[str, Any] = {}
    system = [turn.content for turn in request.messages if turn.role == "system"]
    if request.max_tokens is not None:
        config["maxOutputTokens"] = request.max_tokens
    if request.temperature is not None:
        config["temperature"] = request.temperature
    if request.stop:
        config["stopSequences"] = list(request.stop)
    if request.json_schema is not None:
        if request.tools and _SCHEMA_OR_TOOLS.match(model):
            system.append(instruction(request.json_schema))
        else:
            config["responseMimeType"] = "application/json"
            config["responseJsonSchema"] = _without_const(request.json_schema)
    body: dict[str, Any] = {"contents": _turns(request.messages)}
    if system := [text for text in system if text]:
        body["systemInstruction"] = {"parts": [{"text": text} for text in system]}
    if config:
        body["generationConfig"] = config
    if request.tools:
        declared = []
        for tool in request.tools:
            function: dict[str, Any] = {"name": tool.name, "description": tool.description}
            if tool.parameters.get("properties"):  # an object without any is refused
                function["parametersJsonSchema"] = _without_const(tool.parameters)
            declared.append(function)
        body["tools"] = [{"functionDeclarations": declared}]
    return merged(body, request.extra)


def _turns(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    names: dict[str, str] = {}

    def parts(message: Message) -> list[dict[str, Any]]:
        names.update({call.id: call.name for call in message.tool_calls})
        return _parts(message, names)

    return turns(messages, parts, assistant="model", key="parts")


def _parts(message: Message, names: Mapping[str, str]) -> list[dict[str, Any]]:
    if message.role == "tool":
        called = message.tool_call_id
        response = {
            "id": called,
            # The service goes by the function's name too, which our turns do not repeat.
            "name": names.get(called, called),
            "response": {"error" if message.is_error else "output": message.content},
        }
        return [{"functionResponse": response}]
    parts: list[dict[str, Any]] = [{"text": message.content}] if message.content else []
    parts += [_image(url) for url in message.images]
    for call in message.tool_calls:
        function = {"id": call.id, "name": call.name, "args": arguments_of(call)}
        part: dict[str, Any] = {"functionCall": function}
        if call.signature:
            part["thoughtSignature"] = call.signature
        parts.append(part)
    return parts


def _image(url: str) -> dict[str, Any]:
    inline = inline_image(url)
    if inline is not None:
        return {"inlineData": {"mimeType": inline[0], "data": inline[1]}}
    file = {"fileUri": url}
    if media_type := mimetypes.guess_type(urlsplit(url).path)[0]:
        file["mimeType"] = media_type
    return {"fileData": file}


def _without_const(schema: Any) -> Any:
    """Write `const` as an `enum` of one, which is the only way that the service knows."""
    if isinstance(schema, Mapping):
        plain = {key: _without_const(value) for key, value in schema.items() if key != "const"}
        if "const" in schema and not isinstance(schema["const"], Mapping):
            plain["enum"] = [schema["const"]]
        return plain
    if isinstance(schema, list | tuple):
        return [_without_const(part) for part in schema]
    return schema


class GeminiReply(Reply):
    """An answer from a stream's chunks, each a whole reply with a piece of the text."""

    FINISH: ClassVar[Mapping[str, FinishReason]] = {
        "STOP": "stop",
        "MAX_TOKENS": "length",
        "CONTINUATION": "length",
        "SAFETY": "refused",
        "RECITATION": "refused",
        "BLOCKLIST": "refused",
        "PROHIBITED_CONTENT": "refused",
        "SPII": "refused",
        "IMAGE_SAFETY": "refused",
        "IMAGE_PROHIBITED_CONTENT": "refused",
        "IMAGE_RECITATION": "refused",
        "ESCALATION": "refused",
        "MODEL_ARMOR": "refused",
        "PROMPT_BLOCKED": "refused",  # ours, for a prompt that no candidate answers
    }

    def _take(self, event: dict[str, Any]) -> None:
        self.id = text_of(event.get("responseId")) or self.id
        self.model = text_of(event.get("modelVersion")) or self.model
        if usage := event.get("usageMetadata"):
            self._count(usage)
        feedback = event.get("promptFeedback") or {}
        if reason := feedback.get("blockReason"):
            self.has_answer = True
            self.finish = "PROMPT_BLOCKED"
            self.because = f"the prompt is blocked: {reason}"
        for candidate in event.get("candidates") or ():
            if candidate.get("index", 0) != 0:
                continue  # `candidateCount` in `extra` asks for more than a response can hold
            self.has_answer = True
            self.finish = text_of(candidate.get("finishReason")) or self.finish
            self.because = text_of(candidate.get("finishMessage")) or self.because
            for part in (candidate.get("content") or {}).get("parts") or ():
                self._part(part)

    def _part(self, part: Mapping[str, Any]) -> None:
        if part.get("thought"):
            return  # a summary of its reasoning, which is no part of the answer
        self._say(part.get("text"))
        if function := part.get("functionCall"):
            self.calls[len(self.calls)] = Call(
                text_of(function.get("id")),
                text_of(function["name"]),
                whole=function.get("args"),
                signature=text_of(part.get("thoughtSignature")),
            )

    def _count(self, usage: Mapping[str, Any]) -> None:
        """Take the totals so far; the last chunk has those of the whole answer."""

        def total(name: str) -> int:
            return count_of(usage.get(name))

        self.input_tokens = total("promptTokenCount") + total("toolUsePromptTokenCount")
        self.reasoning_tokens = total("thoughtsTokenCount")
        self.output_tokens = max(
            total("candidatesTokenCount") + self.reasoning_tokens,
            total("totalTokenCount") - self.input_tokens,
        )
        self.cached_tokens = total("cachedContentTokenCount")
        self.has_usage = True


def _path(model: str) -> str:
    where = quote(model, safe="/")
    whole = where if "/" in where else f"models/{where}"
    return f"/{whole}:streamGenerateContent?alt=sse"


def _bounds(body: Mapping[str, Any]) -> tuple[int, int | None]:
    config = body.get("generationConfig") or {}
    return int(config.get("candidateCount") or 1), config.get("maxOutputTokens")


GEMINI: Final = Dialect(
    name="Gemini's generateContent",
    service="gemini",
    path=_path,
    key_header=lambda key: ("x-goog-api-key", key),
    request_body=request_body,
    bounds=_bounds,
    reply=GeminiReply,
    image_tokens=50_000,  # 258 a tile of 768 by 768, without a stated bound on tiles
)
