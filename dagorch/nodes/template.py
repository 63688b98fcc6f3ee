"""Prompt templates: text with named fields, without expressions and format directives."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, is_dataclass
from typing import Any

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.models.ref import REF_MARK
from dagorch.models.truncate import truncate
from dagorch.nodes.fields import get_field
from dagorch.nodes.textless import textless

__all__ = ["Template", "as_text"]

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_LEADING_NAME = re.compile(r"\s*([^\W\d]\w*)\s*")
_ESCAPE = "a literal brace is written '{{' or '}}'"


@dataclass(frozen=True, slots=True)
class Template:
    """
    A prompt with named inputs: `{name}` is a field, `{{` and `}}` are literal braces.

    `{name.title}` is a part of an input: a key of a mapping, or a declared field of a pydantic
    model or a dataclass. None is refused as the value of a field, unless the field is written
    `{name?}`: then its place stays empty.

    Nothing else is accepted: `{}`, `{0}`, `{a[0]}`, `{a!r}`, `{a:>10}` and a lone brace are refused
    when the template is made. Values are inserted as text and never interpreted, so no value can
    reach another attribute, a format directive or another value. Templates are equal if their
    texts are. They can be hashed and pickled.

    Args:
        text: The template's source. Empty text renders as empty text.

    Raises:
        DefinitionError: The text is not a template; the message has the line, the column, the
            wrong part and how to write it.

    Cost: O(length) once; rendering is one join.

    Example:
        >>> template = Template("Argue about {topic} as {{json}}, for {reader}; {topic}!")
        >>> template.fields
        ('topic', 'reader')
        >>> template.render({"topic": "{tea}", "reader": "a child"})
        'Argue about {tea} as {json}, for a child; {tea}!'
    """

    text: str
    fields: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The names of the inputs, in order of first appearance, each once."""
    parts: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Each input or part of one that the text takes, such as `doc.title`, once."""
    _pieces: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Literal text, and an input or a part of one at each index in `_holes`."""
    _holes: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _not_none: frozenset[str] = field(init=False, repr=False, compare=False)
    """The parts that are written without a question mark."""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise DefinitionError(f"a template is text, not {type(self.text).__name__}")
        if REF_MARK in self.text:
            raise DefinitionError(
                "the text contains the repr of a ref, which no run replaces by a value; name an "
                "input, '{draft}', and bind it: draft=ref"
            )
        pieces, holes = _parse(self.text)
        written = [pieces[hole] for hole in holes]
        for hole in holes:
            pieces[hole] = pieces[hole].removesuffix("?")
        parts = tuple(dict.fromkeys(pieces[hole] for hole in holes))
        names = tuple(dict.fromkeys(part.partition(".")[0] for part in parts))
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "fields", names)
        object.__setattr__(self, "_not_none", frozenset(written).intersection(parts))
        object.__setattr__(self, "_pieces", tuple(pieces))
        object.__setattr__(self, "_holes", tuple(holes))

    def render(self, values: Mapping[str, object]) -> str:
        r"""
        Return the text with every field replaced by its value, written by `as_text`.

        Args:
            values: A value per field; other values are ignored.

        Raises:
            DefinitionError: Fields have no value; the message names them all. Or a value has no
                such part, is None, or is or holds an object without a text of its own.

        Cost: each field is converted to text once, however often it appears.

        Example:
            >>> Template("{views}").render({"views": ["for", "against"]})
            '1. for\n\n2. against'
        """
        missing = [name for name in self.fields if name not in values]
        if missing:
            hint = did_you_mean(missing[0], [name for name in values if name not in self.fields])
            raise DefinitionError(
                f"the template has no value for {', '.join(map(repr, missing))}{hint}"
            )
        found = {part: _part_of(values, part) for part in self.parts}
        for part in self._not_none:
            if found[part] is None:
                raise DefinitionError(
                    f"the value of '{{{part}}}' is None; write '{{{part}?}}' in the template if "
                    "its place may stay empty"
                )
        texts = {
            part: value if type(value) is str else as_text(value, f"the value of '{{{part}}}'")
            for part, value in found.items()
        }
        pieces = list(self._pieces)
        for hole in self._holes:
            pieces[hole] = texts[pieces[hole]]
        return "".join(pieces)


def _part_of(values: Mapping[str, object], part: str) -> object:
    name, _, field = part.partition(".")
    try:
        return get_field(values[name], field)
    except LookupError as error:
        raise DefinitionError(f"the template has '{{{part}}}', but {error.args[0]}") from None


