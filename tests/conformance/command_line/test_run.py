"""`dagorch run cascade "TASK"`: its options, its output and its provider."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dagorch.cli.app import run_command
from dagorch.cli.provider_selection import select_provider
from dagorch.models.orchestration import OrchestratorResult
from dagorch.providers import SERVICES
from tests.servers import ModelServer, answer

RUN = ["run", "cascade", "Why is the sky blue?", "--provider", "scripted"]
COUNTS = ["--belter-count", "5", "--drummer-count", "3", "--camina-count", "2"]


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder; no keys are set."""
    for service in SERVICES.values():
        for name in (*service.key_env, service.base_url_env):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_counts_and_limits_are_honoured_and_json_is_the_only_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    limits = ["--max-parallel", "2", "--timeout", "30", "--max-cost", "1"]
    assert run_command([*RUN, *COUNTS, *limits, "--model", "scripted", "--json"]) == 0
    out, err = capsys.readouterr()
    result = OrchestratorResult.model_validate_json(out)
    assert json.loads(out)["status"] == "completed"
    names = [agent.subtask_id for agent in result.agent_results]
    tiers = [sum(name.startswith(tier) for name in names) for tier in ("belter", "drummer")]
    assert tiers == [5, 3]
    assert err == ""


def test_base_url_and_model_name_the_server_that_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ModelServer(answer("from the server")) as server:
        where = ["--base-url", server.url, "--model", "m", "--quiet"]
        assert run_command(["run", "cascade", "Why?", *COUNTS, *where]) == 0
    assert capsys.readouterr() == ("from the server\n", "")
    assert {request.json["model"] for request in server.requests} == {"m"}


def test_quiet_prints_only_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([*RUN, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert "node runs" not in out
    assert err == ""


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.md", b"# "), ("a.json", b"{"), ("a.html", b"<!DOCTYPE html>"), ("a.pdf", b"%PDF")],
)
def test_the_suffix_of_out_selects_the_format(bare: Path, name: str, start: bytes) -> None:
    assert run_command([*RUN, "--quiet", "--out", name]) == 0
    assert (bare / name).read_bytes().startswith(start)
    assert [path.name for path in bare.iterdir()] == [name]


def test_out_without_a_suffix_is_a_folder_with_answer_result_and_picture(bare: Path) -> None:
    assert run_command([*RUN, "--quiet", "--out", "kept"]) == 0
    kept = {path.name for path in (bare / "kept").iterdir()}
    assert kept >= {"answer.md", "result.json", "graph.svg"}


def test_the_first_service_with_a_key_is_the_default_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = select_provider(None, None, None)
    assert chosen.provider.name == "local"
    assert chosen.reason
    monkeypatch.setenv("GROQ_API_KEY", "key-of-groq")
    chosen = select_provider(None, None, None)
    assert chosen.provider.name == "groq"
    assert chosen.reason == "its key is set"


def test_the_provider_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(RUN) == 0
    assert "running on scripted" in capsys.readouterr().err
