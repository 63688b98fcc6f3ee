"""
Documents as DOCX, with real headings, lists, tables and links, so that they are easy to edit.

`docx_styles.py` defines the looks.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from dagorch.child_process.bounded import run_function
from dagorch.errors import DefinitionError
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
    element_of,
    insert_property,
    styled_document,
)
from dagorch.exporters.documents.pdf import svg_size, svg_to_png

if TYPE_CHECKING:
    from docx.text.paragraph import Paragraph as DocxParagraph

__all__ = ["to_docx", "write_pickled"]

_MAX_HEIGHT_POINTS: Final = 520.0
_DOTS_PER_INCH: Final = 220.0
_SVG_EXTENSION: Final = "{96DAC541-7B7A-43D3-8B79-37D633B846F1}"
"""The id of Word's extension for the SVG version of a picture."""
_NOTICE_COLORS: Final = {"partial": ("B45F06", "FFF4E5"), "failed": ("B42318", "FDECEB")}
_MAX_LIST_DEPTH: Final = 3
_FIRST_LIST_ID: Final = 1_000
"""Above the list ids of the template."""


def to_docx(content: Content) -> bytes:
    """
    Write a document as DOCX, in a child process with limits.

    It has each picture as SVG, and as PNG for programs that cannot draw SVG.

    Raises:
        DefinitionError: The child process failed or was stopped; the message says why.

    Cost: 0.4 s for the child process.
    """
    result = run_function(__name__, "write_pickled", pickle.dumps(content))
    if result.error:
        raise DefinitionError(f"the DOCX could not be written: {result.error}")
    return result.output


def write_pickled(pickled: bytes) -> bytes:
    """Write a document; what the child process runs."""
    content: Content = pickle.loads(pickled)  # noqa: S301  # `to_docx` pickled it
    writer = _Writer(content)
    writer.front_matter()
    writer.blocks(content.blocks)
    file = io.BytesIO()
    writer.document.save(file)
    return file.getvalue()


