"""Conditions without code: parts of values, tests, labels; in a graph and on their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from dagorch import DefinitionError, Graph
from dagorch.nodes.conditions import Condition, Label, pick
from dagorch.nodes.fields import get_field


class Review(BaseModel):
    score: int = 7


@dataclass
class Ticket:
    review: Review


VALUE = Ticket(Review())


def test_only_mappings_models_and_dataclasses_have_parts() -> None:
    assert get_field(VALUE, "review.score") == 7
    assert get_field({"a": VALUE}, "a.review.score") == 7
    assert get_field("whole", "") == "whole"
    for field in ("review.scor", "__class__", "review.model_fields", "review.__init__"):
        with pytest.raises(LookupError, match="has no field"):
            get_field(VALUE, field)
    with pytest.raises(LookupError, match="did you mean 'score'"):
        get_field(VALUE, "review.scor")
    with pytest.raises(LookupError, match=r"str has no field .upper.$"):
        get_field("text", "upper")


@pytest.mark.parametrize(
    ("test", "than", "value", "holds"),
    [
        ("", None, "yes", True),
        ("", None, "", False),
        ("is", "a", "a", True),
        ("is", 1, True, False),
        ("is_not", "a", "b", True),
        ("one_of", ("a", "b"), "b", True),
        ("one_of", (1,), True, False),
        ("at_least", 8, 8, True),
        ("at_least", 8, 7.9, False),
        ("at_most", 8, 9, False),
        ("contains", "DONE", "It is DONE.", True),
        ("contains", "x", ["y"], False),
    ],
)
def test_conditions(test: str, than: Any, value: Any, holds: bool) -> None:
    assert Condition(test=test, than=than)(value) is holds
    assert Condition("field", test, than)({"field": value}) is holds


def test_what_cannot_be_compared_fails_and_an_unknown_test_is_refused() -> None:
    with pytest.raises(TypeError):
        Condition(test="at_least", than=3)("many")
    with pytest.raises(DefinitionError, match="did you mean 'at_least'"):
        Condition(test="atleast", than=3)


def test_a_label_is_the_value_or_the_default() -> None:
    assert Label()("bug") == "bug"
    assert Label("kind", ("a", "b"), "a")({"kind": ["a", "b"]}) == ["a", "b"]
    assert Label("", ("a",), "rest")(["a", "x"]) == "rest"
    assert Label("", ("true", "false"), "false")(True) is True


def graph() -> Graph:
    made = Graph("routes")
    made.input("ticket", dict[str, Any])
    kind = made.function(pick, id="kind", value=made.input("again"), field="kind")
    route = made.branch("route", Label("kind", ("bug",), "other"), ("bug", "other"), value=kind)
    left = made.function(pick, id="left", after=route["bug"], value=kind, field="kind")
    made.output(left)
    return made


def test_conditions_and_labels_work_in_a_graph() -> None:
    outer = Graph("count")
    body = Graph("add")
    state = body.input("state", int)

    async def add(number: int) -> dict[str, int]:
        return {"number": number + 1}

    async def number(counted: dict[str, int]) -> int:
        return counted["number"]

    body.function(number, counted=body.function(add, number=state))
    loop = outer.loop("loop", body, max_iterations=9, state=0, until=Condition("", "at_least", 3))
    assert outer.run_sync()[loop] == 3
    value = {"kind": {"kind": "bug"}}
    assert graph().run_sync(ticket={}, again=value).output == "bug"
