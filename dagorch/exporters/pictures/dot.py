"""
Write a drawing in DOT, Graphviz's language, through the `graphviz` package.

`unroll.py` decides what is drawn; `picture.py` renders the text.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

from dagorch.exporters.pictures.drawing import Arrow, Box, Cluster, Drawing
from dagorch.exporters.pictures.palette import DEAD, LINE, MUTED, TEXT, tint
from dagorch.exporters.pictures.unroll import draw
from dagorch.graph.graph import Graph
from dagorch.models.result import Result

if TYPE_CHECKING:
    import graphviz

__all__ = ["drawing_to_dot", "to_dot"]

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
_THICK: Final = "3"
_SPACE: Final = "\N{NO-BREAK SPACE}"
_MAX_LINE_LENGTH: Final = 18
"""Longer titles are broken into two lines."""
_MAX_SPACED_BOXES: Final = 60
"""In larger drawings, boxes stand closer together."""
_WORD_END: Final = re.compile(r"(?<=\w)[\s_.:…-]+(?=\w)")
# One name, not a list: without the system's fonts, Graphviz knows the widths of this one only.
_FONT: Final = "Helvetica"


def to_dot(graph: Graph, result: Result | None = None) -> str:
    """
    Write a graph in DOT, as planned, or with a result as it really unrolled.

    Node names are the paths of node runs (`refine[2]/critic`).

    Raises:
        DefinitionError: The graph does not compile.

    Example:
        >>> from dagorch import LLM, Graph
        >>> graph = Graph("hello")
        >>> ref = graph.add(LLM("greet", prompt="Say hello."))
        >>> "greet [label=<" in to_dot(graph)
        True
    """
    return drawing_to_dot(draw(graph, result))


def drawing_to_dot(drawing: Drawing) -> str:
    """Write a drawing in DOT; otherwise as `to_dot`."""
    import graphviz

    wide = drawing.is_wide
    heading = _label(drawing.title, (*drawing.details, ""), 17, "left")
    apart = "0.3" if len(drawing.boxes) <= _MAX_SPACED_BOXES else "0.15"
    font = {"fontname": _FONT, "fontcolor": TEXT}
    root = graphviz.Digraph(_literal(drawing.title))
    root.attr("graph", **font, label=heading, labelloc="t", labeljust="l", compound="true")
    root.attr("graph", rankdir="LR" if wide else "TB", nodesep=apart, ranksep="0.45", pad="0.2")
    root.attr("graph", bgcolor="white")
    root.attr("node", **font, fontsize="12", margin="0.16,0.07", height="0.4")
    root.attr("edge", **font, fontsize="10", color=LINE, arrowsize="0.7")
    open_graphs: list[graphviz.Digraph] = [root]
    # From left to right, Graphviz stacks the members of a cluster from the bottom up.
    for thing in drawing.walk(upward=wide):
        if thing is None:
            inner = open_graphs.pop()
            open_graphs[-1].subgraph(inner)
        elif isinstance(thing, Cluster):
            attributes = _cluster_attributes(thing)
            open_graphs.append(graphviz.Digraph(_cluster_name(thing.id), graph_attr=attributes))
        else:
            open_graphs[-1].node(_literal(thing.id), **_box_attributes(thing, wide))
    for arrow in drawing.arrows:
        _add_arrow(root, drawing, arrow, wide)
    return str(root.source)


def _box_attributes(box: Box, wide: bool) -> dict[str, str]:
    colours = tint(box)
    styles = ["filled"]
    if box.kind in ("llm", "placeholder"):
        styles.append("rounded")
    if box.dashed or box.end == "skipped":
        styles.append("dashed")
    shape = _SHAPES[box.kind]
    attributes = {
        "label": _label(box.title, box.details, 13, in_two_lines=not wide),
        "shape": shape,
        "style": ",".join(styles),
        "fillcolor": colours.fill,
        "color": colours.line,
        "tooltip": _literal(box.tooltip or box.id),
        "class": f"{box.kind} {box.end or 'planned'}",
    }
    if shape in ("diamond", "hexagon", "parallelogram"):
        attributes["margin"] = "0.02,0.02"
    if box.critical:
        attributes["penwidth"] = _THICK
    return attributes


def _cluster_attributes(cluster: Cluster) -> dict[str, str]:
    colours = tint(cluster)
    style = "dashed" if cluster.dashed else _BORDERS.get(cluster.kind, "rounded")
    return {
        "label": _label(cluster.title, cluster.details, 12, "left"),
        "labeljust": "l",
        "labelloc": "t",
        "margin": "12",
        "penwidth": "2" if cluster.kind == "loop" else "1",
        "style": f"filled,{style}",
        "fillcolor": colours.fill,
        "color": colours.line,
        "tooltip": _literal(cluster.id),
    }


def _add_arrow(root: graphviz.Digraph, drawing: Drawing, arrow: Arrow, wide: bool) -> None:
    """Add an arrow, and invisible ones that keep all of a body behind what it waits for."""
    exits, entries = drawing.exits(arrow.source), drawing.entries(arrow.target)
    tail, head = exits[len(exits) // 2], entries[len(entries) // 2]
    if arrow.back:  # around the body, not over the forward arrows
        _add_edge(root, tail, head, style="dashed", constraint="false", **_back_ends(wide))
        return
    attributes: dict[str, str] = {}
    if arrow.label:
        attributes["label"] = _literal(f"   {arrow.label} ")
    if arrow.dashed or arrow.dead:
        attributes["style"] = "dashed"
    if arrow.dead:
        attributes |= {"color": DEAD, "fontcolor": DEAD}
    if arrow.critical:
        attributes |= {"penwidth": _THICK, "color": TEXT}
    if arrow.source in drawing.clusters:
        attributes["ltail"] = _cluster_name(arrow.source)
    if arrow.target in drawing.clusters:
        attributes["lhead"] = _cluster_name(arrow.target)
    _add_edge(root, tail, head, **attributes)
    invisible = [(tail, other) for other in entries if other != head]
    invisible += [(other, head) for other in exits if other != tail]
    for source, target in invisible:
        _add_edge(root, source, target, style="invis")


def _back_ends(wide: bool) -> dict[str, str]:
    if wide:
        return {"tailport": "s", "headport": "s"}
    return {"tailport": "e", "headport": "e", "label": "   "}  # the blanks keep it in the cluster


def _add_edge(root: graphviz.Digraph, tail: str, head: str, **attributes: str) -> None:
    """Add an edge; `Digraph.edge` would read the colon in an id as the start of a port."""
    from graphviz import quoting

    ends = (quoting.quote(_literal(id)) for id in (tail, head))
    root.body.append(f"\t{' -> '.join(ends)}{quoting.attr_list(kwargs=attributes)}\n")


def _label(
    title: str,
    details: tuple[str, ...],
    size: int,
    align: str = "center",
    *,
    in_two_lines: bool = False,
) -> str:
    """
    Write a label in Graphviz's subset of HTML: the title bold, the details small.

    Long lines get spaces around them. A viewer without Helvetica uses other letters, up to a fifth
    wider, bold ones above all.
    """
    ending = f'<br align="{align}"/>'
    centred = align == "center"
    text = ""
    for line in _two_lines(title) if in_two_lines else [title]:
        space = _SPACE * (len(line) // 5 - (1 if centred else 0))
        words = f"{space if centred else ''}{_markup(line)}{space}"
        text += f'<font point-size="{size}"><b>{words}</b></font>{ending}'
    for number, line in enumerate(details):
        space = _SPACE * ((len(line) - 20) // 5 if centred else len(line) // 6)
        words = f"{space if centred else ''}{_markup(line)}{space}"
        text += f'<font point-size="{max(10, size - 4)}" color="{MUTED}">{words}</font>'
        if number == 0:  # makes the line as high as the title's, or underscores would touch it
            text += f'<font point-size="{size}">{_SPACE}</font>'
        text += ending
    return f"<{text}>"


def _two_lines(title: str) -> list[str]:
    """Break a long name between its words, as near to the middle as possible."""
    long = len(title) > _MAX_LINE_LENGTH
    breaks = [found.end() for found in _WORD_END.finditer(title)] if long else []
    if not breaks:
        return [title]
    middle = min(breaks, key=lambda place: abs(place - len(title) / 2))
    return [title[:middle].rstrip(), title[middle:]]


def _markup(text: str) -> str:
    # Graphviz replaces `\N` by the node's name, and so on; an invisible character prevents that.
    return _ESCAPES.sub("\\\\\N{WORD JOINER}", escape(_printable(text))) or " "


def _printable(text: str) -> str:
    """Replace what XML cannot hold: control characters, lone surrogates."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _literal(text: str) -> str:
    """Mark a text so that nothing in it is markup or an escape, but its line ends stay."""
    import graphviz

    lines = (graphviz.escape(_printable(line)) for line in text.split("\n"))
    literal: str = graphviz.nohtml("\\n".join(lines))
    return literal


def _cluster_name(id: str) -> str:
    return _literal(f"cluster {id}")
