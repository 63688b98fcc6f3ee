"""
Types as a file names them, such as `list[str]` or `my.module:Report`; nothing is evaluated.

The grammar is not Python's: `module:Name` is a type, and there are no calls or attributes.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, Union, get_args, get_origin

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.files.references import reference_to
from dagorch.nodes.schema import schema_of, schema_type
from dagorch.nodes.types import type_name

__all__ = ["TYPES", "read_type", "write_type"]

TYPES: Final[Mapping[str, Any]] = {
    "Any": Any, "None": None, "str": str, "int": int, "float": float, "bool": bool,
    "bytes": bytes, "list": list, "dict": dict, "tuple": tuple, "set": set,
    "frozenset": frozenset, "Sequence": Sequence, "Mapping": Mapping, "Iterable": Iterable,
}  # fmt: skip
"""The types that need no module."""

_NAMES: Final = {kind: name for name, kind in TYPES.items()} | {type(None): "None"}
_PLAIN: Final = frozenset({"Any", "None", "str", "int", "float", "bool", "bytes"})
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<name>[^\W\d][\w.]*(?::[^\W\d][\w.]*)?)|(?P<number>-?\d{1,18})"
    r"|(?P<text>\"[^\"\\]*\"|'[^'\\]*')|(?P<mark>\.\.\.|[\[\],|]))"
)
_MAX_DEPTH: Final = 12
_MAX_LENGTH: Final = 1_000


class _Parser:
    """A recursive descent parser for one type."""

    def __init__(self, text: str, find: Callable[[str], Any]) -> None:
        self.text = text
        self.find = find
        self.at = 0

    def parse(self) -> Any:
        found = self.union(_MAX_DEPTH)
        if self.text[self.at :].strip():
            raise self.error()
        return found

    def union(self, depth: int) -> Any:
        members = [self.member(depth)]
        while self.take("|"):
            members.append(self.member(depth))
        return members[0] if len(members) == 1 else Union[tuple(members)]  # noqa: UP007  built here

    def member(self, depth: int) -> Any:
        if depth == 0:
            raise DefinitionError(f"the type {self.text:.40}... nests more than {_MAX_DEPTH} deep")
        name = self.token("name")
        if name is None:
            raise self.error()
        if name == "Literal":
            return Literal[tuple(self.items(self.choice))]
        if ":" in name:
            found = self.find(name)
        elif name in TYPES:
            found = TYPES[name]
        else:
            raise DefinitionError(
                f"no type {name!r:.60}"
                + (did_you_mean(name, TYPES) or f"; use one of {', '.join(TYPES)}, module:Name")
            )
        if name in _PLAIN or not self.peek("["):
            return found
        arguments = self.items(lambda: self.argument(depth - 1))
        if found is Any:  # stands for a class that was not imported
            return Any
        try:
            return found[tuple(arguments) if len(arguments) > 1 else arguments[0]]
        except TypeError as error:
            raise DefinitionError(f"the type {self.text!r:.80} is not valid: {error}") from None

    def argument(self, depth: int) -> Any:
        return ... if self.take("...") else self.union(depth)

    def items(self, read: Callable[[], Any]) -> list[Any]:
        if not self.take("["):
            raise self.error()
        found = [read()]
        while self.take(","):
            found.append(read())
        if not self.take("]"):
            raise self.error()
        return found

    def choice(self) -> Any:
        if (text := self.token("text")) is not None:
            return text[1:-1]
        if (number := self.token("number")) is not None:
            return int(number)
        word = self.token("name")
        if word not in ("True", "False", "None"):
            raise self.error()
        return {"True": True, "False": False, "None": None}[word]

    def token(self, group: str) -> str | None:
        match = _TOKEN.match(self.text, self.at)
        if match is None or match[group] is None:
            return None
        self.at = match.end()
        return match[group]

    def peek(self, mark: str) -> bool:
        match = _TOKEN.match(self.text, self.at)
        return match is not None and match["mark"] == mark

    def take(self, mark: str) -> bool:
        return self.peek(mark) and self.token("mark") is not None

    def error(self) -> DefinitionError:
        return DefinitionError(
            f"{self.text!r:.80} is not a type, from character {self.at + 1} on; "
            "write a type like str, list[str], str | None, my.module:Name"
        )


def read_type(written: Any, find: Callable[[str], Any]) -> Any:
    """
    Return the annotation for a type in a file.

    Args:
        written: The type's name, or a JSON Schema.
        find: Returns the class for a reference, `module:Name`.

    Raises:
        DefinitionError: It is not a type.

    Example:
        >>> read_type("dict[str, list[int] | None]", lambda reference: None)
        dict[str, typing.Optional[list[int]]]
    """
    if isinstance(written, Mapping):
        return schema_type(written)
    if len(written) > _MAX_LENGTH:
        raise DefinitionError(
            f"the type {written[:40]}... has more than {_MAX_LENGTH:,} characters"
        )
    return _Parser(written, find).parse()


def write_type(annotation: Any) -> Any:
    """
    Return the name of an annotation in a file, or its JSON Schema.

    Raises:
        DefinitionError: A file cannot name it. The message says what to do.

    Example:
        >>> write_type(list[str] | None)
        'list[str] | None'
    """
    schema = schema_of(annotation)
    return _name(annotation) if schema is None else schema


def _name(annotation: Any) -> str:
    if annotation is None or annotation is Any:
        return _NAMES[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is None:
        if isinstance(annotation, type):
            return _NAMES.get(annotation) or reference_to(annotation)
    elif origin is Literal:
        if all(_is_writable(choice) for choice in args):
            return f"Literal[{', '.join(map(repr, args))}]"
    elif origin in (Union, types.UnionType):
        return " | ".join(map(_name, args))
    elif isinstance(origin, type) and not any(isinstance(arg, list) for arg in args):
        inner = ", ".join("..." if arg is ... else _name(arg) for arg in args)
        return f"{_name(origin)}[{inner}]"
    raise DefinitionError(
        f"the type {type_name(annotation)} cannot be written; use a class of a module, or a JSON "
        "Schema with dagorch.nodes.schema.schema_type"
    )


def _is_writable(choice: Any) -> bool:
    if isinstance(choice, str):
        return "\\" not in repr(choice) and choice.isprintable()
    return choice is None or type(choice) in (bool, int)
