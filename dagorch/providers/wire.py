"""What the request and reply bodies of all dialects share: JSON, turns, images, schemas."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from dagorch.errors import DefinitionError
from dagorch.models.llm import Message, ToolCall

__all__ = [
    "WireError",
    "alternating_turns",
    "as_text",
    "encode_json",
    "merge_fields",
    "parse_arguments",
    "parse_data_url",
    "rewrite_schema",
    "schema_instruction",
    "subschemas",
]

_INVALID_JSON: Final = "INVALID_JSON"
"""The key of arguments that are not an object, for a service that wants an object."""


class WireError(Exception):
    """
    A reply does not follow the protocol; `error_mapping` makes the user's error from it.

    Attributes:
        found: What arrived, in words.
        text: What arrived, in full: half a key could not be scrubbed.
    """

    def __init__(self, found: str, text: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.text = text


def alternating_turns(
    messages: Sequence[Message],
    to_parts: Callable[[Message], list[dict[str, Any]]],
    *,
    assistant: str,
    key: str,
) -> list[dict[str, Any]]:
    """
    Convert a conversation to turns that alternate between user and assistant.

    Args:
        messages: System messages are left out.
        to_parts: Converts a message. One without parts is left out; services refuse it.
        assistant: The service's name for the assistant's role.
        key: The field of a turn that holds its parts.
    """
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system" or not (parts := to_parts(message)):
            continue
        role = assistant if message.role == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1][key] += parts
        else:
            turns.append({"role": role, key: parts})
    return turns


def as_text(value: Any) -> str:
    """
    Return received text; None is empty.

    Raises:
        TypeError: It is something else.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"expected text, got a {type(value).__name__}")
    return value


def encode_json(body: Mapping[str, Any]) -> bytes:
    """Encode a JSON object in UTF-8, without whitespace."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def parse_data_url(url: str) -> tuple[str, str] | None:
    """
    Return an inline image's media type and base64 data; None if `url` is not a `data:` URL.

    Raises:
        DefinitionError: It is a `data:` URL, but malformed.

    Example:
        >>> parse_data_url("data:image/png;base64,iVBORw==")
        ('image/png', 'iVBORw==')
        >>> parse_data_url("https://example.org/cat.png") is None
        True
    """
    if not url.startswith("data:"):
        return None
    head, comma, data = url[len("data:") :].partition(",")
    media_type, *options = head.split(";")
    if not comma or not media_type:
        raise DefinitionError(
            f"image {url[:40]!r} is not a valid data: URL; write it as data:image/png;base64,..."
        )
    if "base64" in options:
        return media_type, unquote_to_bytes(data).decode("ascii", "replace")
    return media_type, base64.b64encode(unquote_to_bytes(data)).decode("ascii")


def parse_arguments(call: ToolCall) -> dict[str, Any]:
    """
    Return a tool call's arguments as an object.

    The model sees its own text again if that was not a JSON object.

    Example:
        >>> parse_arguments(ToolCall("a", "look", '{"x": 1}'))
        {'x': 1}
        >>> parse_arguments(ToolCall("a", "look", '{"x": '))
        {'INVALID_JSON': '{"x": '}
    """
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = None
    return arguments if isinstance(arguments, dict) else {_INVALID_JSON: call.arguments}


def schema_instruction(schema: Mapping[str, Any]) -> str:
    """Return a prompt that asks for JSON of this schema, for models without structured output."""
    return (
        "Reply with one JSON value that fits the following JSON Schema, and with nothing else: "
        f"no words around it, no code fence.\n{json.dumps(schema, ensure_ascii=False)}"
    )


def rewrite_schema(schema: Any, rewrite: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Copy a JSON value; replace each object in it by `rewrite(object)`, innermost first."""
    if isinstance(schema, Mapping):
        return rewrite({key: rewrite_schema(value, rewrite) for key, value in schema.items()})
    if isinstance(schema, list | tuple):
        return [rewrite_schema(part, rewrite) for part in schema]
    return schema


def subschemas(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Yield each object in a JSON value, at any depth."""
    if isinstance(schema, Mapping):
        yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from subschemas(part)


def merge_fields(body: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """
    Add the user's own fields to `body`; objects on both sides are merged.

    Example:
        >>> merge_fields({"a": {"x": 1}, "b": 2}, {"a": {"y": 3}, "b": 4})
        {'a': {'x': 1, 'y': 3}, 'b': 4}
    """
    merged = dict(body)
    for name, value in extra.items():
        known = merged.get(name)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[name] = {**known, **value}
        else:
            merged[name] = value
    return merged
