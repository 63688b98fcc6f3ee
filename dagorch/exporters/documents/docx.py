"""
A document as DOCX: headings, lists, tables and links as a word processor has them, to go on with.

What its styles look like is `docx_styles.py`'s.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from dagorch.exporters.documents.blocks import (
    Block,
    Code,
    Content,
    Heading,
    Items,
    Paragraph,
    Picture,
    Quote,
    Rule,
    Span,
    Spans,
    Table,
    is_rtl,
    plain_text,
)
from dagorch.exporters.documents.docx_styles import (
    CODE_FONT,
    TEXT_WIDTH_POINTS,
    part_of,
    put,
    styled_document,
)
from dagorch.exporters.documents.pdf import svg_size, svg_to_png

if TYPE_CHECKING:
    from docx.text.paragraph import Paragraph as Line

__all__ = ["to_docx"]

_TALLEST_POINTS: Final = 520.0
_DOTS_PER_INCH: Final = 220.0
_SVG: Final = "{96DAC541-7B7A-43D3-8B79-37D633B846F1}"
"""What Word knows the vector form of a picture by."""
_TONES: Final = {"partial": ("B45F06", "FFF4E5"), "failed": ("B42318", "FDECEB")}
_MAX_LIST_DEPTH: Final = 3
_FIRST_LIST: Final = 1_000
"""Numbers of lists from here on are not the template's."""


def to_docx(content: Content) -> bytes:
    """
    Write a document as DOCX.

    Pictures are there twice, as SVG for programs that draw it and as PNG for all others.
    """
    writer = _Writer(content)
    writer.front()
    writer.blocks(content.blocks)
    file = io.BytesIO()
    writer.document.save(file)
    return file.getvalue()


