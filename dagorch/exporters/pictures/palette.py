"""Colours of a picture: by kind before a run, by end after it. Each format has its own shapes."""

from __future__ import annotations

from typing import Final, NamedTuple

from dagorch.exporters.pictures.drawing import Box, Cluster

__all__ = ["DEAD", "LINE", "MUTED", "TEXT", "Tint", "tint"]


class Tint(NamedTuple):
    """The colours of a shape."""

    fill: str
    line: str


TEXT: Final = "#1f2933"
MUTED: Final = "#3e4c59"
LINE: Final = "#616e7c"
DEAD: Final = "#b8c0c9"

_DEFAULT: Final = Tint("#f5f7fa", "#7b8794")
_KINDS: Final = {
    "llm": Tint("#e3edfd", "#2f6fde"),
    "function": Tint("#eef1f4", "#6b7a8c"),
    "branch": Tint("#fff1cc", "#b7791f"),
    "merge": Tint("#e6f4ea", "#38805a"),
    "ask": Tint("#fbe4f0", "#b83280"),
    "collapsed": Tint("#ede7f9", "#7c4fc4"),
    "placeholder": Tint("#ffffff", "#7b8794"),
    "loop": Tint("#ffffff", "#b7791f"),
    "map": Tint("#ffffff", "#7c4fc4"),
    "subgraph": Tint("#ffffff", "#6b7a8c"),
    "frame": Tint("#ffffff", "#b8c0c9"),
}
# They differ in lightness too, and every end but `completed` is also written in the box.
_ENDS: Final = {
    "completed": Tint("#d5f0df", "#2b7a4b"),
    "failed": Tint("#f2aea7", "#b42318"),
    "skipped": Tint("#f7f8f9", "#a7b0ba"),
    "blocked": Tint("#f8d2a4", "#b45f06"),
    "cancelled": Tint("#d6cce2", "#75608f"),
}
# Pale, so that the boxes inside stand out.
_CLUSTER_FILLS: Final = {
    "loop": "#fdf8ec",
    "map": "#f5f1fd",
    "subgraph": "#f3f5f7",
    "frame": "#ffffff",
    "function": "#eef6fd",
    "llm": "#eef6fd",
}


def tint(thing: Box | Cluster) -> Tint:
    """Return the colours of a box or cluster; the fill of a cluster depends on its kind only."""
    if isinstance(thing, Cluster):
        line = _ENDS[thing.end].line if thing.end else _KINDS.get(thing.kind, _DEFAULT).line
        return Tint(_CLUSTER_FILLS[thing.kind], line)
    if thing.end is not None:
        return _ENDS[thing.end]
    return _KINDS.get(thing.kind, _DEFAULT)
