"""JSON Schema as an output type: valid values, refused schemas, parsed replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dagorch import LLM, DefinitionError
from dagorch.errors import InvalidOutputError
from dagorch.models.llm import LLMResponse
from dagorch.nodes.schema import mismatches, schema_of, schema_problems, schema_type
from dagorch.nodes.types import can_flow

REVIEW = {
    "type": "object",
    "properties": {
        "score": {"type": "integer", "minimum": 0, "maximum": 10},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 2},
        "mood": {"enum": ["good", "bad", 1]},
        "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
    },
    "required": ["score"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        ({}, (), "lacks 'score'"),
        ("x", (), "must be a mapping, not 'x'"),
        ({"score": "7"}, ("score",), "must be a whole number, not '7'"),
        ({"score": True}, ("score",), "must be a whole number, not true"),
        ({"score": 11}, ("score",), "must be at most 10, not 11"),
        ({"score": -1}, ("score",), "must be at least 0, not -1"),
        ({"score": 1, "sore": 1}, ("sore",), "no field 'sore'; did you mean 'score'?"),
        ({"score": 1, "tags": ["a", ""]}, ("tags", 1), "must have at least 1 characters, not 0"),
        ({"score": 1, "tags": ["a"] * 3}, ("tags",), "must have at most 2 items, not 3"),
        (
            {"score": 1, "mood": "god"},
            ("mood",),
            "must be one of 'good', 'bad', 1, not 'god'; did you mean 'good'?",
        ),
        ({"score": 1, "mood": True}, ("mood",), "must be one of 'good', 'bad', 1, not true"),
        ({"score": 1, "note": []}, ("note",), "must be what one of its alternatives is, not an"),
    ],
)
def test_an_invalid_value_is_reported_with_its_place(
    value: Any, place: tuple[str | int, ...], message: str
) -> None:
    found = list(mismatches(value, REVIEW))
    assert len(found) == 1
    assert found[0][0] == place
    assert found[0][1].startswith(message)


@pytest.mark.parametrize(
    "value",
    [{"score": 7}, {"score": 7.0, "tags": [], "mood": "bad", "note": None}, {"score": 0}],
)
def test_a_valid_value_passes(value: Any) -> None:
    assert not list(mismatches(value, REVIEW))
    assert TypeAdapter(schema_type(REVIEW)).validate_python(value) == value


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"typ": "string"}, "no keyword 'typ'; did you mean 'type'?"),
        ({"pattern": "(a+)+$"}, "no keyword 'pattern'"),
        ({"$ref": "#/x"}, "no keyword '$ref'"),
        ({"type": "strin"}, "at type: no type 'strin'; did you mean 'string'?"),
        ({"type": ["string", 3]}, "at type: no type 3; there are string"),
        ({"type": []}, "at type: type must be a type, or a list that is not empty"),
        ({"enum": [{1, 2}]}, "JSON Schema: Object of type set is not JSON serializable"),
        ({"properties": []}, "at properties: properties must be a mapping"),
        ({"properties": {"a": {"items": 3}}}, "at properties.a.items: a schema is a mapping"),
        ({"anyOf": []}, "at anyOf: anyOf must be a list that is not empty"),
        ({"anyOf": [{"minimum": "1"}]}, "at anyOf.0.minimum: minimum must be a number"),
        ({"required": [1]}, "at required: required must be a list of fields"),
        ({"maxLength": -1}, "at maxLength: maxLength must be a whole number of at least 0"),
    ],
)
def test_a_schema_that_is_wrong_is_refused_with_the_place(
    schema: dict[str, Any], message: str
) -> None:
    with pytest.raises(DefinitionError, match="JSON Schema") as caught:
        schema_type(schema)
    assert message in str(caught.value)


def test_a_schema_that_nests_without_end_is_refused() -> None:
    schema: dict[str, Any] = {}
    schema["items"] = schema
    assert "30 deep" in next(iter(schema_problems(schema)))[1]


def test_bounds_constants_and_boolean_schemas() -> None:
    open_interval = {"exclusiveMinimum": 0, "exclusiveMaximum": 1}
    assert [len(list(mismatches(value, open_interval))) for value in (0, 0.5, 1)] == [1, 0, 1]
    assert [len(list(mismatches(value, {"const": 1}))) for value in (1, True, 2)] == [0, 1, 1]
    assert not list(mismatches({"a": 1}, {"additionalProperties": True}))
    assert next(mismatches(1, False)) == ((), "must not be there")
    assert [len(list(mismatches({"a": v}, {"additionalProperties": {"type": "null"}})))
            for v in (None, 1)] == [0, 1]  # fmt: skip


@pytest.mark.parametrize("value", [None, True, 1.5, "x", [], {}])
def test_alternatives_may_have_several_types_or_be_booleans(value: Any) -> None:
    several = {"anyOf": [{"type": ["integer", "array"], "minItems": 1, "minimum": 2}, False]}
    ((_, message),) = mismatches(value, several)
    near = "must have at least 1 items, not 0" if value == [] else "must be what one of its"
    assert message.startswith(near)


def test_a_node_sends_the_schema_and_gives_plain_values() -> None:
    node = LLM("review", prompt="Review", output=schema_type(REVIEW))
    assert node.request({}).json_schema == REVIEW
    assert node.parse(LLMResponse('Sure: {"score": 8}', "m")) == {"score": 8}
    with pytest.raises(InvalidOutputError, match="score must be at most 10, not 80"):
        node.parse(LLMResponse('{"score": 80}', "m"))


def test_a_list_is_wrapped_for_the_service_and_unwrapped_again() -> None:
    node = LLM("list", prompt="List", output=schema_type({"type": "array"}))
    assert (node.request({}).json_schema or {})["properties"] == {"value": {"type": "array"}}
    assert node.parse(LLMResponse('{"value": [1]}', "m")) == [1]


def test_a_schema_is_checked_as_a_type_on_edges() -> None:
    assert can_flow(schema_type({"type": "array"}), list[str])
    assert not can_flow(schema_type({"type": "array"}), str)
    assert can_flow(schema_type({"type": ["string", "null"]}), str)
    assert schema_of(schema_type(REVIEW)) == REVIEW
    assert schema_of(str) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_constant_makes_a_valid_schema(value: Any) -> None:
    schema = {"enum": [value], "default": value}
    assert not list(mismatches(value, schema))
    assert schema_of(schema_type(schema)) == schema


def test_a_reply_that_nests_too_deep_is_not_json() -> None:
    with pytest.raises(InvalidOutputError, match="not JSON"):
        LLM("list", prompt="List", output=list).parse(LLMResponse("[" * 100_000, "m"))


def test_nested_alternatives_are_checked_in_linear_time() -> None:
    """Two checks at each level would be a thousand million."""
    schema: dict[str, Any] = {"type": "object", "required": ["deep"]}
    for _ in range(28):
        schema = {"anyOf": [schema, {"type": "string"}], "type": ["object", "string"]}
    assert list(mismatches({}, schema)) == [((), "lacks 'deep'")]
