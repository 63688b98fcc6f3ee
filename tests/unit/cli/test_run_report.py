"""`--report` and `dagorch report`, without a process."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest

from dagorch import DefinitionError
from dagorch.cli.output import Written
from dagorch.cli.run_report import RunReports, convert_record
from dagorch.exporters import read_record
from dagorch.testing import run_virtual
from tests.conformance.doubles import by_tier, cascade, talking


def written(reports: RunReports) -> Written:
    workflow = cascade(talking(by_tier))
    run = partial(workflow.execute_workflow, "Why?", on_event=list(reports.listeners))
    return reports.write("Why?", run_virtual(run), None)


def test_without_reports_there_is_no_listener() -> None:
    reports = RunReports([])
    assert reports.listeners == ()
    assert written(reports) == ([], [])


def test_the_suffix_selects_the_kind_of_file(tmp_path: Path) -> None:
    record, page = tmp_path / "run.json", tmp_path / "RUN.HTML"
    assert written(RunReports([record, page])) == ([record, page], [])
    assert len(read_record(record).exchanges) == 7
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert convert_record(record, None) == tmp_path / "run.html"
    assert (tmp_path / "run.html").read_text("utf-8") == page.read_text("utf-8")


def test_a_file_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    reports = RunReports([gone / "run.html", gone / "run.json", tmp_path / "run.json"])
    gone.rmdir()
    [page, record] = written(reports).errors
    assert str(page) == f"cannot write {str(gone / 'run.html')!r}: No such file or directory"
    assert str(gone / "run.json") in str(record)
    assert read_record(tmp_path / "run.json").task == "Why?"


@pytest.mark.parametrize("what", ["to_html_report", "Recorder.record"])
def test_a_failure_to_make_a_report_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise ValueError("no such day")

    monkeypatch.setattr(f"dagorch.cli.run_report.{what}", fail)
    [error] = written(RunReports([tmp_path / "run.html"])).errors
    assert re.fullmatch("cannot make .*: ValueError: no such day", str(error))


@pytest.mark.parametrize("name", ["run.htlm", "run", "run.pdf"])
def test_another_suffix_is_refused_with_the_valid_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        DefinitionError, match=r"use a name that ends in \.html, for a page, or \.json"
    ):
        RunReports([tmp_path / name])
    assert not list(tmp_path.iterdir())


def test_a_report_leaves_nothing_behind_before_the_run(tmp_path: Path) -> None:
    RunReports([tmp_path / "run.html"])
    assert not list(tmp_path.iterdir())


def test_a_dangling_link_is_kept(tmp_path: Path) -> None:
    link, target = tmp_path / "run.html", tmp_path / "kept.html"
    link.symlink_to(target)
    reports = RunReports([link])
    assert link.is_symlink()
    assert not target.exists()
    written(reports)
    assert target.read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("graph.boxes.decompose", "kind", "zebra"),
        ("graph.arrows.0", "source", "nowhere"),
        ("", "duration_seconds", -1.0),
    ],
)
def test_a_changed_record_is_reported_as_changed(
    tmp_path: Path, place: str, name: str, value: object
) -> None:
    file = tmp_path / "run.json"
    written(RunReports([file]))
    record = json.loads(file.read_text("utf-8"))
    part = record
    for step in place.split(".") if place else ():
        part = part[int(step)] if isinstance(part, list) else part[step]
    part[name] = value
    file.write_text(json.dumps(record), "utf-8")
    refusal = r"cannot make a page of .*run\.json|run\.json' is not a valid record of a run: graph"
    with pytest.raises(DefinitionError, match=refusal):
        convert_record(file, None)
    assert not (tmp_path / "run.html").exists()
