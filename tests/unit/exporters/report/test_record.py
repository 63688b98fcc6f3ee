"""The file of a record, and the conversion of older versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dagorch import DefinitionError
from dagorch.exporters import (
    read_record,
    to_html_report,
    write_record,
)
from tests.unit.exporters.report.recording import asking, node, recorded

V1 = Path(__file__).with_name("record_v1.json")
"""A record in version 1 of the format."""


def test_a_record_is_read_back_from_its_file(tmp_path: Path) -> None:
    record = recorded(asking())
    path = write_record(record, tmp_path / "run.json")
    assert read_record(path) == record


def test_files_that_are_not_records(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    for text in ("", "[]", "{}", '{"format": "other"}', "[" * 100_000):
        path.write_text(text)
        with pytest.raises(DefinitionError, match="not the record of a run"):
            read_record(path)
    for version in (99, '"new"'):
        path.write_text(f'{{"format": "dagorch-run", "version": {version}}}')
        with pytest.raises(DefinitionError, match="read it with a newer one"):
            read_record(path)
    data = json.loads(recorded(asking()).model_dump_json())
    del data["node_runs"][0]["end"]
    path.write_text(json.dumps(data))
    with pytest.raises(DefinitionError, match=r"node_runs\.0\.end: Field required"):
        read_record(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match="cannot read"):
        read_record(path)
    with pytest.raises(DefinitionError, match="No such file"):
        read_record(tmp_path / "none.json")
    with pytest.raises(DefinitionError, match="cannot write"):
        write_record(recorded(asking()), tmp_path / "no" / "run.json")


def test_a_record_of_version_1_is_converted(tmp_path: Path) -> None:
    record = read_record(V1)
    assert record.version == 2
    say = node(record, "views[0]/say")
    assert [attempt.retry_at_seconds for attempt in say.attempts] == [1.2379646270918914, None]
    assert (say.value_chars_omitted, record.output_chars_omitted, record.events_omitted) == (0,) * 3
    assert record.graph is not None
    assert list(record.graph.boxes) == ["links", "count", "report", "views[0]/say", "views[1]/say"]
    assert [box for box in record.graph.boxes.values() if box.cluster == "views"]
    assert read_record(write_record(record, tmp_path / "run.json")) == record
    assert "How do bees fly?" in to_html_report(record)


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("node_runs", 5, "node_runs"),
        ("node_runs", [5], "node_runs.0"),
        ("output_left_out", "many", "output_chars_omitted"),
    ],
)
def test_a_damaged_record_of_version_1_is_an_error(
    tmp_path: Path, field: str, value: object, place: str
) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**json.loads(V1.read_text("utf-8")), field: value}))
    with pytest.raises(DefinitionError, match=f"not a valid record of a run: {place}: "):
        read_record(path)
