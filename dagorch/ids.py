"""The kinds of id, told apart by the type checker, and the one place that makes new ones."""

from __future__ import annotations

from typing import NewType

__all__ = ["NodeId", "Path", "RunId", "new_run_id", "started_at"]

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


def started_at(run_id: RunId) -> float:
    """
    Read off a run's id when the run began, in seconds since the epoch, to the millisecond.

    Example:
        >>> started_at(new_run_id(7, now=1.5e9))
        1500000000.0
    """
    number = 0
    for letter in run_id.partition("-")[0]:  # what follows tells apart two of one moment
        number = number << 5 | _ALPHABET.index(letter)
    return (number >> 35) / 1000
