"""Write a drawing as plain text for a terminal, one node a line; `rails.py` draws the edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dagorch.exporters.pictures.drawing import Arrow, Box, Cluster, Drawing
from dagorch.exporters.pictures.rails import Rail, draw_rails, order_nodes
from dagorch.exporters.pictures.text_width import cell_len, pad, truncate_cells
from dagorch.exporters.pictures.unroll import draw
from dagorch.graph.graph import Graph
from dagorch.models.clean import one_line
from dagorch.models.result import Result

__all__ = ["to_text"]

_MIN_WIDTH: Final = 40
_MIN_INPUTS_WIDTH: Final = 24
"""With less room, inputs get lines of their own."""
_MARKS: Final = {
    "llm": "●",
    "function": "■",
    "branch": "◆",
    "merge": "▼",
    "ask": "?",
    "collapsed": "▣",
    "placeholder": "◌",
}
_CLUSTER_MARK: Final = "□"
_ASCII: Final = str.maketrans("●■◆▼▣◌□│─├┤┼┴╯╰╎←…·✗", "@#<>=.=|-++++'':<~-x")


def to_text(
    graph: Graph, result: Result | None = None, *, width: int = 80, ascii_only: bool = False
) -> str:
    """
    Draw a graph as text, as planned, or with a result as it really unrolled.

    Each node has a line, after its predecessors: a mark of its kind (● LLM, ■ function, ◆ branch,
    ▼ merge, ? question, □ a node with a body), its name, its details, and after an arrow its
    inputs, with `[label]` for those of a branch. The edges run down on the left as rails if there
    is room. A body is indented below its node.

    Args:
        graph: Any graph that compiles.
        result: Of a run of it.
        width: Cells of the terminal; below 40 counts as 40.
        ascii_only: Draw with ASCII alone: @ LLM, # function, < branch, > merge, = a body.

    Raises:
        DefinitionError: The graph does not compile, or the result is of another graph.

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
    width = max(_MIN_WIDTH, width)
    drawing = draw(graph, result)
    rows = list(_RowBuilder(drawing, width // 4).rows(""))
    if any(cell_len(row.left) > width // 2 for row in rows):
        rows = list(_RowBuilder(drawing, 0).rows(""))
    heading = one_line(" · ".join((drawing.title, *drawing.details)))
    lines = [truncate_cells(heading, width), *_lines(rows, width)]
    text = "".join(f"{line.rstrip()}\n" for line in lines)
    return text.translate(_ASCII) if ascii_only else text


@dataclass(slots=True)
class _Row:
    """One node, before the widths of columns are known."""

    left: str
    """Indentation, rails and mark."""
    below: str
    """The same for further lines."""
    name: str
    details: str
    inputs: list[str]


class _RowBuilder:
    """
    Makes rows of the nodes of each frame.

    Args:
        drawing: As `unroll.py` made it.
        max_columns: Of rails; 0 for none.
    """

    def __init__(self, drawing: Drawing, max_columns: int) -> None:
        self._drawing = drawing
        self._max_columns = max_columns
        self._members = drawing.members()
        self._incoming: dict[str, list[Arrow]] = {}
        for arrow in drawing.arrows:
            self._incoming.setdefault(arrow.target, []).append(arrow)

    def rows(self, cluster_id: str) -> Iterator[_Row]:
        """Yield the rows of a cluster's members, each body after its node; "" is the top."""
        things = {thing.id: thing for thing in self._members.get(cluster_id, ())}
        predecessors = {
            id: list(dict.fromkeys(a.source for a in self._incoming.get(id, ()) if not a.back))
            for id in things
        }
        order = order_nodes(predecessors)
        marks = {
            id: _CLUSTER_MARK if isinstance(thing, Cluster) else _MARKS[thing.kind]
            for id, thing in things.items()
        }
        rails = draw_rails(order, predecessors, marks, self._max_columns)
        if rails is None:
            rails = [Rail(id, marks[id], "") for id in order]
        wide = max((len(rail.line) for rail in rails), default=0) + 1
        for rail in rails:
            thing = things[rail.node]
            below = rail.below.ljust(wide)
            details, inputs = self._details_and_inputs(thing)
            yield _Row(rail.line.ljust(wide), below, one_line(thing.title), details, inputs)
            if isinstance(thing, Cluster):
                for row in self.rows(thing.id):
                    row.left, row.below = f"{below}╎ {row.left}", f"{below}╎ {row.below}"
                    yield row

    def _details_and_inputs(self, thing: Box | Cluster) -> tuple[str, list[str]]:
        details = [one_line(detail) for detail in thing.details]
        inputs = []
        for arrow in self._incoming.get(thing.id, ()):
            if arrow.back:
                details.append(arrow.label)
                continue
            source = self._drawing.boxes.get(arrow.source) or self._drawing.clusters[arrow.source]
            name = one_line(source.title)
            if arrow.label:
                name += f" [{one_line(arrow.label)}]"
            elif arrow.dashed:
                name = f"after {name}"
            inputs.append(f"{name} ✗" if arrow.dead else name)
        return " · ".join(filter(None, details)), inputs


def _lines(rows: Sequence[_Row], width: int) -> Iterator[str]:
    """Align names, details and inputs; inputs go below the node if there is no room."""
    names = max((cell_len(row.left) + cell_len(row.name) for row in rows), default=0)
    deepest = max((cell_len(row.left) for row in rows), default=0)
    names = min(names, max(width // 2, deepest + 6))
    room = max(1, width - names - 2)
    details = min(max((cell_len(row.details) for row in rows), default=0), room)
    inputs_width = width - names - details - 4
    for row in rows:
        head = row.left + truncate_cells(row.name, names - cell_len(row.left))
        first = pad(head, names) + "  " + truncate_cells(row.details, room)
        if inputs_width >= _MIN_INPUTS_WIDTH:
            inputs = _wrapped(row.inputs, inputs_width)
            yield pad(first, names + details + 4) + (inputs[0] if inputs else "")
            for line in inputs[1:]:
                yield pad(row.below, names + details + 4) + line
        else:
            yield first
            for line in _wrapped(row.inputs, width - cell_len(row.below) - 2):
                yield f"{row.below}  {line}"


def _wrapped(inputs: Sequence[str], width: int) -> list[str]:
    """Join inputs with commas, as many to a line as fit."""
    lines: list[str] = []
    for number, name in enumerate(inputs):
        item = truncate_cells(name, max(4, width - 3)) + ("," if number + 1 < len(inputs) else "")
        if lines and cell_len(lines[-1]) + 1 + cell_len(item) <= width:
            lines[-1] += f" {item}"
        else:
            lines.append(("  " if lines else "← ") + item)
    return lines
