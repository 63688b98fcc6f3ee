"""`dagorch new orchestrator`: the project runs, and passes its own test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dagorch.cli.app import run_command
from tests.e2e.test_cli import environment
from tests.servers import ModelServer, answer


def in_folder(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["second-opinion", "advisor"])
def test_a_new_project_runs_and_passes_its_own_test(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["new", "orchestrator", name]) == 0
    output = capsys.readouterr().out
    project = tmp_path / name
    assert all(line.isascii() and "$" not in line for line in output.splitlines())

    tested = in_folder(project, "pytest", "-q", "-p", "no:cacheprovider")
    assert "1 passed" in tested.stdout, tested.stdout

    command = next(line for line in output.splitlines() if "dagorch run" in line)
    target = command.split()[2]
    with ModelServer(answer("Move.")) as server:
        ended = in_folder(
            project, "dagorch", "run", target, "Shall we?", "--model", "m", "--base-url",
            server.url,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("Move.")
    assert len(server.requests) == 4


def test_existing_files_are_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    assert run_command(["new", "orchestrator", "mine"]) == 2
    assert "'mine' is not empty; name another folder with --out" in capsys.readouterr().err
    assert run_command(["new", "orchestrator", "advisor", "--out", "file"]) == 2
    assert "cannot write 'file': " in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    assert run_command(["new", "orchestrator", "advisor", "--out", "a folder/deeper"]) == 0
    assert "cd 'a folder/deeper'" in capsys.readouterr().out
    assert (tmp_path / "a folder" / "deeper" / "advisor.py").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "cannot be a project's name"), ("Second", "lower-case"), ("2nd", "lower-case"),
        ("../up", "lower-case letters"), ("a--b", "lower-case letters"),
        ("class", "name of Python's"), ("json", "name of Python's"), ("dagorch", "dagorch's own"),
    ],
)  # fmt: skip
def test_a_bad_name_is_refused(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run_command(["new", "orchestrator", name]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
