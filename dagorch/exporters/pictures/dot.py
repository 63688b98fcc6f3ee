"""
A drawing in DOT, Graphviz's language. What is drawn is `unroll.py`'s; rendering, `picture.py`'s.

Caller by hand and not through the `graphviz` package: that one takes the colon in a node's id
for a port, and its 60 ms of import would buy the quoting of three attributes.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final

from dagorch.exporters.pictures.drawing import Arrow, Box, Cluster, Drawing
from dagorch.exporters.pictures.palette import DEAD, LINE, MUTED, TEXT, tint
from dagorch.exporters.pictures.unroll import draw
from dagorch.graph.graph import Graph
from dagorch.models.result import Result

__all__ = ["dot_of", "to_dot"]

_ESCAPES: Final = re.compile(r"\\(?=[NGETHL])")
_SHAPES: Final = {
    "llm": "box",
    "function": "box",
    "branch": "diamond",
    "merge": "hexagon",
    "ask": "parallelogram",
    "collapsed": "box3d",
    "placeholder": "ellipse",
}
_BORDERS: Final = {
    "loop": "rounded",
    "map": "rounded,dashed",
    "subgraph": "solid",
    "function": "rounded,dotted",
    "llm": "rounded,dotted",
}
_THICK: Final = 3
_SPACE: Final = "\N{NO-BREAK SPACE}"
_LONG: Final = 18
_LARGE: Final = 60
_PART: Final = re.compile(r"(?<=\w)[\s_.:…-]+(?=\w)")
# One name and no list: without the system's fonts Graphviz knows the widths of this one alone.
_FONT: Final = "Helvetica"


def to_dot(graph: Graph, result: Result | None = None) -> str:
    """
    Write a graph in DOT, as planned, or with a result of a run as it really unrolled.

    Node names are the paths of node runs (`refine[2]/critic`).

    Raises:
        DefinitionError: The graph does not compile.

    Example:
        >>> from dagorch import LLM, Graph
        >>> graph = Graph("hello")
        >>> ref = graph.add(LLM("greet", prompt="Say hello."))
        >>> '"greet" [label=<' in to_dot(graph)
        True
    """
    return dot_of(draw(graph, result))


def dot_of(drawing: Drawing) -> str:
    """Write a drawing in DOT; as `to_dot`, where there is a drawing but no graph."""
    heading = _label(drawing.title, (*drawing.details, ""), 17, "left")
    wide = drawing.is_wide
    apart = 0.3 if len(drawing.boxes) <= _LARGE else 0.15
    attributes = {
        "graph": f"label={heading}, labelloc=t, labeljust=l, rankdir={'LR' if wide else 'TB'},"
        f' compound=true, nodesep={apart}, ranksep=0.45, pad=0.2, bgcolor="white"',
        "node": 'fontsize=12, margin="0.16,0.07", height=0.4',
        "edge": f'fontsize=10, color="{LINE}", arrowsize=0.7',
    }
    lines = [f"digraph {_quoted(drawing.title)} {{"]
    for what, text in attributes.items():
        lines.append(f'  {what} [fontname="{_FONT}", fontcolor="{TEXT}", {text}]')
    depth = 1
    # From left to right Graphviz stacks what is in a cluster from the bottom up.
    for thing in drawing.walk(upward=wide):
        if thing is None:
            depth -= 1
            lines.append(f"{'  ' * depth}}}")
        elif isinstance(thing, Cluster):
            lines.append(f"{'  ' * depth}subgraph {_cluster(thing.id)} {{")
            depth += 1
            lines.append(f"{'  ' * depth}graph [{_surround(thing)}]")
        else:
            lines.append(f"{'  ' * depth}{_quoted(thing.id)} [{_box(thing, wide)}]")
    for arrow in drawing.arrows:
        lines += [f"  {line}" for line in _arrow(drawing, arrow, wide)]
    return "\n".join([*lines, "}", ""])


def _box(box: Box, wide: bool) -> str:
    colours = tint(box)
    styles = ["filled"]
    if box.kind in ("llm", "placeholder"):
        styles.append("rounded")
    if box.dashed or box.end == "skipped":
        styles.append("dashed")
    shape = _SHAPES[box.kind]
    parts = [
        f"label={_label(box.title, box.details, 13, halves=not wide)}",
        f"shape={shape}",
        f'style="{",".join(styles)}"',
        f'fillcolor="{colours.fill}"',
        f'color="{colours.line}"',
        f"tooltip={_quoted(box.about or box.id)}",
        f'class="{box.kind} {box.end or "planned"}"',
    ]
    if shape in ("diamond", "hexagon", "parallelogram"):
        parts.append('margin="0.02,0.02"')
    if box.critical:
        parts.append(f"penwidth={_THICK}")
    return ", ".join(parts)


def _surround(surround: Cluster) -> str:
    colours = tint(surround)
    label = _label(surround.title, surround.details, 12, "left")
    style = "dashed" if surround.dashed else _BORDERS.get(surround.kind, "rounded")
    width = 2 if surround.kind == "loop" else 1
    return (
        f"label={label}, labeljust=l, labelloc=t, margin=12, penwidth={width},"
        f' style="filled,{style}", fillcolor="{colours.fill}", color="{colours.line}",'
        f" tooltip={_quoted(surround.id)}"
    )


def _arrow(drawing: Drawing, arrow: Arrow, wide: bool) -> list[str]:
    """The arrow itself, then invisible ones that keep all of a body behind what it waits for."""
    exits, entries = drawing.exits(arrow.source), drawing.entries(arrow.target)
    tail, head = exits[len(exits) // 2], entries[len(entries) // 2]
    ends = f"{_quoted(tail)} -> {_quoted(head)}"
    if arrow.back:  # round the body, not over what leads forward; the blanks keep it inside
        side = "tailport=s, headport=s" if wide else 'tailport=e, headport=e, label="   "'
        return [f"{ends} [style=dashed, constraint=false, {side}]"]
    parts = []
    if arrow.label:
        parts.append(f"label={_quoted(f'   {arrow.label} ')}")
    if arrow.dashed or arrow.dead:
        parts.append("style=dashed")
    if arrow.dead:
        parts.append(f'color="{DEAD}", fontcolor="{DEAD}"')
    if arrow.critical:
        parts.append(f'penwidth={_THICK}, color="{TEXT}"')
    if arrow.source in drawing.surrounds:
        parts.append(f"ltail={_cluster(arrow.source)}")
    if arrow.target in drawing.surrounds:
        parts.append(f"lhead={_cluster(arrow.target)}")
    lines = [ends + (f" [{', '.join(parts)}]" if parts else "")]
    unseen = [(tail, other) for other in entries if other != head]
    unseen += [(other, head) for other in exits if other != tail]
    lines += [f"{_quoted(a)} -> {_quoted(b)} [style=invis]" for a, b in unseen]
    return lines


def _label(
    title: str,
    details: tuple[str, ...],
    size: int,
    align: str = "center",
    *,
    halves: bool = False,
) -> str:
    """
    A label in Graphviz's subset of HTML: the title bold, the details small.

    Long lines get spaces around them: who looks at an SVG may have no Helvetica, and other
    letters, bold ones above all, are up to a fifth wider.
    """
    ending = f'<br align="{align}"/>'
    centred = align == "center"
    text = ""
    for line in _halves(title) if halves else [title]:
        space = _SPACE * (len(line) // 5 - (1 if centred else 0))
        words = f"{space if centred else ''}{_markup(line)}{space}"
        text += f'<font point-size="{size}"><b>{words}</b></font>{ending}'
    for number, line in enumerate(details):
        space = _SPACE * ((len(line) - 20) // 5 if centred else len(line) // 6)
        words = f"{space if centred else ''}{_markup(line)}{space}"
        text += f'<font point-size="{max(10, size - 4)}" color="{MUTED}">{words}</font>'
        if number == 0:  # the line as high as the title's, or underscores would touch it
            text += f'<font point-size="{size}">{_SPACE}</font>'
        text += ending
    return f"<{text}>"


def _halves(title: str) -> list[str]:
    """A long name in two lines, broken where its parts are."""
    breaks = [found.end() for found in _PART.finditer(title)] if len(title) > _LONG else []
    if not breaks:
        return [title]
    middle = min(breaks, key=lambda place: abs(place - len(title) / 2))
    return [title[:middle].rstrip(), title[middle:]]


def _markup(text: str) -> str:
    # `\N` would be replaced by the node's name, and so on; an unseen character keeps them apart.
    return _ESCAPES.sub("\\\\\N{WORD JOINER}", escape(_printable(text))) or " "


def _printable(text: str) -> str:
    """XML has no place for control characters, half pairs and the like."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _quoted(text: str) -> str:
    safe = "\\n".join(
        _printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n")
    )
    return f'"{safe}"'


def _cluster(id: str) -> str:
    return _quoted(f"cluster {id}")
