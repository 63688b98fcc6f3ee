"""
The program between dagorch and a command that `bounded.py` runs, on POSIX systems.

It limits the command, waits for it, and kills its process group when dagorch dies or the time is
up. It runs by its path under `python -I -S` and imports only modules that cost nothing: threading,
signal and contextlib would double its 15 ms.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from _thread import start_new_thread

__all__ = ["main"]

_SIGKILL = 9
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 2.0
"""Beyond the time limit, which dagorch itself enforces while it lives."""


def main() -> None:
    """Run `launcher.py PARENT_PID SECONDS MEMORY_BYTES FILE_BYTES COMMAND ...`; `inf`: no limit."""
    parent, seconds = int(sys.argv[1]), float(sys.argv[2])
    memory_bytes, file_bytes = float(sys.argv[3]), float(sys.argv[4])
    command = sys.argv[5:]
    child = os.fork()
    if not child:
        _limit(resource.RLIMIT_CPU, seconds + 1)
        _limit(resource.RLIMIT_AS, memory_bytes)
        _limit(resource.RLIMIT_FSIZE, file_bytes)
        _limit(resource.RLIMIT_CORE, 0)
        try:
            os.execvp(command[0], command)  # noqa: S606  # the caller chose the command
        except OSError as error:
            os.write(2, f"cannot start {command[0]!r}: {error.strerror}".encode())
            os._exit(127)
    start_new_thread(_kill_group_when, (parent, seconds + _GRACE_SECONDS))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(code if code >= 0 else 128 - code)  # 128 + signal, as shells report it


def _limit(what: int, value: float) -> None:
    if value == float("inf"):
        return
    hard = resource.getrlimit(what)[1]
    number = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
    try:  # noqa: SIM105  # contextlib takes too long to import
        resource.setrlimit(what, (number, number))
    except (OSError, ValueError):
        pass  # macOS may refuse RLIMIT_AS; the other limits hold


def _kill_group_when(parent: int, seconds: float) -> None:
    """Kill this process and the command once the parent is gone or the seconds have passed."""
    deadline = time.monotonic() + seconds
    while os.getppid() == parent and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    os.killpg(0, _SIGKILL)


if __name__ == "__main__":
    main()
