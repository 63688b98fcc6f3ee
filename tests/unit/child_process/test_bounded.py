"""A child that hangs, grows, floods or crashes is ended, and dies with the process it serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from dagorch.child_process.bounded import ChildResult, Limits, run_command, run_function
from tests.processes import is_alive, wait_until_dead

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs process groups")
PYTHON = sys.executable


def fails(data: bytes) -> bytes:
    """What a child calls."""
    raise ValueError(f"cannot use {data.decode()}")


def shouts(data: bytes) -> bytes:
    return data.upper()


def wait_for_pid(file: Path) -> int:
    for _ in range(1_000):
        if file.exists() and file.read_text().strip():
            return int(file.read_text())
        time.sleep(0.02)
    pytest.fail("the child did not start")


def writes_pid(file: Path) -> list[str]:
    """A command that writes its process id and then hangs."""
    return ["sh", "-c", f"echo $$ > {file}.part; mv {file}.part {file}; exec sleep 600"]


def test_a_command_reads_its_input_and_its_output_is_returned() -> None:
    data = os.urandom(300_000)
    assert run_command(["cat"], data) == ChildResult(data)


def test_a_command_that_fails_reports_its_own_words_or_its_exit_code() -> None:
    assert run_command(["sh", "-c", "echo no such font >&2; exit 3"]).error == "no such font"
    assert run_command(["sh", "-c", "exit 3"]).error == "it ended with exit code 3"
    assert run_command(["sh", "-c", "kill -SEGV $$"]).error == "it was killed by SIGSEGV"
    assert "'/no/such/dot': No such file" in run_command(["/no/such/dot"]).error


def test_a_child_sees_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAI_API_KEY", "xai-secret")
    seen = run_command(["env"]).output.decode()
    assert "PATH=" in seen
    assert "secret" not in seen


def test_a_function_is_called_with_bytes_and_its_error_comes_back() -> None:
    assert run_function(__name__, "shouts", b"dot").output == b"DOT"
    assert run_function(__name__, "fails", b"dot").error == "ValueError: cannot use dot"
    assert "ModuleNotFoundError" in run_function("no_such_module", "f").error


def test_a_child_that_hangs_is_stopped_with_its_own_children(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    command = ["sh", "-c", f"sleep 600 & echo $! > {file}; wait"]
    assert run_command(command, limits=Limits(seconds=2)).error == "it was stopped after 2 s"
    wait_until_dead(wait_for_pid(file))


def test_a_child_that_closes_its_output_and_hangs_is_stopped() -> None:
    command = ["sh", "-c", "exec sleep 600 >&- 2>&-"]
    assert run_command(command, limits=Limits(seconds=1)).error == "it was stopped after 1 s"


def test_a_child_that_burns_processor_time_is_stopped_by_the_system() -> None:
    # The system enforces this limit even if both watching processes are gone.
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CPU))"
    assert run_command([PYTHON, "-c", code], limits=Limits(seconds=6.5)).output == b"(7, 7)\n"


def test_a_child_that_grows_is_refused_memory() -> None:
    code = "x = bytearray(300 * 1024**2)"
    limits = Limits(memory_bytes=200 * 1024**2)
    assert "MemoryError" in run_command([PYTHON, "-c", code], limits=limits).error
    assert not run_command([PYTHON, "-c", code]).error


@pytest.mark.parametrize("redirect", ["", ">&2"])
def test_a_child_that_floods_a_pipe_is_killed(redirect: str) -> None:
    result = run_command(["sh", "-c", f"yes {redirect}"], limits=Limits(output_bytes=100_000))
    assert not result.output
    assert result.error.startswith("y\n" if redirect else "it wrote more than 100,000 bytes")
    assert len(result.error) <= 500


def test_a_child_writes_no_large_files(tmp_path: Path) -> None:
    command = ["sh", "-c", f"yes > {tmp_path / 'flood'}"]
    assert run_command(command, limits=Limits(output_bytes=100_000)).error
    assert (tmp_path / "flood").stat().st_size <= 100_000


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = (
        "from dagorch.child_process.bounded import run_command\n"
        f"run_command({writes_pid(file)!r})\n"
    )
    parent = subprocess.Popen([PYTHON, "-c", code])
    child = wait_for_pid(file)
    assert is_alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until_dead(child)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_child_whose_launcher_is_killed_ends_at_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    script = f"kill -KILL $PPID; {writes_pid(file)[2]}"
    result = run_command(["sh", "-c", script], limits=Limits(seconds=3))
    assert result.error == "it was stopped after 3 s"
    wait_until_dead(wait_for_pid(file))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_interrupt_kills_the_child(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = (
        "from dagorch.child_process.bounded import run_command\n"
        f"run_command({writes_pid(file)!r})\n"
    )
    parent = subprocess.Popen([PYTHON, "-c", code], stderr=subprocess.PIPE)
    child = wait_for_pid(file)
    parent.send_signal(signal.SIGINT)
    _, errors = parent.communicate(timeout=20)
    assert errors.endswith(b"KeyboardInterrupt\n")
    wait_until_dead(child)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_cancelling_the_task_of_a_worker_thread_kills_the_child(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    async with anyio.create_task_group() as group:
        group.start_soon(to_thread.run_sync, run_command, writes_pid(file))
        await to_thread.run_sync(wait_for_pid, file)  # the loop is free meanwhile
        group.cancel_scope.cancel()
    wait_until_dead(wait_for_pid(file))
