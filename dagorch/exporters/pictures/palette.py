"""Colours of a picture: by kind before a run, by end after it. Shapes are each format's own."""

from __future__ import annotations

from typing import Final, NamedTuple

from dagorch.exporters.pictures.drawing import Box, Cluster

__all__ = ["DEAD", "LINE", "MUTED", "TEXT", "Tint", "tint"]


class Tint(NamedTuple):
    """How a shape is filled, and its outline."""

    fill: str
    line: str


TEXT: Final = "#1f2933"
MUTED: Final = "#3e4c59"
LINE: Final = "#616e7c"
DEAD: Final = "#b8c0c9"

_PLAIN: Final = Tint("#f5f7fa", "#7b8794")
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
# Told apart by lightness too; what did not complete also says so in words.
_ENDS: Final = {
    "completed": Tint("#d5f0df", "#2b7a4b"),
    "failed": Tint("#f2aea7", "#b42318"),
    "skipped": Tint("#f7f8f9", "#a7b0ba"),
    "blocked": Tint("#f8d2a4", "#b45f06"),
    "cancelled": Tint("#d6cce2", "#75608f"),
}


# Of clusters: faint, so that what is inside stands out.
_FLOORS: Final = {
    "loop": "#fdf8ec",
    "map": "#f5f1fd",
    "subgraph": "#f3f5f7",
    "frame": "#ffffff",
    "function": "#eef6fd",
    "llm": "#eef6fd",
}


def tint(thing: Box | Cluster) -> Tint:
    """Give the colours of a box, or of a cluster, which is filled by its kind whatever its end."""
    if isinstance(thing, Cluster):
        line = _ENDS[thing.end].line if thing.end else _KINDS.get(thing.kind, _PLAIN).line
        return Tint(_FLOORS[thing.kind], line)
    if thing.end is not None:
        return _ENDS[thing.end]
    return _KINDS.get(thing.kind, _PLAIN)
