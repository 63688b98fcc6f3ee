"""
Render a graph as SVG, PNG or PDF.

Graphviz's `dot` lays out the graph if it is installed; otherwise `graphviz-pure`, a port that comes
with dagorch. Either runs in a child process with limits. `dot.py` writes what they read.
"""

from __future__ import annotations

import re
import shutil
import sysconfig
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from dagorch.child_process.bounded import Limits, run_command
from dagorch.errors import DefinitionError
from dagorch.exporters.pictures.dot import to_dot
from dagorch.exporters.typesetting import typeset
from dagorch.graph.graph import Graph
from dagorch.models.result import Result

__all__ = ["PictureFormat", "render", "render_svg", "to_pdf", "to_png", "to_svg"]

PictureFormat = Literal["svg", "png"]

_PORT: Final = "graphviz-pure"
_LIMITS: Final = Limits(seconds=60)
"""Of each program that is tried."""
_NODE: Final = re.compile(r'<g id="[^"]*" class="node\b[^"]*">.*?</g>', re.DOTALL)
_SHAPE: Final = re.compile(r'<(?:path|polygon)\b[^>]*? (?:d|points)="([^"]*)"')
_ELLIPSE: Final = re.compile(r'<ellipse\b[^>]*? cx="([^"]*)"')
_CORNER_X: Final = re.compile(r"(-?[\d.]+),-?[\d.]+")
_PDF_PAGE: Final = """
#set document(title: sys.inputs.title, date: none)
#set page(width: auto, height: auto, margin: 0pt)
#image(bytes(sys.inputs.svg), format: "svg", alt: sys.inputs.title)
"""
_BLANK_TEXT: Final = re.compile(r"<text\b[^>]*>(?:\s|&#160;)*</text>\n?")
_TOOLTIP: Final = re.compile(
    r'<g id="a_[^"]*"><a xlink:title="([^"]*)">(.*?)</a>\s*</g>', re.DOTALL
)
_TEXT_START: Final = re.compile(r'text-anchor="start" x="[^"]*"')


def to_svg(graph: Graph, result: Result | None = None, *, portable: bool = False) -> str:
    """
    Draw a graph as SVG, as planned, or with a result as it really unrolled.

    With `portable` the picture is the same on every machine.

    Raises:
        DefinitionError: The graph does not compile, or no program could draw it.
    """
    return render_svg(to_dot(graph, result), portable=portable)


def to_png(graph: Graph, result: Result | None = None) -> bytes:
    """
    Draw a graph as PNG; otherwise as `to_svg`.

    Text in a script that the program has no font for shows as empty boxes; SVG has no such limit.
    """
    return render(to_dot(graph, result), "png")


def to_pdf(graph: Graph, result: Result | None = None) -> bytes:
    """
    Draw a graph as PDF, one page of its size, with real lines and text; otherwise as `to_svg`.

    Needs the extra `documents`. On a machine without Helvetica the text is in the serif font that
    typst brings. Letters that no font has show as boxes, as in a PNG.

    Raises:
        DefinitionError: As `to_svg`, or typst is not installed; the message says how to get it.
    """
    if find_spec("typst") is None:  # before anything is drawn
        raise DefinitionError(
            "a picture as PDF needs typst, which is not installed: "
            "pip install 'dagorch[documents]', or write a .svg file"
        )
    title = graph.name.encode("utf-8", "replace").decode("utf-8")  # lone surrogates are no text
    return typeset(_PDF_PAGE, "pdf", {"svg": to_svg(graph, result), "title": title})


def render_svg(dot: str, *, portable: bool = False) -> str:
    """
    Render DOT as SVG that fits any font and any browser; otherwise as `render`.

    Centres the text in its boxes. Turns Graphviz's tooltips, which are links without a target,
    into titles, which browsers show.
    """
    svg = render(dot, "svg", portable=portable).decode("utf-8")
    svg = _NODE.sub(_centred, _BLANK_TEXT.sub("", svg))
    return _TOOLTIP.sub(r"<g><title>\1</title>\2</g>", svg)


def render(dot: str, format: PictureFormat, *, portable: bool = False) -> bytes:
    """
    Render DOT and return the file's bytes.

    Args:
        dot: The graph.
        format: Of the file.
        portable: Use the port only; its picture is the same on every machine.

    Cost: 50 ms for 30 nodes, 0.6 s for 1,000. Each program is stopped after a minute.

    Raises:
        DefinitionError: No program is installed, or every one failed; the message says why.
    """
    from graphviz.backend import dot_command

    programs = [program for program in (_port(),) if program] if portable else _programs()
    if not programs:
        raise DefinitionError(
            "drawing needs Graphviz's 'dot' or the package graphviz-pure, and neither is "
            "installed: pip install graphviz-pure, or write a .dot or .mmd file"
        )
    options = [str(option) for option in dot_command.command("dot", format)[1:]]
    if format == "png":
        options.append("-Gdpi=144")
    errors: list[str] = []
    for program in programs:  # a `dot` without its plugins cannot draw; the port then does
        result = run_command([program, *options], dot.encode("utf-8"), _LIMITS)
        if _is_picture(result.output, format):
            return result.output
        errors.append(f"{program} could not draw the graph: {result.error or 'no picture'}")
    raise DefinitionError("; ".join(errors))


def _is_picture(output: bytes, format: PictureFormat) -> bool:
    """Tell whether a program's output is a whole file of the format, without scripts."""
    if format == "png":
        return output.startswith(b"\x89PNG\r\n\x1a\n") and b"IEND" in output[-12:]
    try:
        svg = output.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return "<svg" in svg and svg.rstrip().endswith("</svg>") and "<script" not in svg


def _programs() -> list[str]:
    """The installed programs that render DOT, best first."""
    import graphviz

    found = [shutil.which(graphviz.DOT_BINARY), _port()]
    return [program for program in found if program]


def _port() -> str | None:
    """The port's program, which may lie in an environment that is not on PATH."""
    try:
        files = metadata.files(_PORT) or []
    except metadata.PackageNotFoundError:
        files = []
    places = [Path(str(file.locate())) for file in files if file.stem == _PORT]
    places.append(Path(sysconfig.get_path("scripts")) / _PORT)
    return next((str(place) for place in places if place.is_file()), shutil.which(_PORT))


def _centred(node: re.Match[str]) -> str:
    """
    Anchor the lines of a node's text at its middle.

    Graphviz starts them where the widths of its own font put them; a viewer may use another font.
    """
    text = node[0]
    xs = [float(x) for x in _CORNER_X.findall(" ".join(_SHAPE.findall(text)))]
    xs += [float(x) for x in _ELLIPSE.findall(text)]
    if not xs:
        return text
    middle = (min(xs) + max(xs)) / 2
    return _TEXT_START.sub(f'text-anchor="middle" x="{middle:.2f}"', text)
