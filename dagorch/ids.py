"""The ids of runs and the paths of node runs: how they are made, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NewType

__all__ = ["FALLBACK", "RESERVED_CHARACTERS", "NodePath", "RunId", "new_run_id", "started_at"]

RESERVED_CHARACTERS: Final = re.compile(r"[/\[\]\x00-\x1f]")
"""No node id contains one of these: paths are built with them."""

RunId = NewType("RunId", str)

FALLBACK: Final = "[fallback]"
"""Follows the node whose fallback is a frame, so that it does not share the paths of its body."""

_FRAME_NUMBER: Final = re.compile(r"\[\d+\](?=/)")
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(a + b for a in _ALPHABET for b in _ALPHABET)


class NodePath(str):
    """
    The address of a node run inside a run: `refine[2]/critic`.

    Each container is one segment. The number of a loop pass or a map item follows it in brackets,
    or `[fallback]`; a subgraph and an expansion have none. A path is a plain string wherever it is
    stored or compared; this class reads it.

    Example:
        >>> path = NodePath("search[7]/refine[2]/critic")
        >>> path.node_id, path.frame, path.container, path.frame_number
        ('critic', 'search[7]/refine[2]', 'search[7]/refine', 2)
        >>> path.in_plan
        'search/refine/critic'
        >>> NodePath("critic").container, NodePath("critic").frame_number
        ('', None)
        >>> path = NodePath("refine[fallback]/critic")
        >>> path.container, path.frame_number, path.is_in_fallback
        ('refine', None, True)
    """

    __slots__ = ()

    @classmethod
    def build(cls, container: str, frame_number: int | None, node_id: str) -> NodePath:
        """
        Build the path of a node run from its parts.

        Args:
            container: The path of the container's node run; empty for the root frame.
            frame_number: The pass or item, from 0; None for a frame without a number.
            node_id: The node's id in its graph.

        Example:
            >>> NodePath.build("refine", 2, "critic")
            'refine[2]/critic'
        """
        if not container:
            return cls(node_id)
        number = "" if frame_number is None else f"[{frame_number}]"
        return cls(f"{container}{number}/{node_id}")

    @property
    def node_id(self) -> str:
        """The node's id in its graph."""
        return self.rpartition("/")[2]

    @property
    def frame(self) -> str:
        """The frame of the node run, with its number; empty for the root frame."""
        return self.rpartition("/")[0]

    @property
    def container(self) -> NodePath:
        """The path of the node run that opened the frame; empty in the root frame."""
        frame = self.frame
        return NodePath(frame.rpartition("[")[0] if frame.endswith("]") else frame)

    @property
    def frame_number(self) -> int | None:
        """The pass of a loop or the item of a map, from 0; None for a frame without a number."""
        return self.parts[1]

    @property
    def is_in_fallback(self) -> bool:
        """Whether its frame is the fallback of its container."""
        return self.frame.endswith(FALLBACK)

    @property
    def parts(self) -> tuple[NodePath, int | None, str]:
        """
        The container, the frame number and the node id; in half the time of one after another.

        Example:
            >>> NodePath("search[7]/critic").parts, NodePath("critic").parts
            (('search', 7, 'critic'), ('', None, 'critic'))
        """
        frame, _, node_id = self.rpartition("/")
        if not frame.endswith("]"):
            return NodePath(frame), None, node_id
        container, _, number = frame.rpartition("[")
        is_fallback = frame.endswith(FALLBACK)
        return NodePath(container), None if is_fallback else int(number[:-1]), node_id

    @property
    def in_plan(self) -> str:
        """The path without frame numbers: the same for every pass and item."""
        return _FRAME_NUMBER.sub("", self) if "[" in self else str(self)

    def with_containers(self) -> Iterator[NodePath]:
        """
        Iterate over this path and the paths of its containers, the innermost first.

        Example:
            >>> list(NodePath("search[7]/refine[0]/critic").with_containers())
            ['search[7]/refine[0]/critic', 'search[7]/refine', 'search']
        """
        path = self
        while path:
            yield path
            path = path.container


def new_run_id(chance: int, now: float) -> RunId:
    """
    Make a run id that sorts by time: nine characters of milliseconds, then seven random ones.

    Args:
        chance: A random number; its lowest 35 bits are used.
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
    Read the start time in a run id: seconds since the epoch, to the millisecond.

    Example:
        >>> started_at(new_run_id(7, now=1.5e9))
        1500000000.0
    """
    number = 0
    for letter in run_id.partition("-")[0]:  # a suffix tells two ids of one moment apart
        number = number << 5 | _ALPHABET.index(letter)
    return (number >> 35) / 1000
