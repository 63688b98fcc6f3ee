"""
JSON Schema as an output type, for replies that no Python type describes.

It covers types, fields, items, bounds and choices. Patterns and references are not supported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.models.truncate import truncate
from dagorch.nodes.conditions import strictly_equal

__all__ = [
    "KEYWORDS",
    "JsonSchema",
    "Step",
    "mismatches",
    "schema_of",
    "schema_problems",
    "schema_type",
]

Step = str | int
"""One step into a value: a key or an index."""
Mismatch = tuple[tuple[Step, ...], str]
"""Where in a value something is wrong, and a message."""

_BASES: Final[Mapping[str, Any]] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list[Any],
    "object": dict[str, Any],
}
_NAMES: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
_NOTES: Final = ("title", "description", "default", "examples", "$schema")
_INNER: Final = ("items", "additionalProperties")
_COUNTS: Final = ("minLength", "maxLength", "minItems", "maxItems")
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
KEYWORDS: Final = (
    "type", "enum", "const", "properties", "required", "anyOf",
    *_INNER, *_COUNTS, *_BOUNDS, *_NOTES,
)  # fmt: skip
"""The keywords that a schema may have."""
_MAX_DEPTH: Final = 30
_MAX_REPORTED: Final = 50
"""Mismatches with one alternative."""


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The metadata of an annotation that stands for a JSON Schema; see `schema_type`."""

    text: str
    """The schema as JSON, with its keys in their original order."""

    @property
    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = self.schema

        def checked(value: Any) -> Any:
            for path, message in mismatches(value, schema):
                place = ".".join(map(str, path))
                raise PydanticCustomError(
                    "json_schema",
                    "{message}",
                    {"message": f"{place} {message}" if place else message},
                )
            return value

        return core_schema.no_info_plain_validator_function(checked)

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.schema


def schema_type(schema: Mapping[str, Any]) -> Any:
    """
    Return the type of values that fit a JSON Schema, for an LLM node's `output`.

    Replies are checked against the schema. Their values are plain dicts, lists and scalars.

    Raises:
        DefinitionError: The schema has a keyword that is unknown or malformed; see `KEYWORDS`.

    Example:
        >>> verdict = schema_type({"type": "object", "properties": {"score": {"type": "integer"}},
        ...                        "required": ["score"]})
        >>> from pydantic import TypeAdapter
        >>> TypeAdapter(verdict).validate_json('{"score": 7}')
        {'score': 7}
        >>> next(mismatches({"score": "high"}, schema_of(verdict)))
        (('score',), "must be a whole number, not 'high'")
    """
    for path, message in schema_problems(schema):
        place = ".".join(map(str, path))
        raise DefinitionError(f"JSON Schema{f', at {place}' if place else ''}: {message}")
    kind = schema.get("type")
    base = _BASES.get(kind, Any) if isinstance(kind, str) else Any
    try:
        return Annotated[base, JsonSchema(json.dumps(schema))]
    except (TypeError, ValueError) as error:
        raise DefinitionError(f"JSON Schema: {error}") from error


def schema_of(annotation: Any) -> dict[str, Any] | None:
    """Return the schema that an annotation stands for; None if it has none."""
    for note in getattr(annotation, "__metadata__", ()):
        if isinstance(note, JsonSchema):
            return note.schema
    return None


def schema_problems(schema: Any) -> Iterator[Mismatch]:
    """Yield the problems of a schema itself, each with its place in the schema."""
    return _schema_problems(schema, (), _MAX_DEPTH)


def _schema_problems(schema: Any, at: tuple[Step, ...], depth: int) -> Iterator[Mismatch]:
    if schema is True or schema is False:
        return
    if not isinstance(schema, Mapping):
        yield at, f"a schema is a mapping, not {schema!r:.60}"
        return
    if depth == 0:
        yield at, f"schemas may nest at most {_MAX_DEPTH} deep"
        return
    for name, value in schema.items():
        here = (*at, name)
        if name not in KEYWORDS:
            yield (
                here,
                f"no keyword {name!r}{did_you_mean(str(name), KEYWORDS)}"
                + (
                    ""
                    if did_you_mean(str(name), KEYWORDS)
                    else f"; there are {', '.join(KEYWORDS)}"
                ),
            )
        elif message := _keyword_problem(name, value):
            yield here, message
        elif name in _INNER:
            yield from _schema_problems(value, here, depth - 1)
        elif name == "properties":
            for key, inner in value.items():
                yield from _schema_problems(inner, (*here, key), depth - 1)
        elif name == "anyOf":
            for place, inner in enumerate(value):
                yield from _schema_problems(inner, (*here, place), depth - 1)


def _keyword_problem(name: str, value: Any) -> str:
    """Return what is wrong with the value of a keyword; empty if nothing is."""
    if name == "type" and value == []:
        return "type must be a type, or a list that is not empty"
    if name == "type":
        for kind in value if isinstance(value, list) else [value]:
            if not isinstance(kind, str) or kind not in _NAMES:
                return f"no type {kind!r}" + (
                    did_you_mean(str(kind), _NAMES) or f"; there are {', '.join(_NAMES)}"
                )
    elif name == "properties" and not isinstance(value, Mapping):
        return "properties must be a mapping of field to schema"
    elif name in ("enum", "anyOf", "required") and not (isinstance(value, list) and value):
        return f"{name} must be a list that is not empty"
    elif name == "required" and not all(isinstance(item, str) for item in value):
        return "required must be a list of fields"
    elif name in _COUNTS and not (_is_number(value, int) and value >= 0):
        return f"{name} must be a whole number of at least 0"
    elif name in _BOUNDS and not _is_number(value):
        return f"{name} must be a number"
    return ""


