"""Values of any type, such as dicts and lists, as blocks that a person can read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dagorch.exporters.documents.blocks import (
    Block,
    Code,
    Items,
    Paragraph,
    Spans,
    shift_headings,
)
from dagorch.exporters.documents.markdown_reader import MAX_LENGTH, read_markdown
from dagorch.exporters.documents.text_blocks import heading, paragraph, safe_text, table, text_spans
from dagorch.models.task import plain, to_text

__all__ = ["as_text", "unwrap_content", "value_blocks"]

_MAX_ITEMS: Final = 1_000
_MAX_COLUMNS: Final = 6
_MAX_DEPTH: Final = 3
_MAX_CELL_LENGTH: Final = 200


def unwrap_content(value: Any) -> Any:
    """Return the `content` of an iteration's result, and any other value unchanged."""
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        return value["content"]
    return value


def as_text(value: Any) -> str:
    r"""
    Write a value as text: a string unchanged, an iteration's `content`, anything else as JSON.

    Example:
        >>> as_text("Bees"), as_text({"content": "Bees", "iteration": 2}), as_text([1])
        ('Bees', 'Bees', '[\n  1\n]')
    """
    return to_text(unwrap_content(value))


def value_blocks(value: Any, max_length: int = MAX_LENGTH) -> tuple[Block, ...]:
    """
    Lay out a value: text is parsed as Markdown, fields become sections, records a table.

    Args:
        value: The result of a workflow or an agent.
        max_length: Characters to read of each text.

    Example:
        >>> answer = {"verdict": "Tea.", "sources_used": [{"name": "x", "year": 1999}]}
        >>> [type(block).__name__ for block in value_blocks(answer)]
        ['Heading', 'Paragraph', 'Heading', 'Table']
    """
    value = unwrap_content(value)
    return tuple(_blocks(value if isinstance(value, str) else plain(value), 1, max_length))


def _blocks(value: Any, level: int, max_length: int) -> Iterator[Block]:
    if isinstance(value, str):
        yield from shift_headings(read_markdown(value, max_length), level)
    elif _fits_cell(value):
        yield Paragraph(_cell(value))
    elif isinstance(value, dict) and value and level <= _MAX_DEPTH:
        if all(map(_fits_cell, value.values())) and level > 1:
            yield table(
                ("Field", "Value"), ((_title(key), _cell(field)) for key, field in value.items())
            )
            return
        for key, field in value.items():
            yield heading(level, _title(key))
            yield from _blocks(field, level + 1, max_length)
    elif isinstance(value, list) and value and level <= _MAX_DEPTH:
        yield from _list(value, level, max_length)
    else:
        yield Code(safe_text(to_text(value)[:max_length]), "json")


def _list(items: list[Any], level: int, max_length: int) -> Iterator[Block]:
    shown = items[:_MAX_ITEMS]
    columns = _columns(shown)
    if columns:
        rows = ([_cell(record.get(column)) for column in columns] for record in shown)
        yield table(map(_title, columns), rows)
    else:
        yield Items(tuple(tuple(_blocks(item, level + 1, max_length)) for item in shown))
    omitted = len(items) - len(shown)
    if omitted:
        yield paragraph(f"... and {omitted:,} more; the result has them all.")


def _columns(records: list[Any]) -> list[str]:
    """List the fields of records that fit a table, in order; empty if they do not fit."""
    if not all(isinstance(record, dict) for record in records):
        return []
    names = list(dict.fromkeys(name for record in records for name in record))
    fits = all(_fits_cell(field) for record in records for field in record.values())
    return names if fits and len(names) <= _MAX_COLUMNS else []


def _fits_cell(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _MAX_CELL_LENGTH and "\n" not in value
    return value is None or isinstance(value, bool | int | float)


def _cell(value: Any) -> Spans:
    if isinstance(value, bool):
        return text_spans("yes" if value else "no")
    return text_spans("" if value is None else str(value))


def _title(key: object) -> str:
    """Turn a field's name into a heading."""
    words = str(key).replace("_", " ").strip()
    return words[:1].upper() + words[1:_MAX_CELL_LENGTH]
