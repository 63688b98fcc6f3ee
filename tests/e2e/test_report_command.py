"""`dagorch run --report` and `dagorch report`, in a process of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagorch.exporters import read_record
from tests.e2e.test_cli import KEY, LEAK, cascade, dagorch, environment, run
from tests.servers import ModelServer, reply


def test_a_run_is_recorded_and_its_page_made_again(tmp_path: Path) -> None:
    with ModelServer(cascade("Bees <b>dance</b>.")) as server:
        said = run(server.url, "--report", "run.html", "--report", "run.json", cwd=tmp_path)
    assert said.code == 0, said.err
    assert "report of the run: run.html\n" in said.out
    assert "report of the run: run.json\n" in said.out
    record = read_record(tmp_path / "run.json")
    assert (record.task, record.status) == ("What about bees?", "completed")
    assert len(record.exchanges) == 7
    assert {e.reply for e in record.exchanges if e.path != "decompose"} == {"Bees <b>dance</b>."}
    page = (tmp_path / "run.html").read_text("utf-8")
    assert "<b>dance" not in page

    again = dagorch("report", "run.json", cwd=tmp_path)
    assert (again.code, again.out, again.err) == (0, "report of the run: run.html\n", "")
    assert (tmp_path / "run.html").read_text("utf-8") == page
    other = dagorch("report", "run.json", "-o", "other.html", cwd=tmp_path)
    assert (tmp_path / "other.html").read_text("utf-8") == page, other.err


def test_a_run_that_failed_is_recorded_without_the_key(tmp_path: Path) -> None:
    env = environment(OPENAI_API_KEY=KEY)
    with ModelServer(reply(401, {"error": {"message": f"Wrong key: {KEY}"}})) as server:
        options = ("--provider", "openai", "--base-url", server.url, "--quiet")
        reports = ("--report", "run.json", "--report", "run.html")
        said = dagorch("run", "cascade", "Why?", *options, *reports, cwd=tmp_path, env=env)
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert said.code == 1
    record = read_record(tmp_path / "run.json")
    assert record.status == "failed"
    assert "AuthenticationError" in record.error
    assert record.exchanges[0].error
    assert record.exchanges[0].messages
    for name in ("run.json", "run.html"):
        assert KEY not in (tmp_path / name).read_text("utf-8")
    assert not LEAK.search(said.err)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("run.pdf", "name a file .html, for a page, or .json, for the record"),
        ("run", "name a file .html"),
        ("no/such/run.html", "cannot be written: No such file or directory"),
    ],
)
def test_a_report_that_cannot_be_is_told_before_anything_is_paid_for(
    tmp_path: Path, name: str, told: str
) -> None:
    with ModelServer(cascade()) as server:
        said = run(server.url, "--report", name, cwd=tmp_path)
    assert (said.code, server.seen) == (2, [])
    assert told in said.err


def test_what_is_no_record_is_told(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    said = dagorch("report", "run.json", cwd=tmp_path)
    assert said.code == 2
    assert "'run.json' is not the record of a run" in said.err
    said = dagorch("report", "run.json", "-o", "x.pdf", cwd=tmp_path)
    assert said.code == 2
