"""`dagorch run --report` and `dagorch report`, each in its own process."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagorch.exporters import read_record
from tests.e2e.test_cli import KEY, LEAK, cascade, dagorch, environment, run
from tests.servers import ModelServer, reply


def test_a_run_is_recorded_and_its_page_can_be_made_again(tmp_path: Path) -> None:
    with ModelServer(cascade("Bees <b>dance</b>.")) as server:
        done = run(server.url, "--report", "run.html", "--report", "run.json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "report of the run: run.html\n" in done.err
    assert "report of the run: run.json\n" in done.err
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
        done = dagorch("run", "cascade", "Why?", *options, *reports, cwd=tmp_path, env=env)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert done.code == 1
    record = read_record(tmp_path / "run.json")
    assert record.status == "failed"
    assert "AuthenticationError" in record.error
    assert record.exchanges[0].error
    assert record.exchanges[0].messages
    for name in ("run.json", "run.html"):
        assert KEY not in (tmp_path / name).read_text("utf-8")
    assert not LEAK.search(done.err)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("run.pdf", "use a name that ends in .html, for a page, or .json, for the record"),
        ("run", "use a name that ends in .html"),
        (
            "no/such/run.html",
            "--report: cannot write 'no/such/run.html': No such file or directory",
        ),
    ],
)
def test_a_report_that_cannot_be_written_is_an_error_before_any_request(
    tmp_path: Path, name: str, message: str
) -> None:
    with ModelServer(cascade()) as server:
        done = run(server.url, "--report", name, cwd=tmp_path)
    assert (done.code, server.requests) == (2, [])
    assert message in done.err


def test_a_file_that_is_not_a_record_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    done = dagorch("report", "run.json", cwd=tmp_path)
    assert done.code == 2
    assert "'run.json' is not the record of a run" in done.err
    done = dagorch("report", "run.json", "-o", "x.pdf", cwd=tmp_path)
    assert done.code == 2
