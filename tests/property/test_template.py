"""Rendering a template equals a model that knows only its pieces, for any text."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.errors import DefinitionError
from dagorch.nodes.template import Template, as_text

NAMES = ("a", "b", "topic", "_x", "é")
TEXTS = st.text(st.sampled_from('{}"ab\n[0]!:.é ') | st.characters(exclude_categories=["Cs"]))
Piece = tuple[str, bool]
"""A literal text, or with True the name of a field."""
PIECES: st.SearchStrategy[list[Piece]] = st.lists(
    st.tuples(TEXTS, st.just(False)) | st.tuples(st.sampled_from(NAMES), st.just(True))
)
VALUES = st.fixed_dictionaries(dict.fromkeys(NAMES, TEXTS))


def source(pieces: list[Piece]) -> str:
    return "".join(
        "{" + piece + "}" if is_field else piece.replace("{", "{{").replace("}", "}}")
        for piece, is_field in pieces
    )


@given(PIECES, VALUES)
def test_rendering_joins_the_pieces(pieces: list[Piece], values: dict[str, str]) -> None:
    template = Template(source(pieces))
    names = [piece for piece, is_field in pieces if is_field]
    assert template.fields == tuple(dict.fromkeys(names))
    assert template.render(values) == "".join(
        values[piece] if is_field else piece for piece, is_field in pieces
    )


@given(TEXTS)
def test_a_text_is_either_refused_or_means_what_str_format_means(text: str) -> None:
    if not is_template(text):
        with pytest.raises(DefinitionError, match="line "):
            Template(text)
        return
    template = Template(text)
    values = dict.fromkeys(template.fields, "{x}")
    optional = {f"{name}?": value for name, value in values.items()}
    assert template.render(values) == text.format_map(values | optional)


def is_template(text: str) -> bool:
    """Whether `str.format` knows the text, and every field is a bare name, or one with `?`."""
    try:
        parsed = [piece[1:] for piece in string.Formatter().parse(text) if piece[1] is not None]
    except ValueError:
        return False
    for name, spec, kind in parsed:
        if not (name.removesuffix("?").isidentifier() and (spec, kind) == ("", None)):
            return False
    # The parser forgets a colon without a format behind it.
    return not any(f"{{{name}:}}" in text.replace("{{", "") for name, _, _ in parsed)


@given(TEXTS)
def test_any_text_survives_as_a_value(value: str) -> None:
    assert Template("{value}").render({"value": value}) == value
    assert Template("<{{{a}}}>").render({"a": value}) == "<{" + value + "}>"


@given(st.lists(TEXTS))
def test_texts_are_numbered_from_one(values: list[str]) -> None:
    expected = "\n\n".join(f"{i + 1}. {values[i]}" for i in range(len(values)))
    assert as_text(values) == as_text(tuple(values)) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_can_be_written_and_always_the_same_way(value: object) -> None:
    assert as_text(value) == as_text(value)


@given(st.sets(st.sampled_from(NAMES), min_size=1))
def test_every_missing_name_is_reported(missing: set[str]) -> None:
    template = Template(" ".join(f"{{{name}}}" for name in NAMES))
    with pytest.raises(DefinitionError) as caught:
        template.render({name: "" for name in NAMES if name not in missing})
    assert all(repr(name) in str(caught.value) for name in missing)
