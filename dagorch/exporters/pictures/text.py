"""
A drawing as plain text for a terminal, one node a line.

What is drawn is `unroll.py`'s, where the edges run `rails.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dagorch.exporters.pictures.drawing import Arrow, Box, Cluster, Drawing
from dagorch.exporters.pictures.rails import Rail, in_order, lay_rails
from dagorch.exporters.pictures.text_width import cell_len, cut, pad
from dagorch.exporters.pictures.unroll import draw
from dagorch.graph.graph import Graph
from dagorch.models.clean import one_line
from dagorch.models.result import Result

__all__ = ["to_text"]

_NARROWEST: Final = 40
_MARKS: Final = {
    "llm": "●",
    "function": "■",
    "branch": "◆",
    "merge": "▼",
    "ask": "?",
    "collapsed": "▣",
    "placeholder": "◌",
}
_BODY: Final = "□"
_ASCII: Final = str.maketrans("●■◆▼▣◌□│─├┤┼┴╯╰╎←…·✗", "@#<>=.=|-++++'':<~-x")
_MIN_INPUTS: Final = 24
"""Cells below which inputs get lines of their own."""


def to_text(
    graph: Graph, result: Result | None = None, *, width: int = 80, ascii_only: bool = False
) -> str:
    """
    Draw a graph as text, as planned, or with a result as it really unrolled.

    Each node has a line, after those that it waits for: a mark of its kind (● LLM, ■ function,
    ◆ branch, ▼ merge, ? question, □ something with a body), its name, what it is, and after an
    arrow where its inputs come from, `[label]` for those of a branch. To the left the edges run
    down as rails, as far as there is room; a body is drawn below its node, further in.

    Args:
        graph: Any graph that compiles.
        result: Of a run of it.
        width: Cells of the terminal; below 40 counts as 40.
        ascii_only: Draw with ASCII alone: @ LLM, # function, < branch, > merge, = a body.

    Raises:
        DefinitionError: The graph does not compile, or the result is of another one.

    Example:
        >>> from dagorch import LLM, Graph
        >>> graph = Graph("talk")
        >>> idea = graph.add(LLM("idea", prompt="Tell a story."))
        >>> for name in ("praise", "blame"):
        ...     ref = graph.add(LLM(name, prompt="{idea}"), idea=idea)
        >>> print(to_text(graph), end="")
        talk
        ●   idea    LLM
        ├─● praise  LLM  ← idea
        ●   blame   LLM  ← idea
    """
    width = max(_NARROWEST, width)
    drawing = draw(graph, result)
    rows = list(_Frames(drawing, width // 4).rows(""))
    if any(cell_len(row.left) > width // 2 for row in rows):
        rows = list(_Frames(drawing, 0).rows(""))
    lines = [_title(drawing, width), *_laid_out(rows, width)]
    text = "".join(f"{line.rstrip()}\n" for line in lines)
    return text.translate(_ASCII) if ascii_only else text


@dataclass(slots=True)
class _Row:
    """One node, before widths are known."""

    left: str
    """Rails, mark and indentation."""
    below: str
    """The same for further lines."""
    name: str
    about: str
    inputs: list[str]


class _Frames:
    """
    The nodes of each frame of a drawing, as rows.

    Args:
        drawing: As `unroll.py` made it.
        most: Columns of rails; 0 for none.
    """

    def __init__(self, drawing: Drawing, most: int) -> None:
        self._drawing = drawing
        self._most = most
        self._inside: dict[str, list[Box | Cluster]] = {}
        for cluster in drawing.clusters.values():
            self._inside.setdefault(cluster.parent, []).append(cluster)
        for box in drawing.boxes.values():
            self._inside.setdefault(box.cluster, []).append(box)
        self._into: dict[str, list[Arrow]] = {}
        for arrow in drawing.arrows:
            self._into.setdefault(arrow.target, []).append(arrow)

    def rows(self, id: str) -> Iterator[_Row]:
        """Give those of one frame, each body after its node; "" is the outermost."""
        things = {thing.id: thing for thing in self._inside.get(id, ())}
        sources = {
            name: list(dict.fromkeys(a.source for a in self._into.get(name, ()) if not a.back))
            for name in things
        }
        order = in_order(sources)
        marks = {name: _mark(thing) for name, thing in things.items()}
        rails = lay_rails(order, sources, marks, self._most)
        if rails is None:
            rails = [Rail(name, marks[name], "") for name in order]
        wide = max((len(rail.line) for rail in rails), default=0)
        for rail in rails:
            thing = things[rail.node]
            below = rail.below.ljust(wide + 1)
            yield _Row(rail.line.ljust(wide + 1), below, one_line(thing.title), *self._said(thing))
            if isinstance(thing, Cluster):
                for row in self.rows(thing.id):
                    row.left, row.below = f"{below}╎ {row.left}", f"{below}╎ {row.below}"
                    yield row

    def _said(self, thing: Box | Cluster) -> tuple[str, list[str]]:
        about = [one_line(detail) for detail in thing.details]
        inputs = []
        for arrow in self._into.get(thing.id, ()):
            if arrow.back:
                about.append(arrow.label)
                continue
            source = self._drawing.boxes.get(arrow.source) or self._drawing.clusters[arrow.source]
            told = one_line(source.title)
            if arrow.label:
                told += f" [{one_line(arrow.label)}]"
            elif arrow.dashed:
                told = f"after {told}"
            inputs.append(f"{told} ✗" if arrow.dead else told)
        return " · ".join(filter(None, about)), inputs


def _mark(thing: Box | Cluster) -> str:
    return _BODY if isinstance(thing, Cluster) else _MARKS[thing.kind]


def _title(drawing: Drawing, width: int) -> str:
    return cut(one_line(" · ".join((drawing.title, *drawing.details))), width)


def _laid_out(rows: Sequence[_Row], width: int) -> Iterator[str]:
    """Put names, what they are and inputs below each other; inputs go below if there is no room."""
    names = max((cell_len(row.left) + cell_len(row.name) for row in rows), default=0)
    deepest = max((cell_len(row.left) for row in rows), default=0)
    names = min(names, max(width // 2, deepest + 6))
    room = max(1, width - names - 2)
    about = min(max((cell_len(row.about) for row in rows), default=0), room)
    beside = width - names - about - 4
    for row in rows:
        head = row.left + cut(row.name, names - cell_len(row.left))
        first = pad(head, names) + "  " + cut(row.about, room)
        if beside >= _MIN_INPUTS:
            inputs = _wrapped(row.inputs, beside)
            yield pad(first, names + about + 4) + (inputs[0] if inputs else "")
            for line in inputs[1:]:
                yield pad(row.below, names + about + 4) + line
        else:
            yield first
            for line in _wrapped(row.inputs, width - cell_len(row.below) - 2):
                yield f"{row.below}  {line}"


def _wrapped(inputs: Sequence[str], room: int) -> list[str]:
    """Write inputs with commas between, as many to a line as fit."""
    lines: list[str] = []
    for number, told in enumerate(inputs):
        told = cut(told, max(4, room - 3)) + ("," if number + 1 < len(inputs) else "")
        if lines and cell_len(lines[-1]) + 1 + cell_len(told) <= room:
            lines[-1] += f" {told}"
        else:
            lines.append(("  " if lines else "← ") + told)
    return lines
