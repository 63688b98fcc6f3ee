"""
A file's values with the place of each: made from JSON or YAML alike, within bounds.

What the values mean is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from typing import Any, Final, NamedTuple

__all__ = [
    "MAX_VALUES",
    "Closed",
    "Malformed",
    "Open",
    "Opened",
    "Position",
    "Scalar",
    "Tree",
    "grow",
]

MAX_VALUES: Final = 100_000
"""That a file may have: keys and values, and two for each list and mapping."""
MAX_DEPTH: Final = 100
"""Lists and mappings within each other."""

_INSERTED: Final = re.compile(r"\{([^{}]*)\}")


class Position(NamedTuple):
    """A place in a file, both counted from 1."""

    line: int
    column: int


class Malformed(Exception):  # noqa: N818 - never leaves this package
    """The file cannot be read any further."""

    def __init__(self, message: str, spot: Position) -> None:
        super().__init__(message)
        self.spot = spot


class Open(NamedTuple):
    """A list or a mapping begins."""

    spot: Position
    is_mapping: bool


class Closed(NamedTuple):
    """It ends."""

    spot: Position


class Scalar(NamedTuple):
    """A text, number, true, false or null."""

    spot: Position
    value: Any


Opened = Open | Closed | Scalar


class Tree:
    """A value of a file: a scalar, a list of trees, or a mapping of keys to trees."""

    __slots__ = ("keys", "spot", "value")

    def __init__(self, spot: Position, value: Any) -> None:
        self.spot = spot
        self.value: Any = value
        self.keys: dict[str, Position] = {}
        """Of a mapping, where each key stands."""

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def __getitem__(self, key: str) -> Tree:
        found: Tree = self.value[key]
        return found

    def get(self, key: str, default: Any = None) -> Any:
        """Give a mapping's plain value of a key."""
        return self[key].plain() if key in self else default

    def plain(self) -> Any:
        """Give the value without places."""
        if isinstance(self.value, dict):
            return {key: tree.plain() for key, tree in self.value.items()}
        if isinstance(self.value, list):
            return [tree.plain() for tree in self.value]
        return self.value

    def spot_of(self, path: Iterable[str | int]) -> Position:
        """Find where a part of it stands: a field at its key, an item of a list at itself."""
        tree, spot = self, self.spot
        for step in path:
            if isinstance(tree.value, dict) and step in tree.value:
                tree, spot = tree.value[step], tree.keys[str(step)]
            elif isinstance(tree.value, list) and isinstance(step, int):
                tree = tree.value[step]
                spot = tree.spot
        return spot

    def spots_saying(self, names: Set[str]) -> dict[str, Position]:
        """Find, per name, the first scalar that is this text, or else has it as `{name}`."""
        exact: dict[str, Position] = {}
        within: dict[str, Position] = {}
        stack = [self]
        while stack:
            tree = stack.pop()
            if isinstance(tree.value, dict):
                stack += reversed(tree.value.values())
            elif isinstance(tree.value, list):
                stack += reversed(tree.value)
            elif isinstance(tree.value, str):
                if tree.value in names:
                    exact.setdefault(tree.value, tree.spot)
                for name in _INSERTED.findall(tree.value):
                    if name in names:
                        within.setdefault(name, tree.spot)
        return within | exact


class _Level:
    """A list or mapping that is being read."""

    __slots__ = ("key", "tree")

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.key: Scalar | None = None

    def take(self, tree: Tree) -> None:
        """Add an item; of a mapping a key and a value in turn."""
        if isinstance(self.tree.value, list):
            self.tree.value.append(tree)
        elif self.key is None:
            self._take_key(tree)
        else:
            self.tree.value[self.key.value] = tree
            self.tree.keys[self.key.value] = self.key.spot
            self.key = None

    def _take_key(self, tree: Tree) -> None:
        if not isinstance(tree.value, str):
            what = "a list or mapping" if isinstance(tree.value, dict | list) else f"{tree.value!r}"
            raise Malformed(f"a key must be a text, not {what:.60}; quote it", tree.spot)
        if tree.value in self.tree.value:
            first = self.tree.keys[tree.value]
            raise Malformed(
                f"the key {tree.value!r:.60} is given twice, first in line {first.line}", tree.spot
            )
        self.key = Scalar(tree.spot, tree.value)


def grow(events: Iterable[Opened]) -> Tree | None:
    """
    Make the tree of a file's values; None where there are none.

    Raises:
        Malformed: A key is no text or given twice, or there are too many values, or too deep.
    """
    root: Tree | None = None
    levels: list[_Level] = []
    for count, event in enumerate(events):
        if count > MAX_VALUES:
            raise Malformed(f"the file has more than {MAX_VALUES:,} values", event.spot)
        if isinstance(event, Closed):
            levels.pop()
            continue
        if isinstance(event, Open):
            tree = Tree(event.spot, {} if event.is_mapping else [])
        else:
            tree = Tree(event.spot, event.value)
        if levels:
            levels[-1].take(tree)
        else:
            root = tree
        if isinstance(event, Open):
            if len(levels) == MAX_DEPTH:
                raise Malformed(f"values nest more than {MAX_DEPTH} deep", event.spot)
            levels.append(_Level(tree))
    return root
