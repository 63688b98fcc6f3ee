"""Prompt templates: valid texts, how values are written, and refusals with their messages."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import pytest
from pydantic import BaseModel

from dagorch.errors import DefinitionError
from dagorch.nodes.template import Template, as_text


class Report(BaseModel):
    title: str
    score: float


class Opaque(BaseModel, arbitrary_types_allowed=True):
    handle: object


@dataclass(frozen=True, slots=True)
class Source:
    url: str
    pages: int


class Pair(NamedTuple):
    left: str
    right: str


class Teapot:
    def __str__(self) -> str:
        return "short and {stout}"


def test_fields_are_in_order_of_first_appearance_and_once() -> None:
    assert Template("{b} {a} {b} {c}").fields == ("b", "a", "c")


def test_text_without_fields_is_itself() -> None:
    assert Template("").render({}) == ""
    assert Template("no holes\n").render({"unused": 1}) == "no holes\n"


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{}}", "{}"),
        ("{{a}}", "{a}"),
        ("{{{a}}}", "{1}"),
        ("{a}{{", "1{"),
        ("{{{{{a}", "{{1"),
        ('{{"key": "{a}"}}', '{"key": "1"}'),
        ("{a}{a}", "11"),
    ],
)
def test_doubled_braces_are_literal(text: str, rendered: str) -> None:
    assert Template(text).render({"a": 1}) == rendered


def test_names_may_be_in_any_script() -> None:
    assert Template("{größe} {नाम} {_x1}").fields == ("größe", "नाम", "_x1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "line 1, column 1: '{}' is not an input: an input has a name, as in '{topic}'"),
        ("{  }", "an input has a name"),
        ("a {0} b", "line 1, column 3: '{0}' is not an input: inputs have names, not numbers"),
        ("{a.}", "a field of an input is written without spaces, as in '{a.title}'"),
        ("{a .b}", "a field of an input is written without spaces, as in '{a.title}'"),
        ("{a..b}", "a field of an input is written without spaces"),
        ("{a.0}", "a field of an input is written without spaces"),
        ("{a.b()}", "a field of an input is written without spaces"),
        ("{a.__class__}", "only keys and declared fields can be taken, as in '{a.title}'"),
        ("{a.b.__init__}", "only keys and declared fields can be taken"),
        ("{.b}", "only '{name}' is"),
        ("{a[0]}", "no item can be taken; pass it as an input, or write '{a}'"),
        ("{a.b[0]}", "a field of an input is written without spaces"),
        ("{a!r}", "without directives; write '{a}'"),
        ("x\ny {a:>10}", "line 2, column 3: '{a:>10}' is not an input"),
        ("{ a }", "write '{a}'"),
        ("{a-b}", "only '{name}' is"),
        ("{a b}", "only '{name}' is"),
        ('{"title": 1}', "only '{name}' is; a literal brace is written '{{' or '}}'"),
        ("{²}", "inputs have names, not numbers"),
        ("one {", "line 1, column 5: the '{' of '{' is opened but never closed"),
        ('{"a": {"b": 1}}', "is opened but never closed"),
        ("a } b", "line 1, column 3: the '}' of 'a }' closes nothing"),
        ("{a}}", "column 4: the '}' of '{a}}' closes nothing"),
        ("{{a}", "closes nothing"),
    ],
)
def test_anything_else_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Template(text)
    assert message in str(caught.value)
    assert "a literal brace is written '{{' or '}}'" in str(caught.value)


def test_a_long_offending_piece_is_shortened() -> None:
    with pytest.raises(DefinitionError) as caught:
        Template("{" + "x y " * 1000 + "}")
    assert len(str(caught.value)) < 200


def test_a_template_must_be_text() -> None:
    with pytest.raises(DefinitionError, match="a template is text, not int"):
        Template(3)  # type: ignore[arg-type]


def test_none_is_refused_unless_the_field_says_that_it_may_be() -> None:
    with pytest.raises(DefinitionError) as caught:
        Template("Dear {name}").render({"name": None})
    assert str(caught.value) == (
        "the value of '{name}' is None; write '{name?}' in the template if its place may stay empty"
    )
    template = Template("Dear {name?}{doc.title?}!")
    assert template.fields == ("name", "doc")
    assert template.render({"name": None, "doc": {"title": None}}) == "Dear !"
    assert template.render({"name": "Ada", "doc": {"title": " B"}}) == "Dear Ada B!"
    with pytest.raises(DefinitionError, match="is None"):
        Template("{name?} {name}").render({"name": None})
    with pytest.raises(DefinitionError, match=r"'\{doc.title\}' is None"):
        Template("{doc.title}").render({"doc": {"title": None}})
    assert Template("{names}").render({"names": []}) == ""


@pytest.mark.parametrize("text", ["{?}", "{a??}", "{a ?}", "{a?.b}", "{?a}"])
def test_a_question_mark_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="is not an input"):
        Template(text)


def test_missing_values_are_all_named() -> None:
    with pytest.raises(DefinitionError) as caught:
        Template("{sumary} {title} {style}").render({"summary": "x", "style": "y"})
    assert str(caught.value) == (
        "the template has no value for 'sumary', 'title'; did you mean 'summary'?"
    )


def test_values_are_never_interpreted() -> None:
    values = {"a": "{b}", "b": "{{a!r}}", "c": "{0.__class__}"}
    assert Template("{a}|{b}|{c}").render(values) == "{b}|{{a!r}}|{0.__class__}"


def test_templates_are_values() -> None:
    one, other = Template("{a}"), Template("{a}")
    assert one == other
    assert hash(one) == hash(other)
    assert one != Template("{b}")
    assert repr(one) == "Template(text='{a}')"
    for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert again == one
        assert again.render({"a": "x"}) == "x"
    with pytest.raises(AttributeError):
        one.text = "{b}"  # type: ignore[misc]
    assert not hasattr(one, "__dict__")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("{as} it is", "{as} it is"),
        (None, ""),
        (True, "True"),
        (0.1, "0.1"),
        (Teapot(), "short and {stout}"),
        ([], ""),
        (["a", "b"], "1. a\n\n2. b"),
        (("a",), "1. a"),
        (deque(["a", "b"]), "1. a\n\n2. b"),
        (Pair("a", "b"), "1. a\n\n2. b"),
        ({"b", "a"}, "1. a\n\n2. b"),
        (frozenset({2, 1}), "[\n  1,\n  2\n]"),
        (["a", 1], '[\n  "a",\n  1\n]'),
        ({}, "{}"),
        ({"é": None}, '{\n  "é": null\n}'),
        (MappingProxyType({"a": 1}), '{\n  "a": 1\n}'),
        (Source("u", 3), '{\n  "url": "u",\n  "pages": 3\n}'),
        (Report(title="Tea", score=1), '{\n  "title": "Tea",\n  "score": 1.0\n}'),
        ([Teapot()], '[\n  "short and {stout}"\n]'),
        ({"tea": [Teapot(), 1]}, '{\n  "tea": [\n    "short and {stout}",\n    1\n  ]\n}'),
        (Opaque(handle=Teapot()), '{\n  "handle": "short and {stout}"\n}'),
        ([b"\xff"], "[b'\\xff']"),
        ({"a": "\ud800"}, str({"a": "\ud800"})),
    ],
)
def test_values_are_written_for_a_reader(value: object, text: str) -> None:
    assert as_text(value) == text
    assert Template("{value?}").render({"value": value}) == text


def test_models_in_a_list_are_written_by_the_names_of_their_fields() -> None:
    text = as_text([Report(title="Tea", score=1)])
    assert text == '[\n  {\n    "title": "Tea",\n    "score": 1.0\n  }\n]'


def test_a_list_that_contains_itself_can_be_written() -> None:
    loop: list[object] = [1]
    loop.append(loop)
    assert as_text(loop) == "[1, [...]]"


def test_rendering_text_imports_nothing() -> None:
    code = (
        "import sys\n"
        "from dagorch.nodes.template import as_text\n"
        "before = set(sys.modules)\n"
        "assert as_text('a') + as_text(['b', 'c']) + as_text(1.5)\n"
        "raise SystemExit(' '.join(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
