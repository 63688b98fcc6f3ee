"""A value of a program's own, a dict or a list, as blocks that a person reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from dagorch.exporters.documents.blocks import (
    Block,
    Code,
    Heading,
    Items,
    Paragraph,
    Spans,
    Table,
    raised,
)
from dagorch.exporters.documents.reading import MAX_LENGTH, read_markdown, read_spans, safe
from dagorch.models.task import plain

__all__ = ["as_text", "unpacked", "value_blocks"]

_MAX_ITEMS: Final = 1_000
_MAX_COLUMNS: Final = 6
_MAX_DEPTH: Final = 3
_SHORT: Final = 200


def unpacked(value: Any) -> Any:
    """Give a pass's `content`, and any other value as it is."""
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        return value["content"]  # JSON has the rest of it
    return value


def as_text(value: Any) -> str:
    r"""
    Give a result's text: a string as it is, a pass's `content`, anything else as JSON.

    Example:
        >>> as_text("Bees"), as_text({"content": "Bees", "iteration": 2}), as_text([1])
        ('Bees', 'Bees', '[\n  1\n]')
    """
    value = unpacked(value)
    if isinstance(value, str):
        return value
    return json.dumps(plain(value), ensure_ascii=False, indent=2)


def value_blocks(value: Any, most: int = MAX_LENGTH) -> tuple[Block, ...]:
    """
    Lay out an answer: texts are read as Markdown, fields become sections, records a table.

    Args:
        value: What a workflow or an agent gave.
        most: Characters that are read of each text.

    Example:
        >>> answer = {"verdict": "Tea.", "sources_used": [{"name": "x", "year": 1999}]}
        >>> [type(block).__name__ for block in value_blocks(answer)]
        ['Heading', 'Paragraph', 'Heading', 'Table']
    """
    value = unpacked(value)
    return tuple(_blocks(value if isinstance(value, str) else plain(value), 1, most))


def _blocks(value: Any, level: int, most: int) -> Iterator[Block]:
    if isinstance(value, str):
        yield from raised(read_markdown(value, most), level)
    elif _is_short(value):
        yield Paragraph(_cell(value))
    elif isinstance(value, dict) and value and level <= _MAX_DEPTH:
        if all(_is_short(field) for field in value.values()) and level > 1:
            yield Table(
                (read_spans("Field"), read_spans("Value")),
                tuple((read_spans(_name(key)), _cell(field)) for key, field in value.items()),
            )
            return
        for key, field in value.items():
            yield Heading(level, read_spans(_name(key)))
            yield from _blocks(field, level + 1, most)
    elif isinstance(value, list) and value and level <= _MAX_DEPTH:
        yield from _list(value, level, most)
    else:
        text = json.dumps(value, ensure_ascii=False, indent=2)
        yield Code(safe(text[:most]), "json")


def _list(value: list[Any], level: int, most: int) -> Iterator[Block]:
    shown = value[:_MAX_ITEMS]
    columns = _columns(shown)
    if columns:
        yield Table(
            tuple(read_spans(_name(column)) for column in columns),
            tuple(tuple(_cell(record.get(column)) for column in columns) for record in shown),
        )
    else:
        yield Items(tuple(tuple(_blocks(item, level + 1, most)) for item in shown))
    if len(value) > len(shown):
        left = len(value) - len(shown)
        yield Paragraph(read_spans(f"... and {left:,} more; the result has them all."))


def _columns(records: list[Any]) -> list[str]:
    """The fields of records that fit a table, in order; none if they do not."""
    if not all(isinstance(record, dict) for record in records):
        return []
    names = list(dict.fromkeys(name for record in records for name in record))
    fits = all(_is_short(field) for record in records for field in record.values())
    return names if fits and len(names) <= _MAX_COLUMNS else []


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _SHORT and "\n" not in value
    return value is None or isinstance(value, bool | int | float)


def _cell(value: Any) -> Spans:
    words = {None: "", True: "yes", False: "no"}
    is_word = value is None or isinstance(value, bool)
    return read_spans(words[value] if is_word else str(value))


def _name(key: object) -> str:
    """Write a field's name as a heading."""
    words = str(key).replace("_", " ").strip()
    return words[:1].upper() + words[1:_SHORT]
