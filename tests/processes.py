"""Whether other processes are alive; needs /proc."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

__all__ = ["is_alive", "wait_until_dead"]


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_dead(pid: int) -> None:
    for _ in range(1_000):
        if not is_alive(pid):
            return
        time.sleep(0.02)
    pytest.fail(f"process {pid} is still alive")
