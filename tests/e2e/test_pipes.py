"""Standard output that is closed, has no reader, or is full: one message, and exit code 1 or 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_cli import environment

LIMIT_SECONDS = 60.0

RUN = ("run", "cascade", "Why?", "--provider", "scripted", "-q")
COMMANDS = [RUN, (*RUN, "--json"), ("graph", "cascade"), ("show", "swarm"), ("providers",)]
COMMANDS += [("validate", "--schema")]


def ended(shell: str, *arguments: str, cwd: Path) -> tuple[int, str]:
    """Run `dagorch` with its arguments as "$@" in a line of bash; return exit code and stderr."""
    line = shell.replace("dagorch", f'"{sys.executable}" -m dagorch "$@"')
    done = subprocess.run(
        ["bash", "-c", line, "bash", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_disk_is_one_message(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    message = "dagorch: error: cannot write to standard output: No space left on device\n"
    assert ended("dagorch >/dev/full", *arguments, cwd=tmp_path) == (1, message)


@pytest.mark.parametrize("arguments", [RUN, ("graph", "cascade")], ids=" ".join)
def test_a_pipe_without_a_reader_is_one_message(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen(
        [sys.executable, "-m", "dagorch", *arguments],
        cwd=tmp_path,
        env=environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    _, err = process.communicate(timeout=LIMIT_SECONDS)
    message = "dagorch: error: cannot write to standard output: Broken pipe\n"
    assert (process.returncode, err) == (1, message)


def test_without_a_reader_of_either_stream_the_run_still_saves_its_result(tmp_path: Path) -> None:
    line = "dagorch 2>&1 | true; exit ${PIPESTATUS[0]}"
    assert ended(line, *RUN[:-1], "--out", "kept.json", cwd=tmp_path) == (1, "")
    assert (tmp_path / "kept.json").stat().st_size > 500


def test_a_closed_standard_output_is_refused_before_the_run(tmp_path: Path) -> None:
    code, err = ended("dagorch >&-", *RUN, "--out", "kept.json", cwd=tmp_path)
    assert code == 2
    assert err.startswith("dagorch: error: standard output is closed")
    assert not list(tmp_path.iterdir())


def test_a_failure_is_named_twice_as_a_step_and_as_the_end(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(
        "from dagorch import Graph\n"
        "graph = Graph('failing')\n"
        "@graph.function\n"
        "async def broken() -> str:\n"
        "    raise ConnectionError('no route to host')\n"
    )
    code, err = ended("dagorch", "run", "flows:graph", "--provider", "scripted", cwd=tmp_path)
    assert code == 1
    reports = [line for line in err.splitlines() if "no route to host" in line]
    assert [line.partition("] ")[2] or line for line in reports] == [
        "broken attempt 1 failed: ConnectionError: no route to host",
        "dagorch: error: node 'broken' failed: ConnectionError: no route to host",
    ]
