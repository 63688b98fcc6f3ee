"""
The values of a file with their positions, built from JSON or YAML events.

The bounds on number and depth are checked here. What the values mean is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from typing import Any, Final, NamedTuple

__all__ = [
    "MAX_VALUES", "Closed", "Event", "Malformed", "Opened", "Position", "Scalar", "Tree",
    "build_tree",
]  # fmt: skip

MAX_VALUES: Final = 100_000
"""The most values in a file. A key or scalar counts one, a list or mapping two."""
MAX_DEPTH: Final = 100
"""The most lists and mappings inside one another."""

_INSERTED: Final = re.compile(r"\{([^{}]*)\}")


class Position(NamedTuple):
    """A position in a file. Both numbers start at 1."""

    line: int
    column: int


class Malformed(Exception):  # noqa: N818 - never leaves this package
    """Raised when the rest of the file cannot be read."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__(message)
        self.position = position


class Opened(NamedTuple):
    """The start of a list or a mapping."""

    position: Position
    is_mapping: bool


class Closed(NamedTuple):
    """The end of a list or a mapping."""

    position: Position


class Scalar(NamedTuple):
    """A text, a number, true, false or null."""

    position: Position
    value: Any


Event = Opened | Closed | Scalar


class Tree:
    """A value in a file: a scalar, a list of trees, or a mapping of keys to trees."""

    __slots__ = ("keys", "position", "value")

    def __init__(self, position: Position, value: Any) -> None:
        self.position = position
        self.value: Any = value
        self.keys: dict[str, Position] = {}
        """The position of each key of a mapping."""

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def __getitem__(self, key: str) -> Tree:
        found: Tree = self.value[key]
        return found

    def get(self, key: str, default: Any = None) -> Any:
        """Return the plain value of a key."""
        return self[key].plain() if key in self else default

    def plain(self) -> Any:
        """Return the value without positions."""
        if isinstance(self.value, dict):
            return {key: tree.plain() for key, tree in self.value.items()}
        if isinstance(self.value, list):
            return [tree.plain() for tree in self.value]
        return self.value

    def position_of(self, path: Iterable[str | int]) -> Position:
        """Return the position of the key, or of the list item, at a path."""
        tree, position = self, self.position
        for step in path:
            if isinstance(tree.value, dict) and step in tree.value:
                tree, position = tree.value[step], tree.keys[str(step)]
            elif isinstance(tree.value, list) and isinstance(step, int):
                tree = tree.value[step]
                position = tree.position
        return position

    def positions_of(self, names: Set[str]) -> dict[str, Position]:
        """Find, per name, the first text that is the name, or else contains `{name}`."""
        exact: dict[str, Position] = {}
        inserted: dict[str, Position] = {}
        stack = [self]
        while stack:
            tree = stack.pop()
            if isinstance(tree.value, dict):
                stack += reversed(tree.value.values())
            elif isinstance(tree.value, list):
                stack += reversed(tree.value)
            elif isinstance(tree.value, str):
                if tree.value in names:
                    exact.setdefault(tree.value, tree.position)
                for name in _INSERTED.findall(tree.value):
                    if name in names:
                        inserted.setdefault(name, tree.position)
        return inserted | exact


class _OpenValue:
    """A list or mapping that has not ended yet."""

    __slots__ = ("key", "tree")

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.key: Scalar | None = None

    def add(self, tree: Tree) -> None:
        """Add an item to a list, or a key and then its value to a mapping."""
        if isinstance(self.tree.value, list):
            self.tree.value.append(tree)
        elif self.key is None:
            self._add_key(tree)
        else:
            self.tree.value[self.key.value] = tree
            self.tree.keys[self.key.value] = self.key.position
            self.key = None

    def _add_key(self, tree: Tree) -> None:
        if not isinstance(tree.value, str):
            found = "a list or mapping" if isinstance(tree.value, dict | list) else repr(tree.value)
            raise Malformed(f"a key must be text, not {found:.60}; quote it", tree.position)
        if tree.value in self.tree.value:
            first = self.tree.keys[tree.value]
            raise Malformed(
                f"the key {tree.value!r:.60} appears twice, first in line {first.line}",
                tree.position,
            )
        self.key = Scalar(tree.position, tree.value)


def build_tree(events: Iterable[Event]) -> Tree | None:
    """
    Build the tree of a file's values, or return None if there are none.

    Raises:
        Malformed: A key is not text or appears twice, there are too many values, or they nest
            too deep.
    """
    root: Tree | None = None
    open_values: list[_OpenValue] = []
    for count, event in enumerate(events):
        if count > MAX_VALUES:
            raise Malformed(f"the file has more than {MAX_VALUES:,} values", event.position)
        if isinstance(event, Closed):
            open_values.pop()
            continue
        if isinstance(event, Opened):
            tree = Tree(event.position, {} if event.is_mapping else [])
        else:
            tree = Tree(event.position, event.value)
        if open_values:
            open_values[-1].add(tree)
        else:
            root = tree
        if isinstance(event, Opened):
            if len(open_values) == MAX_DEPTH:
                raise Malformed(f"values nest more than {MAX_DEPTH} deep", event.position)
            open_values.append(_OpenValue(tree))
    return root
