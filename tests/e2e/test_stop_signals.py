"""Ctrl-C and SIGTERM: the first one keeps what there is, the second one ends the process."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from dagorch.models.orchestration import OrchestratorResult
from tests.e2e.test_cli import environment

LIMIT_SECONDS = 60.0

# Both programs below sleep in a child process, which the test ends with a signal.

FLOWS = """
import time
import anyio
from dagorch import Graph

graph = Graph("slow")

@graph.function
async def first() -> str:
    return "found it"

@graph.function
async def last(first: str) -> str:
    await anyio.sleep_forever()

def stubborn():
    line = "ready"
    while True:
        try:
            print(line, flush=True)
            time.sleep(600)
        except BaseException:
            line = "swallowed"
"""
# Importing the commands swallows the first KeyboardInterrupt, as code in a weakref callback would.
SLOW_IMPORT = """
import sys, time

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "dagorch.cli.app":
            while True:
                try:
                    print("ready", flush=True)
                    time.sleep(600)
                except BaseException:
                    pass

sys.meta_path.insert(0, Finder())
from dagorch.cli.main import main
main(["providers"])
"""


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    (tmp_path / "flows.py").write_text(FLOWS)
    return tmp_path


def start(*command: str, cwd: Path, err: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=cwd,
        env=environment(TERM="xterm-256color"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=err,
        text=True,
    )


def run_until(line: str, *options: str, cwd: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a run; return its process, and what it wrote up to a line on standard error."""
    arguments = ("run", "flows:graph", "--provider", "scripted", *options)
    process = start("-m", "dagorch", *arguments, cwd=cwd)
    assert process.stderr
    seen = ""
    while line not in seen:
        read = process.stderr.readline()
        assert read, seen
        seen += read
    return process, seen


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.filterwarnings("ignore:graph 'slow' takes no task")
def test_the_first_signal_keeps_what_has_finished(
    flows: Path, number: signal.Signals, code: int
) -> None:
    process, _ = run_until("last started", "--out", "kept.json", cwd=flows)
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == code, err
    assert out == ""
    assert "-- first --\nfound it" in err
    assert err.endswith("dagorch: interrupted\n")
    assert "Traceback" not in err
    kept = OrchestratorResult.model_validate_json((flows / "kept.json").read_text())
    assert [(a.subtask_id, a.content, a.status) for a in kept.agent_results] == [
        ("first", "found it", "completed"),
        ("last", "", "cancelled"),
    ]


def test_a_signal_restores_the_cursor_of_the_terminal(flows: Path) -> None:
    ours, theirs = pty.openpty()
    process = start(
        "-m", "dagorch", "run", "flows:graph", "--provider", "scripted", cwd=flows, err=theirs
    )
    os.close(theirs)
    written = b""
    while b"first" not in written or b"last" not in written:
        written += os.read(ours, 65_536)
    assert b"\x1b[?25l" in written
    process.send_signal(signal.SIGTERM)
    while True:
        try:
            read = os.read(ours, 65_536)
        except OSError:  # on Linux, the other end is closed
            break
        if not read:
            break
        written += read
    os.close(ours)
    process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 143
    assert written.rindex(b"\x1b[?25h") > written.rindex(b"\x1b[?25l")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_during_start_up_ends_the_process(
    flows: Path, number: signal.Signals, code: int
) -> None:
    process = start("-m", "dagorch", "graph", "flows:stubborn", cwd=flows)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.stdout.readline() == "swallowed\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, err) == (code, "dagorch: interrupted\n")


def test_one_ctrl_c_ends_the_imports(tmp_path: Path) -> None:
    process = start("-c", SLOW_IMPORT, cwd=tmp_path)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, err) == (130, "dagorch: interrupted\n")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_while_a_workflow_is_loaded_has_its_exit_code(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "slow.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(600)\n")
    process = start("-m", "dagorch", "graph", "slow:graph", cwd=tmp_path)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, err) == (code, "dagorch: interrupted\n")


def test_a_terminal_that_is_closed_during_a_run_keeps_what_has_finished(flows: Path) -> None:
    ours, theirs = pty.openpty()
    arguments = ("run", "flows:graph", "--provider", "scripted", "--out", "kept.json")
    process = start("-m", "dagorch", *arguments, cwd=flows, err=theirs)
    os.close(theirs)
    written = b""
    while b"first" not in written or b"last" not in written:
        written += os.read(ours, 65_536)
    os.close(ours)
    for _ in range(2):  # from the shell, and from the system
        process.send_signal(signal.SIGHUP)
    process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 129
    kept = OrchestratorResult.model_validate_json((flows / "kept.json").read_text())
    assert kept.agent_results[0].content == "found it"
