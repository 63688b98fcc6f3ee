"""Validate the messages and options that users pass, and build an `LLMRequest` from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeAlias

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.models.bounds import count_problem, temperature_problem
from dagorch.models.llm import LLMRequest, Message, Role, ToolCall, ToolSpec
from dagorch.models.several import several

__all__ = [
    "ROLES",
    "MessagesLike",
    "build_request",
    "parse_messages",
    "plain_calls",
    "plain_messages",
]

MessagesLike: TypeAlias = Sequence[Mapping[str, Any] | Message]
"""A conversation as users pass it."""

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",  # OpenAI's newer name for `system`
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
"""The roles that users write, and what they become."""
_KEYS = ("role", "content", "tool_calls", "tool_call_id", "is_error")
_OPTIONS = tuple(f.name for f in fields(LLMRequest) if f.name not in ("messages", "model"))


def build_request(
    messages: MessagesLike, model: str | None, options: Mapping[str, Any]
) -> LLMRequest:
    """
    Build the request of `complete(messages, model, **options)`.

    Raises:
        DefinitionError: A message is malformed, or an option is unknown or has the wrong type.
    """
    for name in options:
        if name not in _OPTIONS:
            raise DefinitionError(
                f"complete() has no option {name!r}{did_you_mean(name, _OPTIONS)}; "
                f"pass a field of the service as extra={{{name!r}: ...}}"
            )
    request_fields = dict(options)
    for name, one in (("stop", str), ("tools", ToolSpec)):
        if name in request_fields:
            request_fields[name] = several(request_fields[name] or (), name, one)
    if request_fields.get("extra") is None:
        request_fields.pop("extra", None)
    if problem := _option_problem(model, request_fields):
        raise DefinitionError(problem)
    return LLMRequest(messages=parse_messages(messages), model=model or "", **request_fields)


def _option_problem(model: object, options: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the first option of a call that cannot be sent, or None."""
    if not isinstance(model, str | None):
        return f"model={model!r:.60} must be a name, as text, or None"
    for text in options.get("stop", ()):
        if not isinstance(text, str) or not text:
            return f"stop contains {text!r:.60}; pass texts that are not empty"
    if not isinstance(options.get("extra", {}), Mapping):
        return f"extra={options['extra']!r:.60} must be a dict of the service's fields"
    for tool in options.get("tools", ()):
        if not isinstance(tool, ToolSpec):
            return f"tools contains a {type(tool).__name__}; pass ToolSpec objects"
    max_tokens = options.get("max_tokens")
    if max_tokens is not None and (problem := count_problem("max_tokens", max_tokens)):
        return problem
    return temperature_problem(options.get("temperature"))


def parse_messages(messages: MessagesLike) -> tuple[Message, ...]:
    """
    Parse a conversation in the format of OpenAI's chat API.

    A message is a `Message` or a dict with `role` and `content`. The content is text, or a list of
    `text` and `image_url` parts. A message of an assistant may have `tool_calls`. One of a tool
    must have `tool_call_id` and may have `is_error`. A key whose value is None counts as absent.

    Raises:
        DefinitionError: A message is malformed; the error says which and why.

    Example:
        >>> parse_messages([{"role": "user", "content": "Hi"}])[0].content
        'Hi'
    """
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Iterable):
        raise DefinitionError(
            f"messages is a {type(messages).__name__}; "
            'pass a list such as [{"role": "user", "content": "..."}]'
        )
    parsed = tuple(_message(message, f"messages[{i}]") for i, message in enumerate(messages))
    if not parsed:
        raise DefinitionError("messages is empty; pass at least one")
    return parsed


def plain_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """
    Convert a conversation to plain JSON values; empty fields are left out.

    Example:
        >>> plain_messages([Message("user", "Hi")])
        [{'role': 'user', 'content': 'Hi'}]
    """
    plain = []
    for message in messages:
        one: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.images:
            one["images"] = list(message.images)
        if message.tool_calls:
            one["tool_calls"] = plain_calls(message.tool_calls)
        plain.append(one)
    return plain


