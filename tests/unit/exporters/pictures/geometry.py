"""The positions of boxes and text in an SVG, and faults in them, measured with a wide font."""

from __future__ import annotations

import re
from itertools import combinations
from typing import NamedTuple
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
_NARROW = frozenset(" .,·:;'|!/iljtfrI()[]-…")
_WIDTHS = {False: (0.34, 0.61), True: (0.41, 0.69)}
"""Plain and bold widths of narrow and other letters in DejaVu Sans, as shares of the font size."""


class Area(NamedTuple):
    """A rectangle and the name of what it holds."""

    left: float
    top: float
    right: float
    bottom: float
    name: str

    def overlaps(self, other: Area, slack: float = 0.5) -> bool:
        return (
            self.left < other.right - slack
            and other.left < self.right - slack
            and self.top < other.bottom - slack
            and other.top < self.bottom - slack
        )

    def holds(self, other: Area, slack: float = 0.5) -> bool:
        return (
            self.left <= other.left + slack
            and self.top <= other.top + slack
            and self.right >= other.right - slack
            and self.bottom >= other.bottom - slack
        )


class Geometry:
    """The rectangles in an SVG of a graph."""

    def __init__(self, svg: str) -> None:
        root = ElementTree.fromstring(svg)
        self.width, self.height = (
            float(root.get(name, "").removesuffix("pt")) for name in ("width", "height")
        )
        groups = [(g.get("class", "").split() or [""], g) for g in root.iter(f"{SVG}g")]
        self.nodes = [(_shape(g), _words(g)) for names, g in groups if names[0] == "node"]
        self.clusters = [(_shape(g), _words(g)) for names, g in groups if names[0] == "cluster"]
        self.edges = [g for names, g in groups if names[0] == "edge"]
        self.labels = [word for edge in self.edges for word in _words(edge)]
        top = root.find(f"{SVG}g")
        assert top is not None
        self.heading = [_word(text) for text in top.findall(f"{SVG}text")]

    def faults(self) -> list[str]:
        """List text outside its box, overlapping text or boxes, and pictures that are strips."""
        nodes = [shape for shape, _ in self.nodes]
        clusters = [shape for shape, _ in self.clusters]
        words = [word for _, inside in (*self.nodes, *self.clusters) for word in inside]
        words += self.labels + self.heading
        found = [
            f"{word.name!r} sticks out of {shape.name!r}"
            for shape, inside in (*self.nodes, *self.clusters)
            for word in inside
            if not shape.holds(word)
        ]
        found += [
            f"{a.name!r} is over {b.name!r}" for a, b in combinations(nodes, 2) if a.overlaps(b)
        ]
        found += [
            f"words {a.name!r} over {b.name!r}" for a, b in combinations(words, 2) if a.overlaps(b)
        ]
        found += [
            f"{a.name!r} crosses {b.name!r}"
            for a, b in [*combinations(clusters, 2), *((c, n) for c in clusters for n in nodes)]
            if a.overlaps(b) and not a.holds(b) and not b.holds(a)
        ]
        found += [
            f"label {label.name!r} is over {node.name!r}"
            for label in self.labels
            for node in nodes
            if label.overlaps(node)
        ]
        if max(self.width, self.height) > 6 * max(min(self.width, self.height), 300):
            found.append(f"a strip of {self.width:.0f} by {self.height:.0f} points")
        return found


def _shape(group: ElementTree.Element) -> Area:
    name = group.findtext(f"{SVG}title") or ""
    xs: list[float] = []
    ys: list[float] = []
    for round in group.iter(f"{SVG}ellipse"):
        x, y, rx, ry = (float(round.get(key, "")) for key in ("cx", "cy", "rx", "ry"))
        xs += [x - rx, x + rx]
        ys += [y - ry, y + ry]
    for shape in group.iter():
        if shape.tag in (f"{SVG}path", f"{SVG}polygon"):
            text = shape.get("d") or shape.get("points") or ""
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", text)]
            xs += numbers[::2]
            ys += numbers[1::2]
    return Area(min(xs), min(ys), max(xs), max(ys), name)


def _words(group: ElementTree.Element) -> list[Area]:
    return [_word(text) for text in group.iter(f"{SVG}text")]


def _word(text: ElementTree.Element) -> Area:
    content = (text.text or "").strip("\N{NO-BREAK SPACE} ")
    size, x, y = (float(text.get(key, "")) for key in ("font-size", "x", "y"))
    narrow, broad = _WIDTHS[text.get("font-weight") == "bold"]
    width = size * sum(narrow if letter in _NARROW else broad for letter in content)
    left = x - width / 2 if text.get("text-anchor") == "middle" else x
    return Area(left, y - 0.7 * size, left + width, y + 0.1 * size, content)
