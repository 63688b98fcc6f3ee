"""
Text to values with their places: JSON by its own rules, YAML without what makes it dangerous.

YAML is read as YAML 1.2 has it: `yes`, `no` and dates are texts. Tags, anchors and aliases are
refused: no file needs them, and a stranger's file can do harm with them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from dagorch.files.tree import Closed, Malformed, Open, Opened, Position, Scalar, Tree, grow

__all__ = ["CONTROL", "MAX_BYTES", "MAX_DIGITS", "decoded", "parsed", "plain_scalar"]

MAX_BYTES: Final = 2_000_000
"""Of a file."""
MAX_DIGITS: Final = 18
"""Of a whole number; what is longer no program but Python reads as it is."""

CONTROL: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]"
)
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_NO_NUMBER: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_JSON_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s{}\[\],:"]+')
_BOM: Final = b"\xef\xbb\xbf"


def decoded(data: bytes) -> str:
    """
    Give a file's text.

    Raises:
        Malformed: It is too large, no UTF-8, or has control characters.
    """
    if len(data) > MAX_BYTES:
        raise Malformed(f"the file has more than {MAX_BYTES:,} bytes", Position(1, 1))
    try:
        text = data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        raise Malformed("the file is not UTF-8 text", _spot(before, len(before))) from None
    return text


def parsed(text: str) -> Tree | None:
    """
    Read a text, as JSON if it begins with `{`, else as YAML; None where it says nothing.

    Raises:
        Malformed: It is neither, or has what is not allowed.
    """
    if len(text) > MAX_BYTES:
        raise Malformed(f"the text has more than {MAX_BYTES:,} characters", Position(1, 1))
    if control := CONTROL.search(text):
        what = f"the character U+{ord(control[0]):04X} cannot stand in a file"
        raise Malformed(what, _spot(text, control.start()))
    return grow(_json(text) if text.lstrip().startswith("{") else _yaml(text))


# -- JSON -----------------------------------------------------------------------------------


def _json(text: str) -> Iterator[Opened]:
    deep = False
    try:
        json.loads(text, parse_int=len, parse_float=len, parse_constant=len)
    except json.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error.msg}", Position(error.lineno, error.colno)) from None
    except RecursionError:
        deep = True  # the tokens up to there are well formed, and `grow` tells the place
    line, begin, last = 1, 0, 0
    for token in _JSON_TOKEN.finditer(text):
        at = token.start()
        if (breaks := text.count("\n", last, at)) > 0:
            line += breaks
            begin = text.rfind("\n", last, at) + 1
        last = at
        spot, piece = Position(line, at - begin + 1), token[0]
        if piece in "{[":
            yield Open(spot, piece == "{")
        elif piece in "}]":
            yield Closed(spot)
        else:
            yield Scalar(spot, _json_scalar(piece, spot))
    assert not deep


def _json_scalar(piece: str, spot: Position) -> Any:
    if piece.startswith('"'):
        value = json.loads(piece)
        if lone := re.search("[\ud800-\udfff]", value):
            raise Malformed(f"the text has half a character, U+{ord(lone[0]):04X}", spot)
        return value
    if piece in ("NaN", "Infinity", "-Infinity"):
        raise Malformed(f"{piece} is no number that a file can hold; leave it out", spot)
    return plain_scalar(piece, spot)


# -- YAML -----------------------------------------------------------------------------------


def _yaml(text: str) -> Iterator[Opened]:
    import yaml

    loader: Any = getattr(yaml, "CLoader", yaml.Loader)  # events alone: nothing is constructed
    documents = 0
    try:
        events: Any = yaml.parse(text, Loader=loader)
        for event in events:
            mark = event.start_mark
            spot = Position(mark.line + 1, mark.column + 1)
            if isinstance(event, yaml.AliasEvent):
                raise Malformed(f"aliases (*{event.anchor}) are not allowed; write it out", spot)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Malformed("a file holds one document; there is a second", spot)
            elif isinstance(event, yaml.NodeEvent):
                yield _node_event(event, spot)
            elif isinstance(event, yaml.CollectionEndEvent):
                yield Closed(spot)
    except yaml.MarkedYAMLError as error:
        place: Any = error.problem_mark or error.context_mark
        spot = Position(place.line + 1, place.column + 1) if place is not None else Position(1, 1)
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise Malformed(f"not YAML: {said}", spot) from None


def _node_event(event: Any, spot: Position) -> Opened:
    import yaml

    if event.anchor is not None:
        raise Malformed(f"anchors (&{event.anchor}) are not allowed; write it out", spot)
    if event.tag is not None:
        raise Malformed(f"tags ({event.tag:.60}) are not allowed; leave it out", spot)
    if isinstance(event, yaml.ScalarEvent):
        quoted = not event.implicit[0]
        return Scalar(spot, event.value if quoted else plain_scalar(event.value, spot))
    return Open(spot, isinstance(event, yaml.MappingStartEvent))


def plain_scalar(text: str, spot: Position) -> Any:
    """
    Read a scalar without quotes, by the core schema of YAML 1.2.

    Raises:
        Malformed: It is a number that no file should hold.

    Source: YAML 1.2.2, 10.3.2.

    Example:
        >>> at = Position(1, 1)
        >>> [plain_scalar(text, at) for text in ("12", "1e3", "true", "no", "0x1F", "~")]
        [12, 1000.0, True, 'no', 31, None]
    """
    if text in _WORDS:
        return _WORDS[text]
    if not (text[0] in "+-." or text[0].isdigit()):
        return text
    if _INTEGER.fullmatch(text) or _BASED.fullmatch(text):
        if len(text.lstrip("+-0")) > MAX_DIGITS:
            raise Malformed(
                f"the number {text:.20}... has more than {MAX_DIGITS} digits; quote it", spot
            )
        return int(text, 0) if _BASED.fullmatch(text) else int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
    elif not _NO_NUMBER.fullmatch(text):
        return text
    raise Malformed(f"{text:.40} is no number that a file can hold; leave it out", spot)


def _spot(text: str, at: int) -> Position:
    return Position(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
