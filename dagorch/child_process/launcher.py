"""
The program between dagorch and a command that `bounded.py` runs, on POSIX systems.

It limits the command, waits for it, and kills its process group when dagorch dies or the time is
up. It runs by its path under `python -I -S`, so it imports the standard library only.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
import time
from threading import Thread

__all__ = ["main"]

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 2.0
"""Beyond its time limit, which dagorch itself enforces if it can."""


def main() -> None:
    """Run `launcher.py PARENT_PID SECONDS MEMORY_BYTES FILE_BYTES COMMAND ...`."""
    parent, seconds = int(sys.argv[1]), float(sys.argv[2])
    memory_bytes, file_bytes = int(sys.argv[3]), int(sys.argv[4])
    command = sys.argv[5:]
    child = os.fork()
    if not child:
        _limit(resource.RLIMIT_CPU, math.ceil(seconds))
        _limit(resource.RLIMIT_AS, memory_bytes)
        _limit(resource.RLIMIT_FSIZE, file_bytes)
        _limit(resource.RLIMIT_CORE, 0)
        try:
            os.execvp(command[0], command)  # noqa: S606  # the caller chose the command
        except OSError as error:
            sys.stderr.write(f"cannot start {command[0]!r}: {error.strerror}")
            sys.stderr.flush()
            os._exit(127)
    Thread(target=_kill_group_when, args=(parent, seconds + _GRACE_SECONDS), daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(code if code >= 0 else 128 - code)  # 128 + signal, as shells report it


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(what, (value, value))
    except (OSError, ValueError):
        pass  # macOS refuses RLIMIT_AS; time and output stay bounded


def _kill_group_when(parent: int, seconds: float) -> None:
    """Kill this process and the command once the parent is gone or the seconds have passed."""
    deadline = time.monotonic() + seconds
    while os.getppid() == parent and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
