"""What the dialects' bodies have in common: JSON bytes, images, arguments, instructions."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from pydantic_core import from_json

from dagorch.errors import DefinitionError
from dagorch.models.llm import Message, ToolCall

__all__ = [
    "WireError",
    "arguments_of",
    "count_of",
    "encode",
    "inline_image",
    "instruction",
    "merged",
    "parse",
    "text_of",
    "turns",
]

_BROKEN: Final = "INVALID_JSON"
"""Where a service wants a call's arguments as an object, the name for text that is none."""


class WireError(Exception):
    """What came is not what the protocol promises; told to the user by whoever knows the key."""

    def __init__(self, found: str, text: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.text = text
        """As it came: whole, since a key that is cut in two is no longer recognised."""


def turns(
    messages: Sequence[Message],
    pieces: Callable[[Message], list[dict[str, Any]]],
    *,
    assistant: str,
    key: str,
) -> list[dict[str, Any]]:
    """
    Lay a conversation out in turns that alternate, as some services want it.

    Args:
        messages: Those of the system are left out.
        pieces: What a message says; a message that says nothing would be refused.
        assistant: What the service calls the model's side.
        key: Where a turn has its pieces.
    """
    found: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system" or not (said := pieces(message)):
            continue
        role = assistant if message.role == "assistant" else "user"
        if found and found[-1]["role"] == role:
            found[-1][key] += said
        else:
            found.append({"role": role, key: said})
    return found


def text_of(value: Any) -> str:
    """
    Give text that came, empty for none.

    Raises:
        TypeError: It is something else.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} where text belongs")
    return value


def count_of(value: Any) -> int:
    """
    Give a number of tokens that came, 0 for none and for less than none.

    Raises:
        ArithmeticError, TypeError, ValueError: It is no number.
    """
    return 0 if value is None else max(0, int(value))


def parse(text: str) -> Any:
    """
    Read JSON; an answer is hundreds of small pieces of it, so by the fastest reader at hand.

    Raises:
        RecursionError, ValueError: It is no JSON, or too deep.
    """
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)  # takes half an emoji too, which a stream may cut anywhere


def encode(body: Mapping[str, Any]) -> bytes:
    """Give the bytes of a JSON object, in UTF-8 and without blanks."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def inline_image(url: str) -> tuple[str, str] | None:
    """
    Give an image's media type and its bytes in base64, or None if `url` points elsewhere.

    Raises:
        DefinitionError: It is a `data:` URL, and broken.

    Example:
        >>> inline_image("data:image/png;base64,iVBORw==")
        ('image/png', 'iVBORw==')
        >>> inline_image("https://example.org/cat.png") is None
        True
    """
    if not url.startswith("data:"):
        return None
    head, comma, data = url[len("data:") :].partition(",")
    media_type, *options = head.split(";")
    if not comma or not media_type:
        raise DefinitionError(
            f"the image {url[:40]!r} is no data: URL; write it as data:image/png;base64,..."
        )
    if "base64" in options:
        return media_type, unquote_to_bytes(data).decode("ascii", "replace")
    return media_type, base64.b64encode(unquote_to_bytes(data)).decode("ascii")


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """
    Give a call's arguments as the object that some services want back.

    What a model wrote and is no object is shown to it as it was.

    Example:
        >>> arguments_of(ToolCall("a", "look", '{"x": 1}'))
        {'x': 1}
        >>> arguments_of(ToolCall("a", "look", '{"x": '))
        {'INVALID_JSON': '{"x": '}
    """
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = None
    return arguments if isinstance(arguments, dict) else {_BROKEN: call.arguments}


def instruction(schema: Mapping[str, Any]) -> str:
    """Say in words that a reply must fit a schema, to a service that cannot be held to it."""
    return (
        "Reply with one JSON value that fits the following JSON Schema, and with nothing else: "
        f"no words around it, no code fence.\n{json.dumps(schema, ensure_ascii=False)}"
    )


def merged(body: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """
    Give `body` with the user's own fields; objects on both sides become one.

    Example:
        >>> merged({"a": {"x": 1}, "b": 2}, {"a": {"y": 3}, "b": 4})
        {'a': {'x': 1, 'y': 3}, 'b': 4}
    """
    whole = dict(body)
    for name, value in extra.items():
        ours = whole.get(name)
        both = isinstance(ours, Mapping) and isinstance(value, Mapping)
        whole[name] = {**ours, **value} if both else value  # type: ignore[dict-item]
    return whole