def mismatches(value: Any, schema: Any) -> Iterator[Mismatch]:
    """
    Yield where a value does not fit a schema, and why.

    Example:
        >>> schema = {"required": ["c"], "properties": {"b": {"minimum": 1}}}
        >>> list(mismatches({"a": 1, "b": 0}, schema))
        [((), "lacks 'c'"), (('b',), 'must be at least 1, not 0')]
    """
    return _mismatches(value, schema, ())


def _mismatches(value: Any, schema: Any, at: tuple[Step, ...]) -> Iterator[Mismatch]:
    if schema is True:
        return
    if schema is False:
        yield at, "must not be there"
        return
    kinds = _kinds(schema)
    if kinds and not any(_is_a(value, kind) for kind in kinds):
        yield at, _must_be(schema, " or ".join(_NAMES[kind] for kind in kinds), value)
        return
    yield from _wrong_choice(value, schema, at)
    if _is_number(value):
        yield from ((at, message) for message in _out_of_bounds(value, schema))
    if isinstance(value, str | list):
        yield from ((at, message) for message in _wrong_length(value, schema))
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            yield from _mismatches(item, schema["items"], (*at, place))
    if isinstance(value, Mapping):
        yield from _wrong_fields(value, schema, at)


def _wrong_choice(value: Any, schema: Any, at: tuple[Step, ...]) -> Iterator[Mismatch]:
    if "enum" in schema and not any(strictly_equal(value, known) for known in schema["enum"]):
        known = [item for item in schema["enum"] if isinstance(item, str)]
        hint = did_you_mean(value, known) if isinstance(value, str) else ""
        yield at, _must_be(schema, f"one of {', '.join(map(_shown, schema['enum']))}", value) + hint
    if "const" in schema and not strictly_equal(value, schema["const"]):
        yield at, _must_be(schema, _shown(schema["const"]), value)
    near: list[list[Mismatch]] = []
    for one in schema.get("anyOf", ()):
        # Once for each alternative: twice at each level would be exponential in the depth.
        wrong = list(islice(_mismatches(value, one, at), _MAX_REPORTED))
        if not wrong:
            return
        if any(_is_a(value, kind) for kind in _kinds(one)):
            near.append(wrong)
    if "anyOf" not in schema:
        return
    if len(near) == 1 and not isinstance(value, str):  # it is clear which one was meant
        yield from near[0]
    else:
        yield at, _must_be(schema, "what one of its alternatives is", value)


def _wrong_fields(
    value: Mapping[str, Any], schema: Any, at: tuple[Step, ...]
) -> Iterator[Mismatch]:
    for name in schema.get("required", ()):
        if name not in value:
            yield at, f"lacks {name!r}"
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in known:
            yield from _mismatches(item, known[name], (*at, name))
        elif others is False:
            hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            yield (*at, name), f"no field {name!r}{hint}"
        else:
            yield from _mismatches(item, others, (*at, name))


def _out_of_bounds(value: float, schema: Mapping[str, Any]) -> Iterator[str]:
    if "minimum" in schema and value < schema["minimum"]:
        yield f"must be at least {schema['minimum']}, not {value!r:.60}"
    if "maximum" in schema and value > schema["maximum"]:
        yield f"must be at most {schema['maximum']}, not {value!r:.60}"
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield f"must be above {schema['exclusiveMinimum']}, not {value!r:.60}"
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield f"must be below {schema['exclusiveMaximum']}, not {value!r:.60}"


def _wrong_length(value: str | list[Any], schema: Mapping[str, Any]) -> Iterator[str]:
    what = ("Length", "characters") if isinstance(value, str) else ("Items", "items")
    least, most = schema.get(f"min{what[0]}", 0), schema.get(f"max{what[0]}")
    if len(value) < least:
        yield f"must have at least {least} {what[1]}, not {len(value)}"
    if most is not None and len(value) > most:
        yield f"must have at most {most} {what[1]}, not {len(value)}"


def _must_be(schema: Mapping[str, Any], what: str, value: Any) -> str:
    return f"must be {schema.get('title', what)}, not {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return truncate(text, 60)


def _is_number(value: Any, kind: Any = (int, float)) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _kinds(schema: Any) -> list[str]:
    """Return the types that a schema allows; empty if it allows all."""
    kinds = schema.get("type", []) if isinstance(schema, Mapping) else []
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _is_a(value: Any, kind: str) -> bool:
    if kind == "integer":
        return _is_number(value, int) or (isinstance(value, float) and value.is_integer())
    if kind == "number":
        return _is_number(value)
    if kind == "null":
        return value is None
    wanted = {"string": str, "boolean": bool, "array": list, "object": Mapping}[kind]
    return isinstance(value, wanted)
