"""The kinds of id, told apart by the type checker, and the one place that makes new ones."""

from __future__ import annotations

from typing import NewType

__all__ = ["NodeId", "Path", "RunId", "new_run_id"]

NodeId = NewType("NodeId", str)
"""A node's name in its graph."""
Path = NewType("Path", str)
"""Address of a node run inside a run: `refine[2]/critic`."""
RunId = NewType("RunId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)


def new_run_id(chance: int, now: float) -> RunId:
    """
    Make an id that sorts by time: nine characters of milliseconds, seven of chance.

    Args:
        chance: Any number; its lowest 35 bits are used.
        now: Seconds since the epoch.

    Source: Crockford's base 32, as in the ULID specification.

    Example:
        >>> new_run_id(7, now=1.0e9) < new_run_id(3, now=2.0e9)
        True
    """
    number = (int(now * 1000) << 35) | (chance & 0x7FFFFFFFF)
    return RunId("".join([_PAIRS[(number >> shift) & 1023] for shift in range(70, -1, -10)]))
