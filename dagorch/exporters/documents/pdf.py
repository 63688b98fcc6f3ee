"""
A document as PDF, set by Typst. What it looks like is in `paper.typ`.

The document goes to the template as data, and Typst never reads it as markup or code.
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

__all__ = ["svg_size", "svg_to_png", "to_pdf"]

_FONT: Final = re.compile(r'font-family="[^"]*"')
_INSIDE: Final = 'font-family="Libertinus Serif"'
_SIZE: Final = re.compile(r'<svg\b[^>]*?\bwidth="([\d.]+)(?:pt|px)?"[^>]*?\bheight="([\d.]+)')
_PICTURE: Final = """
#set page(width: auto, height: auto, margin: 0pt)
#image(bytes(sys.inputs.svg), format: "svg", width: float(sys.inputs.points) * 1pt)
"""


def to_pdf(content: Content) -> bytes:
    """
    Write a document as PDF, with bookmarks and tags for readers of a screen.

    Its fonts come with Typst. They have no Chinese, Japanese, Korean, Thai or emoji: these are
    looked for in the system's, and are boxes where it has none.

    Raises:
        typst.TypstError: Typst could not set it.
    """
    import typst

    data = {
        **{name: getattr(content, name) for name in ("title", "kind", "date", "notice", "tone")},
        "facts": content.facts,
        "blocks": _blocks(content.blocks),
    }
    template = files("dagorch.exporters.documents").joinpath("paper.typ").read_bytes()
    made = typst.compile(template, format="pdf", sys_inputs={"content": json.dumps(data)})
    return bytes(made)


def svg_to_png(svg: str, points: float, dots_per_inch: float) -> bytes:
    """
    Draw a picture for a format that holds no other, with the fonts that a PDF has.

    Args:
        svg: The picture.
        points: How wide it is to be, in points.
        dots_per_inch: How fine.
    """
    import typst

    inputs = {"svg": _own_font(svg), "points": f"{points:.2f}"}
    made = typst.compile(_PICTURE.encode(), format="png", ppi=dots_per_inch, sys_inputs=inputs)
    return bytes(made[0] if isinstance(made, list) else made)


def svg_size(svg: str) -> tuple[float, float]:
    """
    Give the width and height that a picture asks for.

    Example:
        >>> svg_size('<svg width="320pt" height="80pt"></svg>')
        (320.0, 80.0)
    """
    found = _SIZE.search(svg)
    return (float(found[1]), float(found[2])) if found else (400.0, 300.0)


def _own_font(svg: str) -> str:
    """Have a picture use the font that is there whatever the machine."""
    return _FONT.sub(_INSIDE, svg)


def _blocks(blocks: Iterable[Block]) -> list[dict[str, Any]]:
    return [_block(block) for block in blocks]


def _block(block: Block) -> dict[str, Any]:
    kind = type(block).__name__.lower()
    if isinstance(block, Items):
        return {"type": kind, "start": block.start, "items": [_blocks(i) for i in block.items]}
    if isinstance(block, Quote):
        return {"type": kind, "blocks": _blocks(block.blocks)}
    if isinstance(block, Picture):
        block = replace(block, svg=_own_font(block.svg))
    told = {"type": kind, **asdict(block)}
    if isinstance(block, Heading | Paragraph):
        told["rtl"] = is_rtl(block.spans)
    return told
