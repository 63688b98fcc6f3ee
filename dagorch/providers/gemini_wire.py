"""Google Gemini's generateContent: builds request bodies and parses replies; pure."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlsplit

from dagorch.http.foreign import token_count
from dagorch.models.llm import FinishReason, LLMRequest, Message
from dagorch.providers.dialect import Dialect, PartialToolCall, ReplyParser
from dagorch.providers.wire import (
    alternating_turns,
    as_text,
    merge_fields,
    parse_arguments,
    parse_data_url,
    rewrite_schema,
    schema_instruction,
)

__all__ = ["GEMINI", "GeminiReplyParser", "request_body"]

_SCHEMA_OR_TOOLS: Final = re.compile(r"gemini-[12](\.|-|$)")
"""Models that accept either a schema or tools; Gemini 3 accepts both."""


def request_body(request: LLMRequest, model: str, _limit: int | None = None) -> dict[str, Any]:
    """
    Build the JSON body of a request; the path holds the model name and requests streaming.

    All system messages go into `systemInstruction`, in order. Consecutive messages of one side
    become one turn, because the service requires the results of parallel tool calls in one turn.
    `request.extra` may set or replace any field; its `generationConfig` is merged with ours.
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
            system.append(schema_instruction(request.json_schema))
        else:
            config["responseMimeType"] = "application/json"
            config["responseJsonSchema"] = rewrite_schema(request.json_schema, _const_to_enum)
    body: dict[str, Any] = {"contents": _turns(request.messages)}
    if system := [text for text in system if text]:
        body["systemInstruction"] = {"parts": [{"text": text} for text in system]}
    if config:
        body["generationConfig"] = config
    if request.tools:
        declarations = []
        for tool in request.tools:
            function: dict[str, Any] = {"name": tool.name, "description": tool.description}
            if tool.parameters.get("properties"):  # the service refuses an object without any
                function["parametersJsonSchema"] = rewrite_schema(tool.parameters, _const_to_enum)
            declarations.append(function)
        body["tools"] = [{"functionDeclarations": declarations}]
    return merge_fields(body, request.extra)


def _turns(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    names: dict[str, str] = {}

    def parts(message: Message) -> list[dict[str, Any]]:
        names.update({call.id: call.name for call in message.tool_calls})
        return _parts(message, names)

    return alternating_turns(messages, parts, assistant="model", key="parts")


def _parts(message: Message, names: Mapping[str, str]) -> list[dict[str, Any]]:
    if message.role == "tool":
        call_id = message.tool_call_id
        response = {
            "id": call_id,
            # The service wants the function's name too, which our tool messages do not have.
            "name": names.get(call_id, call_id),
            "response": {"error" if message.is_error else "output": message.content},
        }
        return [{"functionResponse": response}]
    parts: list[dict[str, Any]] = [{"text": message.content}] if message.content else []
    parts += [_image(url) for url in message.images]
    for call in message.tool_calls:
        function = {"id": call.id, "name": call.name, "args": parse_arguments(call)}
        part: dict[str, Any] = {"functionCall": function}
        if call.signature:
            part["thoughtSignature"] = call.signature
        parts.append(part)
    return parts


def _image(url: str) -> dict[str, Any]:
    inline = parse_data_url(url)
    if inline is not None:
        return {"inlineData": {"mimeType": inline[0], "data": inline[1]}}
    file = {"fileUri": url}
    if media_type := mimetypes.guess_type(urlsplit(url).path)[0]:
        file["mimeType"] = media_type
    return {"fileData": file}


def _const_to_enum(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace `const` by an `enum` with one value; the service does not know `const`."""
    if "const" in schema:
        value = schema.pop("const")
        if not isinstance(value, Mapping):
            schema["enum"] = [value]
    return schema


class GeminiReplyParser(ReplyParser):
    """Builds an answer from chunks, each of which is a reply with a piece of the text."""

    FINISH_REASONS: ClassVar[Mapping[str, FinishReason]] = {
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
        "PROMPT_BLOCKED": "refused",  # ours, for a blocked prompt, which has no candidate
    }

    def _parse_event(self, event: dict[str, Any]) -> None:
        self.id = as_text(event.get("responseId")) or self.id
        self.model = as_text(event.get("modelVersion")) or self.model
        if usage := event.get("usageMetadata"):
            self._read_usage(usage)
        feedback = event.get("promptFeedback") or {}
        if reason := feedback.get("blockReason"):
            self.has_answer = True
            self.finish = "PROMPT_BLOCKED"
            self.finish_details = f"the prompt is blocked: {reason}"
        for candidate in event.get("candidates") or ():
            if candidate.get("index", 0) != 0:
                continue  # `candidateCount` in `extra` asks for more, but a response holds one
            self.has_answer = True
            self.finish = as_text(candidate.get("finishReason")) or self.finish
            self.finish_details = as_text(candidate.get("finishMessage")) or self.finish_details
            for part in (candidate.get("content") or {}).get("parts") or ():
                self._parse_part(part)

    def _parse_part(self, part: Mapping[str, Any]) -> None:
        if part.get("thought"):
            return  # a summary of the reasoning, not part of the answer
        self._add_text(part.get("text"))
        if function := part.get("functionCall"):
            self.calls[len(self.calls)] = PartialToolCall(
                as_text(function.get("id")),
                as_text(function["name"]),
                arguments_object=function.get("args"),
                signature=as_text(part.get("thoughtSignature")),
            )

    def _parse_usage(self, usage: Mapping[str, Any]) -> None:
        """Store the totals so far; the last chunk has the final ones."""

        def total(name: str) -> int:
            return token_count(usage.get(name))

        self.input_tokens = total("promptTokenCount") + total("toolUsePromptTokenCount")
        self.reasoning_tokens = total("thoughtsTokenCount")
        self.output_tokens = max(
            total("candidatesTokenCount") + self.reasoning_tokens,
            total("totalTokenCount") - self.input_tokens,
        )
        self.cached_tokens = total("cachedContentTokenCount")


def _path(model: str) -> str:
    name = quote(model, safe="/")
    resource = name if "/" in name else f"models/{name}"
    return f"/{resource}:streamGenerateContent?alt=sse"


def _bounds(body: Mapping[str, Any]) -> tuple[int, int | None]:
    config = body.get("generationConfig") or {}
    answers = config.get("candidateCount")
    return answers if isinstance(answers, int) else 1, config.get("maxOutputTokens")


GEMINI: Final = Dialect(
    name="Gemini's generateContent",
    service="gemini",
    path=_path,
    key_header=lambda key: ("x-goog-api-key", key),
    request_body=request_body,
    bounds=_bounds,
    reply_parser=GeminiReplyParser,
    max_image_tokens=50_000,  # 258 per tile of 768 by 768; no bound on tiles is documented
)