class _Writer:
    """One document in the making."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self.document: Any = styled_document(content)
        self._end = self.document.element.body.sectPr
        self._styles = {style.name: style.style_id for style in self.document.styles}
        self._kinds: dict[str, str] = {}
        self._links: dict[str, str] = {}
        self._numbers = count(1)

    def front(self) -> None:
        """Write what stands above the first section."""
        content = self._content
        self._paragraph((Span(f"{content.kind} · {content.date}"),), "Aside")
        self._paragraph((Span(content.title),), "Title")
        table = self._grid(2, len(content.facts))
        for cells, style, at in zip(table.rows, ("Aside", "Fact"), (0, 1), strict=True):
            for cell, fact in zip(cells.cells, content.facts, strict=True):
                self._dress(cell.paragraphs[0], style)
                cell.paragraphs[0].add_run(fact[at])
        if content.notice:
            edge, fill = _TONES[content.tone]
            line = self._paragraph((Span(content.notice),), "Notice")
            properties = line._p.get_or_add_pPr()
            borders = part_of("pBdr")
            borders.append(part_of("left", val="single", sz="24", space="8", color=edge))
            put(properties, borders)
            put(properties, part_of("shd", val="clear", color="auto", fill=fill))

    def blocks(self, blocks: Iterable[Block], style: str = "") -> None:
        """Write blocks; text in a style, if one is given."""
        for block in blocks:
            match block:
                case Heading():
                    self._paragraph(block.spans, f"Heading {block.level}")
                case Paragraph():
                    self._paragraph(block.spans, style or ("Aside" if block.aside else "Normal"))
                case Items():
                    self._list(block, 1)
                case Code():
                    self._paragraph((Span(block.text),), "Code")
                case Quote():
                    self.blocks(block.blocks, "Quote")
                case Table():
                    self._table(block)
                case Rule():
                    self._paragraph((), "Rule")
                case Picture():
                    self._picture(block)

    def _paragraph(self, spans: Spans, style: str) -> Line:
        from docx.text.paragraph import Paragraph as Line

        made = part_of("p")
        self._end.addprevious(made)
        line = Line(made, self.document.part)
        self._dress(line, style)
        self._fill(line, spans)
        return line

    def _dress(self, line: Line, style: str) -> None:
        # By id: python-docx looks through all styles for each that is given by name.
        line._p.style = self._styles[style]

    def _list(self, block: Items, depth: int) -> None:
        deep = min(depth, _MAX_LIST_DEPTH)
        name = ("List Bullet" if block.start is None else "List Number") + f" {deep}" * (deep > 1)
        number = None if block.start is None else self._numbering(name, block.start)
        for item in block.items:
            first = item[0] if item else None
            is_text = isinstance(first, Paragraph)
            line = self._paragraph(first.spans if isinstance(first, Paragraph) else (), name)
            if number is not None:
                numbered = line._p.get_or_add_pPr().get_or_add_numPr()
                numbered.get_or_add_numId().val = int(number)
                numbered.get_or_add_ilvl().val = 0
            for inner in item[1:] if is_text else item:
                if isinstance(inner, Items):
                    self._list(inner, depth + 1)
                else:
                    self.blocks([inner], "List Continue" + f" {deep}" * (deep > 1))

    def _numbering(self, style: str, start: int) -> str:
        """Begin a list of its own that counts from a number; give the list's."""
        definitions = self.document.part.numbering_part.element
        if style not in self._kinds:
            own = self.document.styles[style].element.pPr.numPr.numId.val
            self._kinds[style] = str(definitions.num_having_numId(own).abstractNumId.val)
        # By hand: python-docx looks through all lists for the number of a new one.
        number = str(_FIRST_LIST + next(self._numbers))
        made = part_of("num", numId=number)
        made.append(part_of("abstractNumId", val=self._kinds[style]))
        level = part_of("lvlOverride", ilvl="0")
        level.append(part_of("startOverride", val=str(start)))
        made.append(level)
        definitions.append(made)
        return number

    def _grid(self, rows: int, columns: int) -> Any:
        from docx.oxml.table import CT_Tbl
        from docx.shared import Pt
        from docx.table import Table as Grid

        made = CT_Tbl.new_tbl(rows, columns, Pt(TEXT_WIDTH_POINTS))
        self._end.addprevious(made)
        return Grid(made, self.document.part)

    def _table(self, block: Table) -> None:
        table = self._grid(1 + len(block.rows), len(block.head))
        table._tbl.tblStyle_val = self._styles["Dagorch Table"]
        table.autofit = False
        widths = list(_widths(block))
        for column, width in zip(table.columns, widths, strict=True):
            column.width = width
        ids = ["", *(block.ids or [""] * len(block.rows))]
        for row, spans, id in zip(table.rows, (block.head, *block.rows), ids, strict=True):
            row._tr.get_or_add_trPr().append(part_of("cantSplit"))
            for column, (cell, text) in enumerate(zip(row.cells, spans, strict=True)):
                cell.width = widths[column]
                line = cell.paragraphs[0]
                self._dress(line, "Table Small" if block.small else "Table Text")
                if column in block.right:
                    line.alignment = 2
                self._fill(line, text)
                if id and column == 0:
                    self._bookmark(line, id)
        table.rows[0]._tr.get_or_add_trPr().append(part_of("tblHeader"))
        self._paragraph((), "After Table")

    def _bookmark(self, line: Line, id: str) -> None:
        number = str(next(self._numbers))
        line._p.insert(1, part_of("bookmarkStart", id=number, name=id))
        line._p.append(part_of("bookmarkEnd", id=number))

    def _picture(self, block: Picture) -> None:
        from docx.opc.constants import RELATIONSHIP_TYPE
        from docx.opc.packuri import PackURI
        from docx.opc.part import Part
        from docx.shared import Pt

        width, height = svg_size(block.svg)
        scale = min(1.0, TEXT_WIDTH_POINTS / width, _TALLEST_POINTS / height)
        png = svg_to_png(block.svg, width * scale, _DOTS_PER_INCH)
        line = self._paragraph((), "Figure")
        inline = line.add_run().add_picture(io.BytesIO(png), Pt(width * scale))._inline
        inline.docPr.set("descr", block.caption)
        for side in ("distT", "distB", "distL", "distR"):  # unset, some programs leave a gap
            inline.set(side, "0")
        main = self.document.part
        name = PackURI(f"/word/media/drawing{next(self._numbers)}.svg")
        svg = Part(name, "image/svg+xml", block.svg.encode("utf-8"), main.package)
        blip = next(inline.iter("{*}blip"))
        blip.append(_vector(main.relate_to(svg, RELATIONSHIP_TYPE.IMAGE)))
        self._paragraph((Span(block.caption),), "Caption")

    def _fill(self, line: Line, spans: Spans) -> None:
        rtl = is_rtl(spans)
        if rtl:
            put(line._p.get_or_add_pPr(), part_of("bidi"))
        for span in spans:
            run = line.add_run(span.text)
            run.bold, run.italic = span.bold or None, span.italic or None
            run.font.strike = span.strike or None
            run.font.rtl = rtl or None
            if span.code:
                run.font.name = CODE_FONT
            if span.link:
                run._r.style = self._styles["Hyperlink"]
                link = part_of("hyperlink", **self._target(span.link))
                line._p.replace(run._r, link)
                link.append(run._r)

    def _target(self, address: str) -> dict[str, str]:
        from docx.opc.constants import RELATIONSHIP_TYPE

        if address.startswith("#"):
            return {"anchor": address[1:]}
        if address not in self._links:  # by hand: python-docx looks through all for each
            self._links[address] = f"rIdLink{len(self._links)}"
            kind, name = RELATIONSHIP_TYPE.HYPERLINK, self._links[address]
            self.document.part.rels.add_relationship(kind, address, name, is_external=True)
        return {"r:id": self._links[address]}


def _widths(block: Table) -> Iterator[int]:
    """Share the text's width out by what the columns hold, in Word's units."""
    from docx.shared import Pt

    rows = (block.head, *block.rows[:60])
    longest = [
        max(len(part) for row in rows for part in plain_text(row[column]).split("\n"))
        for column in range(len(block.head))
    ]
    wanted = [min(max(letters, 4), 50) + 4 for letters in longest]
    for share in wanted:
        yield int(Pt(TEXT_WIDTH_POINTS * share / sum(wanted)))


def _vector(relation: str) -> Any:
    """What points from a picture to its vector form."""
    from docx.oxml import parse_xml

    main = "http://schemas.openxmlformats.org"
    return parse_xml(
        f'<a:extLst xmlns:a="{main}/drawingml/2006/main"><a:ext uri="{_SVG}">'
        '<asvg:svgBlip xmlns:asvg="http://schemas.microsoft.com/office/drawing/2016/SVG/main" '
        f'xmlns:r="{main}/officeDocument/2006/relationships" r:embed="{relation}"/>'
        "</a:ext></a:extLst>"
    )
