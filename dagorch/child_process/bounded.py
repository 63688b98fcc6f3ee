"""
Run a command or a Python function in a child process with bounded time, memory and output.

For programs that may hang, grow or crash on hostile input: Graphviz, typst, llama.cpp. Every child
process of dagorch starts here. On POSIX systems it runs under `launcher.py`: it dies with this
process, `kill -9` included, and its children with it.
Windows has neither process groups nor resource limits of this kind: there, time and output are
bounded, but memory is not, and a child outlives a killed parent.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import IO, Final

__all__ = [
    "NO_LIMITS", "ChildResult", "Limits", "exit_reason", "kill", "run_command", "run_function",
    "start_command", "start_function",
]  # fmt: skip

_LAUNCHER: Final = str(Path(__file__).with_name("launcher.py"))
_POSIX: Final = os.name == "posix"
_POLL_SECONDS: Final = 0.1
_MAX_ERROR_BYTES: Final = 64 * 1024
_MAX_ERROR_LENGTH: Final = 500
_KEPT_VARIABLES: Final = (
    # What programs need to start, find fonts and write temporary files. No keys, no tokens.
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "FONTCONFIG_FILE", "FONTCONFIG_PATH", "GVBINDIR",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
)  # fmt: skip
_START: Final = """
import json, sys
from importlib import import_module
path, module, name = sys.argv[1:]
sys.path[:] = json.loads(path)
"""
_SERVE: Final = f"{_START}getattr(import_module(module), name)()"
_CALL: Final = f"""{_START}
try:
    result = getattr(import_module(module), name)(sys.stdin.buffer.read())
except BaseException as error:  # panics of native libraries are not Exceptions
    sys.exit(f"{{type(error).__name__}}: {{error}}")
sys.stdout.buffer.write(result)
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child process may use before it is killed."""

    seconds: float = 60.0
    """Of wall time, and of processor time."""
    memory_bytes: float = 2 * 1024**3
    """Of address space."""
    output_bytes: float = 64 * 1024**2
    """Of standard output, and of each file that it writes."""


DEFAULT_LIMITS: Final = Limits()
NO_LIMITS: Final = Limits(math.inf, math.inf, math.inf)
"""For `start_command`, whose caller decides when to kill it. It writes no core dump even so."""


@dataclass(frozen=True, slots=True)
class ChildResult:
    """How a child process ended."""

    output: bytes = b""
    """Its standard output; empty if it failed."""
    error: str = ""
    """Why it failed; empty if it succeeded."""


def run_command(
    command: Sequence[str], data: bytes = b"", limits: Limits = DEFAULT_LIMITS
) -> ChildResult:
    """
    Run a command with data on its standard input.

    Blocks the calling thread. If that is a worker thread of anyio, cancelling its task kills the
    child. The child gets no environment variables but those it needs to start.

    Args:
        command: Program and arguments; a program without a slash is searched for on PATH.
        data: Its standard input.
        limits: When to kill it.

    Cost: 20 ms for the launcher.

    Example:
        >>> run_command([sys.executable, "-c", "print(6 * 7)"]).output.split()
        [b'42']
        >>> endless = [sys.executable, "-c", "while True: pass"]
        >>> run_command(endless, limits=Limits(seconds=0.5)).error
        'it was stopped after 0.5 s'
    """
    with tempfile.TemporaryFile() as stdin:
        stdin.write(data)
        stdin.seek(0)
        try:
            process = start_command(
                command, limits, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            return ChildResult(error=f"cannot start {error.filename!r}: {error.strerror}")
        try:
            return _wait(process, limits)
        finally:  # after an error or a KeyboardInterrupt, too
            kill(process)
            process.wait()


def start_command(
    command: Sequence[str],
    limits: Limits = NO_LIMITS,
    *,
    variables: Sequence[str] = (),
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """
    Start a command that runs beside this process, and dies with it on POSIX systems.

    It is in a session of its own: Ctrl-C in the terminal does not reach it.

    Args:
        command: As for `run_command`.
        limits: Of time, memory and the size of files. The caller bounds what it reads.
        variables: Beginnings of the names of further environment variables that it needs, in
            capitals; letter case is ignored.
        stdin: As for `subprocess.Popen`.
        stdout: The same.
        stderr: The same.

    Raises:
        OSError: There is no such program, or the machine permits no more processes.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT_VARIABLES or name.upper().startswith(tuple(variables))
    }
    numbers = (os.getpid(), limits.seconds, limits.memory_bytes, limits.output_bytes)
    if _POSIX:
        launch = [sys.executable, "-I", "-S", _LAUNCHER, *map(str, numbers), *command]
    else:
        launch = list(command)
    return subprocess.Popen(  # noqa: S603  # the caller chose the command
        launch,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=environment,
        start_new_session=_POSIX,
    )


