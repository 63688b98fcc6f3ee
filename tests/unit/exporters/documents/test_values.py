"""Answers that are not text: fields become sections, records a table."""

from __future__ import annotations

from pydantic import BaseModel

from dagorch.exporters.documents.blocks import Code, Heading, Items, Paragraph, Table, plain_text
from dagorch.exporters.documents.values import as_text, value_blocks


class Report(BaseModel):
    verdict: str
    scores: list[dict[str, float | bool | None]]


def test_a_model_becomes_sections_and_a_table() -> None:
    report = Report(verdict="**Yes.**", scores=[{"cost": 1.5, "safe": True}, {"cost": None}])
    head, text, second, table = value_blocks(report)
    assert isinstance(head, Heading)
    assert plain_text(head.spans) == "Verdict"
    assert isinstance(text, Paragraph)
    assert text.spans[0].bold
    assert plain_text(second.spans) == "Scores"
    assert isinstance(table, Table)
    assert [plain_text(cell) for cell in table.header] == ["Cost", "Safe"]
    assert [[plain_text(cell) for cell in row] for row in table.rows] == [["1.5", "yes"], ["", ""]]


def test_lists_of_words_and_wide_records_are_lists() -> None:
    (words,) = value_blocks(["a", "b"])
    assert isinstance(words, Items)
    (wide,) = value_blocks([{str(n): n for n in range(9)}])
    assert isinstance(wide, Items)
    (fields,) = wide.items[0]
    assert isinstance(fields, Table)
    assert [plain_text(cell) for cell in fields.header] == ["Field", "Value"]


def test_a_very_long_list_is_cut_with_a_remark() -> None:
    items, more = value_blocks(list(range(1_002)))
    assert isinstance(items, Items)
    assert len(items.items) == 1_000
    assert plain_text(more.spans) == "... and 2 more; the result has them all."


def test_deeply_nested_values_stay_json() -> None:
    blocks = value_blocks({"a": {"b": {"c": {"d": [1, {"e": 2}]}}}})
    assert isinstance(blocks[-1], Code)
    assert blocks[-1].language == "json"
    assert '"e": 2' in blocks[-1].text
    assert isinstance(value_blocks({})[0], Code)


def test_a_number() -> None:
    (paragraph,) = value_blocks(42)
    assert plain_text(paragraph.spans) == "42"


def test_the_result_of_a_pass_is_shown_as_its_content() -> None:
    assert as_text({"content": "x", "iteration": 1}) == "x"
    assert value_blocks({"content": "x", "iteration": 1}) == value_blocks("x")
    assert as_text({"score": 1}) == '{\n  "score": 1\n}'
