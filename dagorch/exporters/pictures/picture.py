"""
From DOT to a picture: Graphviz's `dot` if it is installed, else the port that comes with dagorch.

The one place that knows of either program, and of typst, which draws an SVG into a PDF.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from dagorch.errors import DefinitionError
from dagorch.exporters.pictures.dot import to_dot
from dagorch.graph.graph import Graph
from dagorch.models.result import Result

__all__ = ["PictureFormat", "render", "svg_of", "to_pdf", "to_png", "to_svg"]

PictureFormat = Literal["svg", "png"]

_PORT: Final = "graphviz-pure"
_SECONDS: Final = 120.0
_NODE: Final = re.compile(r'<g id="[^"]*" class="node\b[^"]*">.*?</g>', re.DOTALL)
_SHAPE: Final = re.compile(r'<(?:path|polygon)\b[^>]*? (?:d|points)="([^"]*)"')
_ROUND: Final = re.compile(r'<ellipse\b[^>]*? cx="([^"]*)"')
_CORNER: Final = re.compile(r"(-?[\d.]+),-?[\d.]+")
# The picture is data to it and never read as its language.
_PAGE: Final = b"""
#set document(title: sys.inputs.title, date: none)
#set page(width: auto, height: auto, margin: 0pt)
#image(bytes(sys.inputs.svg), format: "svg", alt: sys.inputs.title)
"""
_BLANK: Final = re.compile(r"<text\b[^>]*>(?:\s|&#160;)*</text>\n?")
_HOVER: Final = re.compile(r'<g id="a_[^"]*"><a xlink:title="([^"]*)">(.*?)</a>\s*</g>', re.DOTALL)
_START: Final = re.compile(r'text-anchor="start" x="[^"]*"')


def to_svg(graph: Graph, result: Result | None = None) -> str:
    """
    Draw a graph as SVG, as planned, or with a result of a run as it really unrolled.

    Raises:
        DefinitionError: The graph does not compile, or no program is there to draw it.
    """
    return svg_of(to_dot(graph, result))


def svg_of(dot: str, *, portable: bool = False) -> str:
    """
    Draw a graph in DOT as SVG for any font and any browser; otherwise as `render`.

    Words are in the middle of their boxes. What Graphviz writes for hovering, links that lead
    nowhere, becomes titles, which browsers show.
    """
    svg = render(dot, "svg", portable=portable).decode("utf-8")
    svg = _NODE.sub(_centred, _BLANK.sub("", svg))
    return _HOVER.sub(r"<g><title>\1</title>\2</g>", svg)


def _centred(node: re.Match[str]) -> str:
    """
    Anchor a node's lines in its middle.

    Graphviz lets them begin where Helvetica's widths put them, but another font may draw them.
    """
    text = node[0]
    across = [float(x) for x in _CORNER.findall(" ".join(_SHAPE.findall(text)))]
    across += [float(x) for x in _ROUND.findall(text)]
    if not across:
        return text
    middle = (min(across) + max(across)) / 2
    return _START.sub(f'text-anchor="middle" x="{middle:.2f}"', text)


def to_png(graph: Graph, result: Result | None = None) -> bytes:
    """
    Draw a graph as PNG; otherwise as `to_svg`.

    Text in scripts that the program has no font for shows as empty boxes; SVG has no such limit.
    """
    return render(to_dot(graph, result), "png")


def to_pdf(graph: Graph, result: Result | None = None) -> bytes:
    """
    Draw a graph as PDF, one page of its size, lines and text as such; otherwise as `to_svg`.

    Needs the extra `documents`. Without Helvetica on the machine the text is in the serif that
    typst brings; letters that neither it nor the machine has show as boxes, as in a PNG.

    Raises:
        DefinitionError: As `to_svg`, or typst is missing; the message says how to get it.
    """
    try:
        import typst
    except ImportError as error:
        raise DefinitionError(
            "a picture as PDF needs typst, and it is not there: "
            "pip install 'dagorch[documents]', or write a .svg file"
        ) from error
    title = graph.name.encode("utf-8", "replace").decode("utf-8")  # half pairs are no text
    given = {"svg": to_svg(graph, result), "title": title}
    return bytes(typst.compile(_PAGE, format="pdf", sys_inputs=given))


def render(dot: str, format: PictureFormat, *, portable: bool = False) -> bytes:
    """
    Lay out a graph in DOT and give the file's bytes.

    Args:
        dot: The graph.
        format: Of the file.
        portable: With the port alone, whose picture is the same on every machine.

    Cost: 10 ms for 30 nodes, 0.6 s for 1,000; stopped after two minutes.

    Raises:
        DefinitionError: No program is there, or each of them failed; the message has what it said.
    """
    programs = [program for program in (_port(),) if program] if portable else _programs()
    if not programs:
        raise DefinitionError(
            "drawing needs Graphviz's 'dot' or the package graphviz-pure, and neither is there: "
            "pip install graphviz-pure, or write a .dot or .mmd file"
        )
    said = ""
    for program in programs:  # a `dot` without its plugins cannot draw; then the other one does
        options = ["-Gdpi=144"] if format == "png" else []
        try:
            done = subprocess.run(  # noqa: S603  # the program is Graphviz, the text is data
                [program, f"-T{format}", *options],
                input=dot.encode("utf-8"),
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
            continue
        if done.returncode == 0 and done.stdout:
            return done.stdout
        said = done.stderr.decode("utf-8", "replace").strip()
    raise DefinitionError(f"{programs[-1]} could not draw the graph: {said[:500]}")


def _programs() -> list[str]:
    """What can draw, best first."""
    found = [shutil.which("dot"), _port()]
    return [program for program in found if program]


def _port() -> str | None:
    """The port's program, which may lie in an environment that is not on the path."""
    try:
        files = metadata.files(_PORT) or []
    except metadata.PackageNotFoundError:
        files = []
    places = [Path(str(file.locate())) for file in files if file.stem == _PORT]
    places.append(Path(sysconfig.get_path("scripts")) / _PORT)
    return next((str(place) for place in places if place.is_file()), shutil.which(_PORT))
