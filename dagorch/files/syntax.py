"""
Parsing of JSON, and of YAML without its dangerous parts, into values with positions.

YAML follows version 1.2: `yes`, `no` and dates are text. Tags, anchors and aliases are refused:
no graph needs them, and an untrusted file can do harm with them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from dagorch.files.tree import Closed, Event, Malformed, Opened, Position, Scalar, Tree, build_tree

__all__ = ["CONTROL", "MAX_BYTES", "MAX_DIGITS", "decode", "parse_text", "plain_scalar"]

MAX_BYTES: Final = 2_000_000
"""The largest file."""
MAX_DIGITS: Final = 18
"""The longest whole number. Most languages would round a longer one."""

CONTROL: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]"
)
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_JSON_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s{}\[\],:"]+')
_BOM: Final = b"\xef\xbb\xbf"


def decode(data: bytes) -> str:
    """
    Return the text of a file.

    Raises:
        Malformed: The file is too large, or is not UTF-8.
    """
    if len(data) > MAX_BYTES:
        raise Malformed(f"the file has more than {MAX_BYTES:,} bytes", Position(1, 1))
    try:
        text = data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        raise Malformed("the file is not UTF-8 text", _position(before, len(before))) from None
    return text


def parse_text(text: str) -> Tree | None:
    """
    Parse text as JSON if it begins with `{`, otherwise as YAML. Empty text gives None.

    Raises:
        Malformed: It is neither, or contains something that is not allowed.
    """
    if len(text) > MAX_BYTES:
        raise Malformed(f"the text has more than {MAX_BYTES:,} characters", Position(1, 1))
    if control := CONTROL.search(text):
        message = f"the character U+{ord(control[0]):04X} is not allowed in a file; remove it"
        raise Malformed(message, _position(text, control.start()))
    return build_tree(_json(text) if text.lstrip().startswith("{") else _yaml(text))


# -- JSON -----------------------------------------------------------------------------------


def _json(text: str) -> Iterator[Event]:
    is_deep = False
    try:
        json.loads(text, parse_int=len, parse_float=len, parse_constant=len)
    except json.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error.msg}", Position(error.lineno, error.colno)) from None
    except RecursionError:
        is_deep = True  # well formed up to there; `build_tree` finds the position
    line, line_start, last = 1, 0, 0
    for token in _JSON_TOKEN.finditer(text):
        at = token.start()
        if (breaks := text.count("\n", last, at)) > 0:
            line += breaks
            line_start = text.rfind("\n", last, at) + 1
        last = at
        position, piece = Position(line, at - line_start + 1), token[0]
        if piece in "{[":
            yield Opened(position, piece == "{")
        elif piece in "}]":
            yield Closed(position)
        else:
            yield Scalar(position, _json_scalar(piece, position))
    assert not is_deep


def _json_scalar(piece: str, position: Position) -> Any:
    if piece.startswith('"'):
        value = json.loads(piece)
        if lone := re.search("[\ud800-\udfff]", value):
            message = f"the text has half a character, U+{ord(lone[0]):04X}; write both halves"
            raise Malformed(message, position)
        return value
    if piece in ("NaN", "Infinity", "-Infinity"):
        raise Malformed(f"{piece} is not a number that a file can hold; leave it out", position)
    return plain_scalar(piece, position)


# -- YAML -----------------------------------------------------------------------------------


def _yaml(text: str) -> Iterator[Event]:
    import yaml

    loader: Any = getattr(
        yaml, "CLoader", yaml.Loader
    )  # only events are read; no object is constructed
    documents = 0
    try:
        events: Any = yaml.parse(text, Loader=loader)
        for event in events:
            mark = event.start_mark
            position = Position(mark.line + 1, mark.column + 1)
            if isinstance(event, yaml.AliasEvent):
                message = f"aliases (*{event.anchor}) are not allowed; repeat the value instead"
                raise Malformed(message, position)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    message = "a file holds one document, but there is a second; remove it"
                    raise Malformed(message, position)
            elif isinstance(event, yaml.NodeEvent):
                yield _node_event(event, position)
            elif isinstance(event, yaml.CollectionEndEvent):
                yield Closed(position)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(1, 1) if mark is None else Position(mark.line + 1, mark.column + 1)
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        lines = text.splitlines()
        if mark is not None and mark.line < len(lines) and lines[mark.line].startswith("\t"):
            reason = "the line is indented with a tab; use spaces"
        raise Malformed(f"not YAML: {reason}", position) from None


def _node_event(event: Any, position: Position) -> Event:
    import yaml

    if event.anchor is not None:
        raise Malformed(f"anchors (&{event.anchor}) are not allowed; remove it", position)
    if event.tag is not None:
        raise Malformed(f"tags ({event.tag:.60}) are not allowed; remove it", position)
    if isinstance(event, yaml.ScalarEvent):
        is_quoted = not event.implicit[0]
        value = event.value if is_quoted else plain_scalar(event.value, position)
        return Scalar(position, value)
    return Opened(position, isinstance(event, yaml.MappingStartEvent))


def plain_scalar(text: str, position: Position) -> Any:
    """
    Parse an unquoted scalar by the core schema of YAML 1.2.

    Raises:
        Malformed: It is a number that is too long or not finite.

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
                f"the number {text:.20}... has more than {MAX_DIGITS} digits; quote it", position
            )
        return int(text, 0) if _BASED.fullmatch(text) else int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
    elif not _NOT_FINITE.fullmatch(text):
        return text
    raise Malformed(f"{text:.40} is not a number that a file can hold; leave it out", position)


def _position(text: str, at: int) -> Position:
    return Position(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
