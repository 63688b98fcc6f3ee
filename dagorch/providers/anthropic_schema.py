"""JSON Schemas as Anthropic's structured outputs take them: a subset, and what to do outside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["narrowed"]

_KEPT: Final = frozenset(
    {"$ref", "type", "enum", "const", "title", "description", "default", "required"}
)
_FORMATS: Final = frozenset(
    {"date", "date-time", "time", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)


class _OutsideError(Exception):
    """The subset has no words for a schema."""


def narrowed(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """
    Give the schema in the service's subset, or None where that cannot say what it means.

    Bounds and patterns, which the service refuses, go into the description, where the model
    reads them. Objects with names that are not known beforehand, and schemas that contain
    themselves, have no place in the subset.

    Example:
        >>> narrowed({"type": "integer", "minimum": 1})
        {'type': 'integer', 'description': '{"minimum": 1}'}
        >>> narrowed({"type": "object", "additionalProperties": {"type": "integer"}}) is None
        True
    """
    definitions = schema.get("$defs", {})
    try:
        for name in definitions:
            _follow(definitions, name, ())
        narrow = _narrow({key: value for key, value in schema.items() if key != "$defs"})
        if definitions:
            narrow["$defs"] = {name: _narrow(part) for name, part in definitions.items()}
    except _OutsideError:
        return None
    return narrow


def _narrow(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or not schema:
        raise _OutsideError  # `True` or `{}`: anything at all
    narrow = {key: value for key, value in schema.items() if key in _KEPT}
    moved: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _KEPT:
            continue
        if key == "properties":
            narrow[key] = {name: _narrow(part) for name, part in value.items()}
        elif key == "items":
            narrow[key] = _narrow(value)
        elif key in ("anyOf", "oneOf", "allOf"):
            narrow["allOf" if key == "allOf" else "anyOf"] = [_narrow(part) for part in value]
        elif (key == "format" and value in _FORMATS) or (key == "minItems" and value in (0, 1)):
            narrow[key] = value
        elif key not in ("additionalProperties", "discriminator"):
            moved[key] = value
    if schema.get("type") == "object":
        if "properties" not in schema or schema.get("additionalProperties", False) is not False:
            raise _OutsideError
        narrow["additionalProperties"] = False
    if moved:
        said = [narrow["description"]] if narrow.get("description") else []
        narrow["description"] = "\n".join([*said, json.dumps(moved, ensure_ascii=False)])
    return narrow


def _follow(definitions: Mapping[str, Any], name: str, above: tuple[str, ...]) -> None:
    """Raise if a definition leads back to itself."""
    if name in above:
        raise _OutsideError
    for target in _targets(definitions.get(name, {})):
        _follow(definitions, target, (*above, name))


def _targets(schema: Any) -> list[str]:
    if isinstance(schema, Mapping):
        here = schema.get("$ref")
        found = [here.rpartition("/")[2]] if isinstance(here, str) else []
        return found + [target for part in schema.values() for target in _targets(part)]
    if isinstance(schema, list):
        return [target for part in schema for target in _targets(part)]
    return []