def run_function(
    module: str, name: str, data: bytes = b"", limits: Limits = DEFAULT_LIMITS
) -> ChildResult:
    """
    Call a function of bytes that returns bytes, in a fresh Python; otherwise as `run_command`.

    Args:
        module: Where the function is, importable here and there.
        name: Of the function. It must not print.
        data: Its argument.
        limits: When to kill the child.

    Cost: 40 ms, and what importing the module takes.

    Example:
        >>> import base64
        >>> run_function("base64", "b64encode", b"dagorch").output
        b'ZGFnb3JjaA=='
    """
    return run_command(_python(_CALL, module, name), data, limits)


def start_function(
    module: str, name: str, *, variables: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """
    Start a function without arguments in a fresh Python; otherwise as `start_command`.

    Standard input and output are pipes between it and this process.

    Raises:
        OSError: The machine permits no more processes.
    """
    command = _python(_SERVE, module, name)
    return start_command(
        command, variables=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def _python(program: str, module: str, name: str) -> list[str]:
    path = json.dumps([str(Path(entry).absolute()) for entry in sys.path])
    return [sys.executable, "-I", "-c", program, path, module, name]


def _wait(process: subprocess.Popen[bytes], limits: Limits) -> ChildResult:
    deadline = monotonic() + limits.seconds
    check_cancelled = _cancellation_check()
    output = _Reader(process, process.stdout, limits.output_bytes)
    errors = _Reader(process, process.stderr, _MAX_ERROR_BYTES)
    for reader in (output, errors):
        while reader.is_alive():
            check_cancelled()
            left = deadline - monotonic()
            if left <= 0:
                return ChildResult(error=f"it was stopped after {limits.seconds:g} s")
            reader.join(min(left, _POLL_SECONDS))
    if output.is_full:
        return ChildResult(error=f"it wrote more than {limits.output_bytes:,} bytes")
    try:
        code = process.wait(max(0.0, deadline - monotonic()))
    except subprocess.TimeoutExpired:
        return ChildResult(error=f"it was stopped after {limits.seconds:g} s")
    if not code:
        return ChildResult(output.data)
    message = errors.data.decode("utf-8", "replace").strip()
    return ChildResult(error=message[:_MAX_ERROR_LENGTH] or exit_reason(code))


def exit_reason(code: int) -> str:
    """
    Say how a child process ended.

    Example:
        >>> exit_reason(3)
        'it ended with exit code 3'
    """
    number = code - 128 if code > 128 else -code
    try:
        return f"it was killed by {signal.Signals(number).name}"
    except ValueError:
        return f"it ended with exit code {code}"


def _cancellation_check() -> Callable[[], None]:
    """Return a function that raises when the task that this anyio worker serves is cancelled."""
    if "anyio" in sys.modules:
        from anyio.from_thread import check_cancelled

        try:
            check_cancelled()
        except RuntimeError:  # not a worker thread of anyio
            pass
        else:
            return check_cancelled
    return lambda: None


class _Reader(Thread):
    """Reads a pipe to its end, or kills the process once that writes too much."""

    def __init__(
        self, process: subprocess.Popen[bytes], pipe: IO[bytes] | None, max_bytes: float
    ) -> None:
        super().__init__(daemon=True)
        self._process, self._pipe, self._max_bytes = process, pipe, max_bytes
        self.data = b""
        self.is_full = False
        self.start()

    def run(self) -> None:
        assert self._pipe is not None
        with self._pipe:
            self.data = self._pipe.read(int(self._max_bytes) + 1)
        if len(self.data) > self._max_bytes:
            self.is_full = True
            kill(self._process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and its process group, unless it was waited for."""
    if process.returncode is not None:
        return
    if _POSIX:
        # macOS answers PermissionError for a group of zombies.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
