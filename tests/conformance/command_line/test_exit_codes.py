"""The exit code shows how a run ended; an error is one short message on standard error."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from dagorch.cli.app import run_command
from dagorch.cli.exit_codes import exit_code_for
from dagorch.cli.stop_signals import Interrupted
from tests.servers import ModelServer

FLOWS = """\
from dagorch import Graph, Policy

async def one() -> str:
    return "one"

async def broken() -> str:
    raise ConnectionError("no route to host")

completed = Graph("completed")
completed.function(one)
failed = Graph("failed")
failed.function(broken)
partial = Graph("partial")
partial.function(one)
partial.function(broken, policy=Policy(on_error="continue"))
"""
CALLS = {
    0: ["point_41_flows:completed"],
    1: ["point_41_flows:failed"],
    2: ["point_41_flows:complete"],
    3: ["point_41_flows:partial"],
}


@pytest.fixture(autouse=True)
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "point_41_flows", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "point_41_flows.py").write_text(FLOWS)


@pytest.mark.parametrize("code", CALLS)
def test_each_outcome_has_its_exit_code(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", *CALLS[code], "--quiet"]) == code
    err = capsys.readouterr().err
    assert err.count("dagorch: ") == (code in (1, 2))
    assert "Traceback" not in err


def test_a_ceiling_that_the_first_call_could_exceed_is_code_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody")
    with ModelServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        options = ["--model", "gpt-4", "--max-cost", "0.000001", "--quiet"]
        assert run_command(["run", "sequential", "Why?", *options]) == 4
        assert server.requests == [], "nothing was paid for"
    assert capsys.readouterr().err.count("dagorch: ") == 1


def test_a_run_that_finishes_under_its_ceiling_is_code_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody")
    with ModelServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        options = ["--model", "gpt-4", "--max-cost", "0.000001", "--on-budget", "finish", "--json"]
        assert run_command(["run", "sequential", "Why?", *options]) == 4
        assert server.requests == [], "nothing was paid for"
    out, err = capsys.readouterr()
    assert err.count("dagorch: partial: node 'research' could cost up to") == 1
    result = json.loads(out)
    assert result["status"] == "partial"
    assert "max_cost" in result["metadata"]["budget_error"]


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", *CALLS[1], "--quiet", "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "point_41_flows.py" in err


def test_an_interrupt_is_code_130() -> None:
    """`tests/e2e/test_interrupt.py` and `test_cli.py` interrupt a real run."""
    assert exit_code_for(KeyboardInterrupt()) == 130
    assert exit_code_for(Interrupted(signal.SIGTERM)) == 143