def as_text(value: object, place: str = "the value") -> str:
    r"""
    Convert a value to the text that a model reads.

    - Text stays as it is. None becomes empty text.
    - A list, tuple, deque or set of texts becomes paragraphs numbered from 1, so that a model can
      cite them. An empty one becomes empty text.
    - A pydantic model, dataclass, mapping or other list, tuple, deque or set becomes indented
      JSON, with `str(item)` for what JSON cannot represent.
    - Anything else becomes `str(value)`.

    A set is sorted by the texts of its items, so that equal values give equal prompts.

    Args:
        value: The value.
        place: What the value is, for the message of an error.

    Raises:
        DefinitionError: The value is or holds an object without a text of its own.
        Exception: Whatever the value's own `__str__` raises.

    Example:
        >>> as_text(["tea", "coffee"])
        '1. tea\n\n2. coffee'
        >>> print(as_text({"title": "Tea", "sources": [1, None]}))
        {
          "title": "Tea",
          "sources": [
            1,
            null
          ]
        }
        >>> as_text(None), as_text(0.5), as_text([])
        ('', '0.5', '')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if what := textless(value):
        raise DefinitionError(
            f"{place} is {what}; pass text, data, or an object with a __str__ of its own"
        )
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple | deque):
        if all(isinstance(item, str) for item in value):
            return "\n\n".join(f"{number}. {item}" for number, item in enumerate(value, 1))
        return _as_json(value)
    if isinstance(value, Mapping):
        return _as_json(value if isinstance(value, dict) else dict(value))
    if _is_model(value) or (is_dataclass(value) and not isinstance(value, type)):
        return _as_json(value)
    return str(value)


def _is_model(value: object) -> bool:
    # A value can be a model only if pydantic was imported. This look-up imports nothing.
    base = getattr(sys.modules.get("pydantic.main"), "BaseModel", ())
    return isinstance(value, base)


def _as_json(value: Any) -> str:
    # Imported here: it takes milliseconds, and prompts of plain text do not need it.
    from pydantic_core import to_json

    if _is_model(value):
        with suppress(ValueError):  # a field that JSON cannot represent
            return str(value.model_dump_json(indent=2, warnings=False))
    try:
        return to_json(value, indent=2, fallback=str, by_alias=False).decode()
    except ValueError:  # bytes that are not UTF-8, lone surrogates, a list that contains itself
        return str(value)


def _is_part(name: str) -> bool:
    """Return whether text in braces names an input or a field of an input."""
    return all(map(str.isidentifier, name.split("."))) and ".__" not in name


def _parse(text: str) -> tuple[list[str], list[int]]:
    """Split a template into pieces, and return them with the indices of the fields."""
    pieces: list[str] = []
    holes: list[int] = []
    end = 0
    for token in _TOKEN.finditer(text):
        piece, name = token[0], token[1]
        literal = text[end : token.start()]
        if piece in ("{{", "}}"):
            pieces.append(literal + piece[0])
        elif name is not None and _is_part(name.removesuffix("?")):
            pieces.append(literal)
            holes.append(len(pieces))
            pieces.append(name)
        else:
            raise DefinitionError(_error_text(text, token.start(), piece, name))
        end = token.end()
    pieces.append(text[end:])
    return pieces, holes


def _error_text(text: str, start: int, piece: str, inner: str | None) -> str:
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    where = f"template, line {line}, column {column}"
    if inner is None:
        shown = repr(truncate(text[start:] if piece == "{" else text[: start + 1][-20:], 40))
        text_of_error = "is opened but never closed" if piece == "{" else "closes nothing"
        return f"{where}: the {piece!r} of {shown} {text_of_error}; {_ESCAPE}"
    name = _LEADING_NAME.match(inner)
    rest = inner[name.end() : name.end() + 1] if name else ""
    if not inner.strip():
        advice = "an input has a name, as in '{topic}'"
    elif inner.strip().isdigit():
        advice = "inputs have names, not numbers, as in '{topic}'"
    elif name and rest == "." and "__" in inner:
        advice = f"only keys and declared fields can be taken, as in '{{{name[1]}.title}}'"
    elif name and rest == ".":
        advice = f"a field of an input is written without spaces, as in '{{{name[1]}.title}}'"
    elif name and rest == "[":
        advice = f"no item can be taken; pass it as an input, or write '{{{name[1]}}}'"
    elif name and rest in ("!", ":"):
        advice = f"values are inserted as text, without directives; write '{{{name[1]}}}'"
    elif name and not rest:
        advice = f"write '{{{name[1]}}}'"
    else:
        advice = "only '{name}' is"
    return f"{where}: {truncate(piece, 40)!r} is not an input: {advice}; {_ESCAPE}"
