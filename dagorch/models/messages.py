"""What people write, checked and made an `LLMRequest`; nothing is sent here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeAlias

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.models.llm import LLMRequest, Message, Role, ToolCall, ToolSpec

__all__ = ["MessagesLike", "build_request", "parse_messages", "plain_calls", "plain_messages"]

MessagesLike: TypeAlias = Sequence[Mapping[str, Any] | Message]
"""A conversation as people write it."""

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",  # OpenAI's newer name for the same thing
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_KEYS = ("role", "content", "tool_calls", "tool_call_id", "is_error")
_OPTIONS = tuple(f.name for f in fields(LLMRequest) if f.name not in ("messages", "model"))


def build_request(
    messages: MessagesLike, model: str | None, options: Mapping[str, Any]
) -> LLMRequest:
    """
    Make the request that `complete(messages, model, **options)` means.

    Raises:
        DefinitionError: A message is malformed, or an option unknown or of the wrong kind.
    """
    for name in options:
        if name not in _OPTIONS:
            raise DefinitionError(
                f"complete() has no option {name!r}{did_you_mean(name, _OPTIONS)}; "
                f"fields of the service's own go into extra={{{name!r}: ...}}"
            )
    given = dict(options)
    if isinstance(given.get("stop"), str):
        given["stop"] = (given["stop"],)
    for name in ("stop", "tools"):
        if name in given:
            given[name] = tuple(given[name] or ())
    if given.get("extra") is None:
        given.pop("extra", None)
    for tool in given.get("tools", ()):
        if not isinstance(tool, ToolSpec):
            raise DefinitionError(f"tools holds a {type(tool).__name__}; give ToolSpec objects")
    max_tokens = given.get("max_tokens")
    if max_tokens is not None and (not isinstance(max_tokens, int) or max_tokens < 1):
        raise DefinitionError(f"max_tokens is {max_tokens!r}; give a whole number, at least 1")
    return LLMRequest(messages=parse_messages(messages), model=model or "", **given)


def parse_messages(messages: MessagesLike) -> tuple[Message, ...]:
    """
    Read a conversation in the shape of OpenAI's chat API.

    A message is a `Message` or a dict with `role` and `content`; content is text, or a list of
    `text` and `image_url` parts. An assistant's may have `tool_calls`, a tool's must have
    `tool_call_id` and may say `is_error`. Keys whose value is None count as absent.

    Raises:
        DefinitionError: Names the message and what is wrong with it.

    Example:
        >>> parse_messages([{"role": "user", "content": "Hi"}])[0].content
        'Hi'
    """
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Iterable):
        raise DefinitionError(
            f"messages is a {type(messages).__name__}; "
            'give a list such as [{"role": "user", "content": "..."}]'
        )
    parsed = tuple(_message(message, f"messages[{i}]") for i, message in enumerate(messages))
    if not parsed:
        raise DefinitionError("messages is empty; give at least one")
    return parsed


def plain_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """
    Give a conversation as plain JSON values; what is empty is left out.

    Example:
        >>> plain_messages([Message("user", "Hi")])
        [{'role': 'user', 'content': 'Hi'}]
    """
    told = []
    for message in messages:
        one: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.images:
            one["images"] = list(message.images)
        if message.tool_calls:
            one["tool_calls"] = plain_calls(message.tool_calls)
        told.append(one)
    return told


def plain_calls(calls: Iterable[ToolCall]) -> list[dict[str, str]]:
    """Give tool calls as plain JSON values."""
    return [{"name": call.name, "arguments": call.arguments} for call in calls]


def _message(raw: object, where: str) -> Message:
    if isinstance(raw, Message):
        return raw
    if not isinstance(raw, Mapping):
        raise DefinitionError(f"{where} is a {type(raw).__name__}; give a dict or a Message")
    given = {str(key): value for key, value in raw.items() if value is not None}
    for key in given:
        if key not in _KEYS:
            raise DefinitionError(
                f"{where} has an unknown key {key!r}{did_you_mean(key, _KEYS)}; "
                f"known: {', '.join(_KEYS)}"
            )
    if "role" not in given:
        raise DefinitionError(f"{where} has no 'role'; give one of {', '.join(_ROLES)}")
    role = _ROLES.get(given["role"]) if isinstance(given["role"], str) else None
    if role is None:
        raise DefinitionError(
            f"{where} has role {given['role']!r}{did_you_mean(str(given['role']), _ROLES)}; "
            f"known: {', '.join(_ROLES)}"
        )
    calls = tuple(
        _tool_call(call, f"{where}.tool_calls[{i}]")
        for i, call in enumerate(_a_list(given.get("tool_calls", ()), f"{where}.tool_calls"))
    )
    if calls and role != "assistant":
        raise DefinitionError(f"{where} has tool_calls, which only an assistant's message may")
    if ("tool_call_id" in given) != (role == "tool"):
        raise DefinitionError(
            f"{where} is a tool's answer and has no 'tool_call_id'"
            if role == "tool"
            else f"{where} has a tool_call_id, which only a tool's message may"
        )
    if given.get("is_error") and role != "tool":
        raise DefinitionError(f"{where} says is_error, which only a tool's message may")
    if "content" not in given and not calls:
        raise DefinitionError(f"{where} has no 'content'")
    text, images = _content(given.get("content", ""), f"{where}.content")
    return Message(
        role,
        text,
        images,
        calls,
        str(given.get("tool_call_id", "")),
        is_error=bool(given.get("is_error")),
    )


def _content(raw: object, where: str) -> tuple[str, tuple[str, ...]]:
    """Split content into its text and the addresses of its images."""
    if isinstance(raw, str):
        return raw, ()
    texts: list[str] = []
    images: list[str] = []
    for i, part in enumerate(_a_list(raw, where)):
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


def _a_list(raw: object, where: str) -> Sequence[Any]:
    if not isinstance(raw, list | tuple):
        raise DefinitionError(f"{where} is a {type(raw).__name__}; give text or a list")
    return raw
