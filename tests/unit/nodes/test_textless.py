"""Values without a text of their own: what is found in a prompt, and what is data."""

from __future__ import annotations

import datetime
import functools
import io
import itertools
import operator
import sys
import threading
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest
from pydantic import BaseModel, Field, field_serializer

from dagorch import LLM, Graph
from dagorch.errors import DefinitionError
from dagorch.nodes import Function
from dagorch.nodes.template import Template, as_text
from dagorch.nodes.textless import _ENGINE, textless
from dagorch.providers.scripted import ScriptedProvider


class Bare:
    def method(self) -> None: ...


class WithText:
    def __str__(self) -> str:
        return "tea"


class WithRepr:
    def __repr__(self) -> str:
        return "<tea, 3 cups>"


class Colour(Enum):
    GREEN = 1


@dataclass(slots=True)
class Record:
    value: Any


class Model(BaseModel):
    value: Any


class Hidden(BaseModel):
    value: Any = Field(exclude=True)


class Written(BaseModel):
    value: Any

    @field_serializer("value")
    def _text(self, value: Any) -> str:
        return "tea"


WRAPPED: list[Callable[[Any], Any]] = [
    lambda value: value,
    lambda value: [value],
    lambda value: deque([("tea", {"part": value})]),
    Record,
    lambda value: Model(value=value),
    lambda value: {"deep": [Record(Model(value=(1, value)))]},
]
TEXTLESS = [
    Graph("inner"), LLM("ask", prompt="Tea?"), Function("length", len), ScriptedProvider("a reply"),
    int, Bare, Colour, Model, list[int], sys, len, lambda: 1, Bare().method, functools.partial(len),
    operator.itemgetter(1), (line for line in "tea"), iter([1]), map(str, [1]), itertools.count(),
    io.StringIO("tea"), threading.Lock(), threading.RLock(), threading.Event(), object(), Bare(),
]  # fmt: skip
DATA = [
    "<object at 0x7f>", 1, 0.5, None, b"tea", [], {}, {1, 2}, range(3), WithText(), WithRepr(),
    Colour.GREEN, Decimal("0.1"), Path("tea"), datetime.date(2020, 1, 1), uuid.UUID(int=1),
    Record("tea"), Model(value=1), Hidden(value=len), Written(value=len), ValueError("tea"),
    Mock(), MagicMock(), complex(1, 2), slice(1),
]  # fmt: skip


@pytest.mark.parametrize("wrap", WRAPPED)
@pytest.mark.parametrize("value", TEXTLESS, ids=lambda value: type(value).__name__)
def test_an_object_without_text_is_found_at_any_depth(value: Any, wrap: Any) -> None:
    message = rf"'{{value}}' is .*{type(value).__name__} without a text of its own: .*; pass text"
    with pytest.raises(DefinitionError, match=message):
        Template("{value}").render({"value": wrap(value)})


@pytest.mark.parametrize("wrap", WRAPPED)
@pytest.mark.parametrize("value", DATA, ids=lambda value: type(value).__name__)
def test_data_and_objects_with_a_text_are_written(value: Any, wrap: Any) -> None:
    assert textless(wrap(value)) == ""
    assert as_text(wrap(value)) is not None


@pytest.mark.parametrize("name", sorted(_ENGINE))
def test_the_classes_of_the_engine_exist(name: str) -> None:
    module, _, kind = name.rpartition(".")
    assert isinstance(getattr(import_module(module), kind), type)


def test_an_iterator_is_not_used_up() -> None:
    lines = iter(["tea"])
    with pytest.raises(DefinitionError, match="list that holds a list_iterator"):
        as_text([lines])
    assert list(lines) == ["tea"]


def test_a_value_that_contains_itself_is_searched_once() -> None:
    loop: list[Any] = ["tea"]
    loop.append({"again": loop})
    assert textless(loop) == ""
    loop.append(Bare())
    assert "a list that holds a Bare" in textless(loop)
