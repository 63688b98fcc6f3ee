"""The file format as a JSON Schema, for editors and other programs, built from `fields.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dagorch.files.fields import COMMON, FORMAT, GRAPH, KINDS, SOURCE, WIRING, Field
from dagorch.files.validate import NEVER_ALONE

__all__ = ["json_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NODES = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": "^[^/\\[\\]\\u0000-\\u001f]+$"},
    "additionalProperties": {"$ref": "#/$defs/node"},
}
_ID = Field({"type": "string", "minLength": 1}, "The id of the node.")


def json_schema() -> dict[str, Any]:
    """
    Return the JSON Schema (draft 2020-12) of a graph's file, for YAML and JSON.

    Example:
        >>> schema = json_schema()
        >>> schema["title"], schema["required"]
        ('A dagorch graph, format 1', ['nodes'])
    """
    kinds = [kind for kind in KINDS if kind not in NEVER_ALONE]
    value = _object({"value": Field({}, "A constant.")}, ["value"])
    alone = [_kind(kind, {"id": _ID, **_alone()}) for kind in kinds]
    return {
        "$schema": _DIALECT,
        "title": f"A dagorch graph, format {FORMAT}",
        **_graph(),
        "$defs": {
            "node": {"anyOf": [_kind(kind, COMMON) for kind in KINDS]},
            "alone": {"anyOf": [_kind(kind, _alone()) for kind in kinds]},
            "body": {"anyOf": [{"$ref": "#/$defs/alone"}, _graph()]},
            "fallback": {"anyOf": [value, *alone, _graph()]},
            "source": SOURCE,
            **{
                name: {"description": field.description, **field.schema}
                for name, field in COMMON.items()
                if name != "fallback"
            },
        },
    }


def _alone() -> dict[str, Field]:
    return {name: field for name, field in COMMON.items() if name not in WIRING}


def _graph() -> dict[str, Any]:
    fields = {**GRAPH, "nodes": Field(_NODES, GRAPH["nodes"].description)}
    return _object(fields, ["nodes"])


def _kind(kind: str, more: Mapping[str, Field]) -> dict[str, Any]:
    spec = KINDS[kind]
    own = {name: field for name, field in spec.fields.items() if more is COMMON or name != "over"}
    required = [name for name in spec.required if name in own]
    schema = {"title": kind, **_object({**own, **more}, required)}
    if len(spec.main) == 1:
        return {**schema, "required": [*spec.main, *required]}
    return {**schema, "oneOf": [{"required": [main]} for main in spec.main]}


def _object(fields: Mapping[str, Field], required: Iterable[str]) -> dict[str, Any]:
    properties = {
        name: {"$ref": f"#/$defs/{name}"}
        if COMMON.get(name) is field
        else {"description": field.description, **field.schema}
        for name, field in fields.items()
    }
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})
