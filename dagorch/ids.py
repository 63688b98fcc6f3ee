"""The kinds of id, told apart by the type checker, and the one place that makes new ones."""

from __future__ import annotations

import random
import time
from typing import NewType

__all__ = ["NodeId", "Path", "RunId", "new_run_id"]

NodeId = NewType("NodeId", str)
"""A node's name in its graph."""
Path = NewType("Path", str)
"""Address of a node run inside a run: `refine[2]/critic`."""
RunId = NewType("RunId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_run_id(rng: random.Random, now: float | None = None) -> RunId:
    """
    Make an id that sorts by time: nine characters of milliseconds, seven of chance.

    Args:
        rng: The source of chance; a seeded one gives the same ids.
        now: Seconds since the epoch; None reads the clock.

    Source: Crockford's base 32, as in the ULID specification.

    Example:
        >>> new_run_id(random.Random(1), now=1.0e9) < new_run_id(random.Random(1), now=2.0e9)
        True
    """
    number = (int((time.time() if now is None else now) * 1000) << 35) | rng.getrandbits(35)
    return RunId("".join(_ALPHABET[(number >> shift) & 31] for shift in range(75, -1, -5)))
