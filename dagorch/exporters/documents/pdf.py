"""
Documents as PDF, typeset by Typst in a child process with the template `paper.typ`.

The template receives the document as data. Typst never evaluates it as markup or code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, replace
from importlib.resources import files
from typing import Any, Final

from dagorch.exporters.documents.blocks import (
    Block,
    Content,
    Heading,
    Items,
    Paragraph,
    Picture,
    Quote,
    is_rtl,
)
from dagorch.exporters.typesetting import typeset

__all__ = ["svg_size", "svg_to_png", "to_pdf"]

_FONT_ATTRIBUTE: Final = re.compile(r'font-family="[^"]*"')
_BUNDLED_FONT: Final = 'font-family="Libertinus Serif"'
_SIZE: Final = re.compile(r'<svg\b[^>]*?\bwidth="([\d.]+)(?:pt|px)?"[^>]*?\bheight="([\d.]+)')
_PICTURE_TEMPLATE: Final = """
#set page(width: auto, height: auto, margin: 0pt)
#image(bytes(sys.inputs.svg), format: "svg", width: float(sys.inputs.points) * 1pt)
"""


def to_pdf(content: Content) -> bytes:
    """
    Write a document as PDF, with bookmarks, and tags for screen readers.

    The fonts come with Typst. For Chinese, Japanese, Korean, Thai and emoji they need fonts of the
    system; without these, such characters show as boxes.

    Raises:
        DefinitionError: Typst failed; it is stopped after a minute, or above 2 GB of memory.
    """
    data = {
        **{
            name: getattr(content, name)
            for name in ("title", "workflow", "date", "notice", "severity")
        },
        "facts": content.facts,
        "blocks": _blocks(content.blocks),
    }
    template = files("dagorch.exporters.documents").joinpath("paper.typ").read_text("utf-8")
    return typeset(template, "pdf", {"content": json.dumps(data)})


def svg_to_png(svg: str, points: float, dots_per_inch: float) -> bytes:
    """
    Convert an SVG to PNG, with the fonts that a PDF has.

    Args:
        svg: The picture.
        points: Its width in points.
        dots_per_inch: Its resolution.

    Raises:
        DefinitionError: As `to_pdf`.
    """
    inputs = {"svg": _with_bundled_font(svg), "points": f"{points:.2f}"}
    return typeset(_PICTURE_TEMPLATE, "png", inputs, dots_per_inch)


def svg_size(svg: str) -> tuple[float, float]:
    """
    Read the width and height of an SVG; 400 × 300 if it has none.

    Example:
        >>> svg_size('<svg width="320pt" height="80pt"></svg>')
        (320.0, 80.0)
    """
    found = _SIZE.search(svg)
    return (float(found[1]), float(found[2])) if found else (400.0, 300.0)


def _with_bundled_font(svg: str) -> str:
    """Replace the fonts of a picture by one that comes with Typst, so on every machine."""
    return _FONT_ATTRIBUTE.sub(_BUNDLED_FONT, svg)


def _blocks(blocks: Iterable[Block]) -> list[dict[str, Any]]:
    return [_block(block) for block in blocks]


def _block(block: Block) -> dict[str, Any]:
    kind = type(block).__name__.lower()
    if isinstance(block, Items):
        return {"type": kind, "start": block.start, "items": [_blocks(i) for i in block.items]}
    if isinstance(block, Quote):
        return {"type": kind, "blocks": _blocks(block.blocks)}
    if isinstance(block, Picture):
        block = replace(block, svg=_with_bundled_font(block.svg))
    data = {"type": kind, **asdict(block)}
    if isinstance(block, Heading | Paragraph):
        data["rtl"] = is_rtl(block.spans)
    return data
