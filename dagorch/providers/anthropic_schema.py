"""Conversion of JSON Schemas to the subset that Anthropic's structured outputs accept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from dagorch.providers.wire import subschemas

__all__ = ["to_anthropic_schema"]

_SUPPORTED: Final = frozenset(
    {"$ref", "type", "enum", "const", "title", "description", "default", "required"}
)
_FORMATS: Final = frozenset(
    {"date", "date-time", "time", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)


class _UnsupportedError(Exception):
    """Raised when the subset cannot express a schema."""


def to_anthropic_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """
    Convert a schema to the service's subset, or return None if the subset cannot express it.

    The service refuses bounds and patterns; they move to the description, where the model reads
    them. The subset has neither objects with arbitrary property names nor recursive schemas.

    Example:
        >>> to_anthropic_schema({"type": "integer", "minimum": 1})
        {'type': 'integer', 'description': '{"minimum": 1}'}
        >>> schema = {"type": "object", "additionalProperties": {"type": "integer"}}
        >>> to_anthropic_schema(schema) is None
        True
    """
    definitions = schema.get("$defs", {})
    try:
        for name in definitions:
            _check_recursion(definitions, name, ())
        converted = _convert({key: value for key, value in schema.items() if key != "$defs"})
        if definitions:
            converted["$defs"] = {name: _convert(part) for name, part in definitions.items()}
    except _UnsupportedError:
        return None
    return converted


def _convert(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or not schema:
        raise _UnsupportedError  # `True` or `{}`: any value
    converted = {key: value for key, value in schema.items() if key in _SUPPORTED}
    moved: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _SUPPORTED:
            continue
        if key == "properties":
            converted[key] = {name: _convert(part) for name, part in value.items()}
        elif key == "items":
            converted[key] = _convert(value)
        elif key in ("anyOf", "oneOf", "allOf"):
            converted["allOf" if key == "allOf" else "anyOf"] = [_convert(part) for part in value]
        elif (key == "format" and value in _FORMATS) or (key == "minItems" and value in (0, 1)):
            converted[key] = value
        elif key not in ("additionalProperties", "discriminator"):
            moved[key] = value
    if schema.get("type") == "object":
        if "properties" not in schema or schema.get("additionalProperties", False) is not False:
            raise _UnsupportedError
        converted["additionalProperties"] = False
    if moved:
        lines = [converted["description"]] if converted.get("description") else []
        converted["description"] = "\n".join([*lines, json.dumps(moved, ensure_ascii=False)])
    return converted


def _check_recursion(definitions: Mapping[str, Any], name: str, path: tuple[str, ...]) -> None:
    """Raise if a definition refers to itself, directly or through others."""
    if name in path:
        raise _UnsupportedError
    for part in subschemas(definitions.get(name, {})):
        if isinstance(reference := part.get("$ref"), str):
            _check_recursion(definitions, reference.rpartition("/")[2], (*path, name))