def plain_calls(calls: Iterable[ToolCall]) -> list[dict[str, str]]:
    """Convert tool calls to plain JSON values."""
    return [{"name": call.name, "arguments": call.arguments} for call in calls]


def _message(raw: object, where: str) -> Message:
    if isinstance(raw, Message):
        return raw
    if not isinstance(raw, Mapping):
        raise DefinitionError(f"{where} is a {type(raw).__name__}; pass a dict or a Message")
    present = {str(key): value for key, value in raw.items() if value is not None}
    for key in present:
        if key not in _KEYS:
            raise DefinitionError(
                f"{where} has an unknown key {key!r}{did_you_mean(key, _KEYS)}; "
                f"known: {', '.join(_KEYS)}"
            )
    if "role" not in present:
        raise DefinitionError(f"{where} has no 'role'; set it to one of {', '.join(ROLES)}")
    role = ROLES.get(present["role"]) if isinstance(present["role"], str) else None
    if role is None:
        raise DefinitionError(
            f"{where} has role {present['role']!r}{did_you_mean(str(present['role']), ROLES)}; "
            f"known: {', '.join(ROLES)}"
        )
    calls = tuple(
        _tool_call(call, f"{where}.tool_calls[{i}]")
        for i, call in enumerate(
            _checked_list(present.get("tool_calls", ()), f"{where}.tool_calls")
        )
    )
    if calls and role != "assistant":
        raise DefinitionError(f"{where} has tool_calls, but its role is not 'assistant'")
    if ("tool_call_id" in present) != (role == "tool"):
        raise DefinitionError(
            f"{where} has the role 'tool' but no 'tool_call_id'"
            if role == "tool"
            else f"{where} has a tool_call_id, but its role is not 'tool'"
        )
    if present.get("is_error") and role != "tool":
        raise DefinitionError(f"{where} has is_error, but its role is not 'tool'")
    if "content" not in present and not calls:
        raise DefinitionError(f"{where} has no 'content'")
    text, images = _content(present.get("content", ""), f"{where}.content")
    return Message(
        role,
        text,
        images,
        calls,
        str(present.get("tool_call_id", "")),
        is_error=bool(present.get("is_error")),
    )


def _content(raw: object, where: str) -> tuple[str, tuple[str, ...]]:
    """Split content into its text and the URLs of its images."""
    if isinstance(raw, str):
        return raw, ()
    texts: list[str] = []
    images: list[str] = []
    for i, part in enumerate(_checked_list(raw, where)):
        here = f"{where}[{i}]"
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, Mapping) else image
            if not isinstance(url, str) or not url.startswith(("https:", "http:", "data:")):
                raise DefinitionError(f"{here} needs an image_url that is an https: or data: URL")
            images.append(url)
        else:
            raise DefinitionError(
                f'{here} is neither {{"type": "text", "text": "..."}} nor '
                '{"type": "image_url", "image_url": {"url": "..."}}'
            )
    return "\n".join(texts), tuple(images)


def _tool_call(raw: object, where: str) -> ToolCall:
    if isinstance(raw, ToolCall):
        return raw
    function = raw.get("function") if isinstance(raw, Mapping) else None
    if not isinstance(raw, Mapping) or not isinstance(function, Mapping) or "name" not in function:
        raise DefinitionError(
            f'{where} is not {{"id": "...", "function": {{"name": "...", "arguments": "..."}}}}'
        )
    arguments = function.get("arguments", "{}")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return ToolCall(str(raw.get("id", "")), str(function["name"]), arguments)


def _checked_list(raw: object, where: str) -> Sequence[Any]:
    if not isinstance(raw, list | tuple):
        raise DefinitionError(f"{where} is a {type(raw).__name__}; pass text or a list")
    return raw
