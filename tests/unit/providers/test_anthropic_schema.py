from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from dagorch.providers.anthropic_schema import to_anthropic_schema


class Part(BaseModel):
    share: float = Field(ge=0, le=1, description="Of the whole.")
    kind: Literal["a", "b"]


class Whole(BaseModel):
    """The whole."""

    title: str = Field(max_length=9)
    parts: list[Part] = Field(min_length=1, max_length=3)
    note: str | None = None


class Tree(BaseModel):
    children: list[Tree]


class Left(BaseModel):
    right: Right | None


class Right(BaseModel):
    left: Left | None


def test_bounds_move_to_the_description_and_objects_are_closed() -> None:
    before = Whole.model_json_schema()
    found = to_anthropic_schema(before)
    assert found is not None
    assert before == Whole.model_json_schema()
    assert found["properties"]["title"] == {
        "title": "Title",
        "type": "string",
        "description": '{"maxLength": 9}',
    }
    assert found["properties"]["parts"]["minItems"] == 1
    assert found["properties"]["parts"]["description"] == '{"maxItems": 3}'
    assert found["properties"]["note"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    part = found["$defs"]["Part"]
    assert part["additionalProperties"] is found["additionalProperties"] is False
    assert part["properties"]["share"]["description"] == (
        'Of the whole.\n{"maximum": 1, "minimum": 0}'
    )


@pytest.mark.parametrize(
    "schema",
    [
        Tree.model_json_schema(),
        Left.model_json_schema(),
        {"type": "object"},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {"any": {}}},
        {"type": "array", "items": True},
    ],
)
def test_schemas_that_the_subset_cannot_express(schema: dict[str, Any]) -> None:
    assert to_anthropic_schema(schema) is None


def test_supported_formats_are_kept() -> None:
    assert to_anthropic_schema({"type": "string", "format": "date"}) == {
        "type": "string",
        "format": "date",
    }
    assert to_anthropic_schema({"type": "string", "format": "color"}) == {
        "type": "string",
        "description": '{"format": "color"}',
    }


def test_one_of_becomes_any_of() -> None:
    schema = {"oneOf": [{"type": "string"}, {"type": "null"}], "discriminator": {"x": 1}}
    assert to_anthropic_schema(schema) == {"anyOf": [{"type": "string"}, {"type": "null"}]}