class _Writer:
    """Writes one document."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self.document: Any = styled_document(content)
        self._end = self.document.element.body.sectPr
        self._styles = {style.name: style.style_id for style in self.document.styles}
        self._abstract_list_ids: dict[str, str] = {}
        self._links: dict[str, str] = {}
        self._ids = count(1)

    def front_matter(self) -> None:
        """Write the title, the facts and the notice."""
        content = self._content
        self._paragraph((Span(f"{content.workflow} · {content.date}"),), "Aside")
        self._paragraph((Span(content.title),), "Title")
        table = self._new_table(2, len(content.facts))
        for index, style in enumerate(("Aside", "Fact")):
            for cell, fact in zip(table.rows[index].cells, content.facts, strict=True):
                self._set_style(cell.paragraphs[0], style)
                cell.paragraphs[0].add_run(fact[index])
        if content.notice:
            edge, fill = _NOTICE_COLORS[content.severity]
            line = self._paragraph((Span(content.notice),), "Notice")
            properties = line._p.get_or_add_pPr()
            border = element_of("left", val="single", sz="24", space="8", color=edge)
            insert_property(properties, element_of("pBdr", border))
            insert_property(properties, element_of("shd", val="clear", color="auto", fill=fill))

    def blocks(self, blocks: Iterable[Block], style: str = "") -> None:
        """Write blocks; `style` overrides the style of paragraphs."""
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

    def _paragraph(self, spans: Spans, style: str) -> DocxParagraph:
        from docx.text.paragraph import Paragraph as DocxParagraph

        element = element_of("p")
        self._end.addprevious(element)
        line = DocxParagraph(element, self.document.part)
        self._set_style(line, style)
        self._fill(line, spans)
        return line

    def _set_style(self, line: DocxParagraph, style: str) -> None:
        # By id: python-docx searches all styles for a name.
        line._p.style = self._styles[style]

    def _list(self, block: Items, depth: int) -> None:
        depth = min(depth, _MAX_LIST_DEPTH)
        suffix = f" {depth}" if depth > 1 else ""
        name = ("List Bullet" if block.start is None else "List Number") + suffix
        list_id = None if block.start is None else self._new_list(name, block.start)
        for item in block.items:
            first = item[0] if item else None
            is_text = isinstance(first, Paragraph)
            line = self._paragraph(first.spans if isinstance(first, Paragraph) else (), name)
            if list_id is not None:
                numbered = line._p.get_or_add_pPr().get_or_add_numPr()
                numbered.get_or_add_numId().val = int(list_id)
                numbered.get_or_add_ilvl().val = 0
            for inner in item[1:] if is_text else item:
                if isinstance(inner, Items):
                    self._list(inner, depth + 1)
                else:
                    self.blocks([inner], "List Continue" + suffix)

    def _new_list(self, style: str, start: int) -> str:
        """Define a numbered list that starts at a number; return its id."""
        definitions = self.document.part.numbering_part.element
        if style not in self._abstract_list_ids:
            style_id = self.document.styles[style].element.pPr.numPr.numId.val
            self._abstract_list_ids[style] = str(
                definitions.num_having_numId(style_id).abstractNumId.val
            )
        # Without python-docx, which searches all lists for a new id.
        list_id = str(_FIRST_LIST_ID + next(self._ids))
        abstract_id = element_of("abstractNumId", val=self._abstract_list_ids[style])
        level = element_of("lvlOverride", element_of("startOverride", val=str(start)), ilvl="0")
        definitions.append(element_of("num", abstract_id, level, numId=list_id))
        return list_id

    def _new_table(self, rows: int, columns: int) -> Any:
        from docx.oxml.table import CT_Tbl
        from docx.shared import Pt
        from docx.table import Table as DocxTable

        element = CT_Tbl.new_tbl(rows, columns, Pt(TEXT_WIDTH_POINTS))
        self._end.addprevious(element)
        return DocxTable(element, self.document.part)

    def _table(self, block: Table) -> None:
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        table = self._new_table(1 + len(block.rows), len(block.header))
        table._tbl.tblStyle_val = self._styles["Dagorch Table"]
        table.autofit = False
        widths = list(_widths(block))
        for column, width in zip(table.columns, widths, strict=True):
            column.width = width
        row_ids = ["", *(block.row_ids or [""] * len(block.rows))]
        for row, texts, row_id in zip(
            table.rows, (block.header, *block.rows), row_ids, strict=True
        ):
            row._tr.get_or_add_trPr().append(element_of("cantSplit"))
            for column, (cell, text) in enumerate(zip(row.cells, texts, strict=True)):
                cell.width = widths[column]
                line = cell.paragraphs[0]
                self._set_style(line, "Table Small" if block.compact else "Table Text")
                if column in block.right_aligned:
                    line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
                self._fill(line, text)
                if row_id and column == 0:
                    self._bookmark(line, row_id)
        table.rows[0]._tr.get_or_add_trPr().append(element_of("tblHeader"))
        self._paragraph((), "After Table")

    def _bookmark(self, line: DocxParagraph, name: str) -> None:
        number = str(next(self._ids))
        line._p.insert(1, element_of("bookmarkStart", id=number, name=name))
        line._p.append(element_of("bookmarkEnd", id=number))

    def _picture(self, block: Picture) -> None:
        from docx.opc.constants import RELATIONSHIP_TYPE
        from docx.opc.packuri import PackURI
        from docx.opc.part import Part
        from docx.shared import Pt

        width, height = svg_size(block.svg)
        scale = min(1.0, TEXT_WIDTH_POINTS / width, _MAX_HEIGHT_POINTS / height)
        png = svg_to_png(block.svg, width * scale, _DOTS_PER_INCH)
        line = self._paragraph((), "Figure")
        inline = line.add_run().add_picture(io.BytesIO(png), Pt(width * scale))._inline
        inline.docPr.set("descr", block.caption)
        for side in (
            "distT",
            "distB",
            "distL",
            "distR",
        ):  # some programs leave a gap if these are unset
            inline.set(side, "0")
        document = self.document.part
        name = PackURI(f"/word/media/drawing{next(self._ids)}.svg")
        svg = Part(name, "image/svg+xml", block.svg.encode("utf-8"), document.package)
        blip = next(inline.iter("{*}blip"))
        blip.append(_svg_extension(document.relate_to(svg, RELATIONSHIP_TYPE.IMAGE)))
        self._paragraph((Span(block.caption),), "Caption")

    def _fill(self, line: DocxParagraph, spans: Spans) -> None:
        rtl = is_rtl(spans)
        if rtl:
            insert_property(line._p.get_or_add_pPr(), element_of("bidi"))
        for span in spans:
            run = line.add_run(span.text)
            run.bold, run.italic = span.bold or None, span.italic or None
            run.font.strike = span.strike or None
            run.font.rtl = rtl or None
            if span.code:
                run.font.name = CODE_FONT
            if span.link:
                run._r.style = self._styles["Hyperlink"]
                link = element_of("hyperlink", **self._link_attributes(span.link))
                line._p.replace(run._r, link)
                link.append(run._r)

    def _link_attributes(self, address: str) -> dict[str, str]:
        from docx.opc.constants import RELATIONSHIP_TYPE

        if address.startswith("#"):
            return {"anchor": address[1:]}
        if address not in self._links:  # without python-docx, which searches all links
            self._links[address] = f"rIdLink{len(self._links)}"
            kind, name = RELATIONSHIP_TYPE.HYPERLINK, self._links[address]
            self.document.part.rels.add_relationship(kind, address, name, is_external=True)
        return {"r:id": self._links[address]}


def _widths(block: Table) -> Iterator[int]:
    """Divide the text width among the columns by their content, in Word's units."""
    from docx.shared import Pt

    rows = (block.header, *block.rows[:60])
    lengths = [
        max(len(part) for row in rows for part in plain_text(row[column]).split("\n"))
        for column in range(len(block.header))
    ]
    weights = [min(max(length, 4), 50) + 4 for length in lengths]
    for weight in weights:
        yield int(Pt(TEXT_WIDTH_POINTS * weight / sum(weights)))


def _svg_extension(relation: str) -> Any:
    """Make the element that links a picture to its SVG version."""
    from docx.oxml import parse_xml

    schemas = "http://schemas.openxmlformats.org"
    return parse_xml(
        f'<a:extLst xmlns:a="{schemas}/drawingml/2006/main"><a:ext uri="{_SVG_EXTENSION}">'
        '<asvg:svgBlip xmlns:asvg="http://schemas.microsoft.com/office/drawing/2016/SVG/main" '
        f'xmlns:r="{schemas}/officeDocument/2006/relationships" r:embed="{relation}"/>'
        "</a:ext></a:extLst>"
    )
