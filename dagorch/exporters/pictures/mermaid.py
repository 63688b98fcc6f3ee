"""Write a drawing in Mermaid, which GitHub and many editors show; `unroll.py` makes the drawing."""

from __future__ import annotations

import re
from typing import Final

from dagorch.exporters.pictures.drawing import Arrow, Box, Cluster, Drawing
from dagorch.exporters.pictures.palette import DEAD, TEXT, tint
from dagorch.exporters.pictures.unroll import draw
from dagorch.graph.graph import Graph
from dagorch.models.result import Result

__all__ = ["to_mermaid"]

_SHAPES: Final = {
    "llm": ("([", "])"),
    "function": ("[", "]"),
    "branch": ("{", "}"),
    "merge": ("{{", "}}"),
    "ask": ("[/", "/]"),
    "collapsed": ("[[", "]]"),
    "placeholder": ("(", ")"),
}
# By default, a line of details wraps, and the second line of a subgraph's title is under its nodes.
_CONFIG: Final = (
    "config:",
    "  flowchart: {wrappingWidth: 320, subGraphTitleMargin: {top: 4, bottom: 20}}",
)
_BORDERS: Final = {
    "loop": ",stroke-width:3px",
    "map": ",stroke-dasharray:8 4",
    "function": ",stroke-dasharray:2 4",
    "llm": ",stroke-dasharray:2 4",
}
# Other characters become numeric entities: quotes end a label, `1.` and backticks start Markdown.
_UNSAFE: Final = re.compile(r"[^\w \-:/,()\[\]…·$]|(?<=\d)\.(?=\s)")
# Entities do not help with `\n`, which breaks a line, and `$$`, which starts a formula.
_PAIRS: Final = re.compile(r"\\(?=n)|\$(?=\$)")


def to_mermaid(graph: Graph, result: Result | None = None) -> str:
    """
    Write a graph as a Mermaid flowchart, as planned, or with a result as it really unrolled.

    Raises:
        DefinitionError: The graph does not compile.

    Example:
        >>> from dagorch import LLM, Graph
        >>> graph = Graph("hello")
        >>> ref = graph.add(LLM("greet", prompt="Say hello."))
        >>> print(to_mermaid(graph).splitlines()[6])
          n0(["<b>greet</b><br/>LLM"])
    """
    drawing = draw(graph, result)
    names = {id: f"n{number}" for number, id in enumerate(drawing.boxes)}
    names |= {id: f"s{number}" for number, id in enumerate(drawing.clusters)}
    title = " · ".join((drawing.title, *drawing.details))
    lines = ["---", f"title: {_yaml(title)}", *_CONFIG, "---"]
    lines.append(f"flowchart {'LR' if drawing.is_wide else 'TB'}")
    depth = 1
    for thing in drawing.walk():
        indent = "  " * depth
        if thing is None:
            depth -= 1
            lines.append(f"{'  ' * depth}end")
        elif isinstance(thing, Cluster):
            lines.append(f'{indent}subgraph {names[thing.id]} ["{_label(thing)}"]')
            depth += 1
        else:
            opening, closing = _SHAPES[thing.kind]
            lines.append(f'{indent}{names[thing.id]}{opening}"{_label(thing)}"{closing}')
    lines += [f"  {_arrow(drawing, arrow, names)}" for arrow in drawing.arrows]
    dead = [number for number, arrow in enumerate(drawing.arrows) if arrow.dead]
    if dead:
        lines.append(f"  linkStyle {','.join(map(str, dead))} stroke:{DEAD}")
    lines += _classes(drawing, names)
    return "\n".join([*lines, ""])


def _arrow(drawing: Drawing, arrow: Arrow, names: dict[str, str]) -> str:
    source, target = arrow.source, arrow.target
    if arrow.back:  # from box to box: a cluster cannot have an arrow to itself
        source, target = drawing.exits(source)[-1], drawing.entries(target)[0]
    line = "==>" if arrow.critical else "-.->" if arrow.dashed or arrow.dead else "-->"
    label = f'|"{_text(arrow.label)}"|' if arrow.label else ""
    return f"{names[source]} {line}{label} {names[target]}"


def _classes(drawing: Drawing, names: dict[str, str]) -> list[str]:
    """Write a class for each style, and the boxes and clusters that have it."""
    groups: dict[str, list[str]] = {}
    things: list[Box | Cluster] = [*drawing.boxes.values(), *drawing.clusters.values()]
    for thing in things:
        colours = tint(thing)
        style = f"fill:{colours.fill},stroke:{colours.line},color:{TEXT}"
        if thing.dashed or thing.end == "skipped":
            style += ",stroke-dasharray:5 4"
        elif isinstance(thing, Cluster):
            style += _BORDERS.get(thing.kind, "")
        if isinstance(thing, Box) and thing.critical:
            style += ",stroke-width:4px"
        groups.setdefault(style, []).append(names[thing.id])
    lines = []
    for number, (style, members) in enumerate(groups.items()):
        lines.append(f"  classDef c{number} {style}")
        lines.append(f"  class {','.join(members)} c{number}")
    return lines


def _label(thing: Box | Cluster) -> str:
    return "<br/>".join([f"<b>{_text(thing.title)}</b>", *map(_text, thing.details)])


def _text(text: str) -> str:
    separated = _PAIRS.sub("\\g<0>\N{WORD JOINER}", text)
    return _UNSAFE.sub(lambda found: f"#{ord(found[0])};", separated)


def _yaml(text: str) -> str:
    """Quote a text for YAML, on one line."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
