"""What a DOCX looks like: page, styles, header and footer. What stands in it is `docx.py`'s."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from dagorch.exporters.documents.blocks import Content

__all__ = ["CODE_FONT", "PROPERTIES", "TEXT_WIDTH_POINTS", "part_of", "put", "styled_document"]

TEXT_WIDTH_POINTS: Final = 453.5
"""Of an A4 page between its margins of 25 mm."""
CODE_FONT: Final = "Consolas"
_FONT: Final = "Calibri"
_INK: Final = "1F2933"
_QUIET: Final = "52606D"
_LINE: Final = "CBD2D9"
# Of a paragraph's properties, as far as they are used here or by python-docx.
PROPERTIES: Final = (
    "pStyle", "keepNext", "keepLines", "pageBreakBefore", "widowControl", "numPr", "pBdr", "shd",
    "tabs", "bidi", "spacing", "ind", "contextualSpacing", "jc", "outlineLvl", "rPr", "sectPr",
)  # fmt: skip
# Size in points, space before and after.
_HEADINGS: Final = {1: (17, 20, 8), 2: (13, 15, 6), 3: (11.5, 12, 4), 4: (11, 10, 4)}
# Name, the style it is based on, size, colour, space before and after.
_OWN: Final = (
    ("Aside", "Normal", 9, _QUIET, 0, 6),
    ("Fact", "Normal", 11, _INK, 0, 8),
    ("Notice", "Normal", 10.5, _INK, 10, 10),
    ("Code", "Normal", 8.5, _INK, 4, 10),
    ("Rule", "Normal", 4, _INK, 0, 10),
    ("Figure", "Normal", 10.5, _INK, 8, 4),
    ("Table Text", "Normal", 9.5, _INK, 2, 2),
    ("Table Small", "Normal", 8.5, _INK, 1, 1),
    ("After Table", "Normal", 4, _INK, 0, 6),
)


def styled_document(content: Content) -> Any:
    """Give an empty document with every style that is used, its header and its footer."""
    from docx import Document
    from docx.shared import Mm

    document = Document()
    facts = document.core_properties
    facts.title, facts.author, facts.comments = content.title[:255], "", ""
    facts.created = facts.modified = datetime.now(UTC).replace(tzinfo=None)
    page = document.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = page.top_margin = page.bottom_margin = Mm(25)
    _styles(document.styles)
    _edges(page, content)
    return document


def part_of(name: str, /, **attributes: str) -> Any:
    """Make an element of Word's own, for what python-docx has no verb."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    element = OxmlElement(f"w:{name}")
    for key, value in attributes.items():
        element.set(qn(key if ":" in key else f"w:{key}"), value)
    return element


def put(properties: Any, part: Any) -> None:
    """Put a property of a paragraph where Word's schema has it among the others."""
    name = part.tag.rpartition("}")[2]
    later = PROPERTIES[PROPERTIES.index(name) + 1 :]
    properties.insert_element_before(part, *(f"w:{other}" for other in later))


def _field(line: Any, name: str) -> None:
    """Add what Word fills in itself, such as the number of the page."""
    for kind in ("begin", "", "separate", "end"):
        run = line.add_run()
        if kind:
            run._r.append(part_of("fldChar", fldCharType=kind))
        else:
            text = part_of("instrText")
            text.text = name
            run._r.append(text)
        if kind == "separate":
            line.add_run("1")


def _styles(styles: Any) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.shared import Pt, RGBColor

    _letters(styles["Normal"], 10.5, _INK, 0, 7)
    styles["Normal"].paragraph_format.line_spacing = 1.15
    _letters(styles["Title"], 22, _INK, 2, 10, bold=True)
    _plain_edges(styles["Title"])
    for level in range(1, 7):
        size, before, after = _HEADINGS.get(level, _HEADINGS[4])
        _letters(styles[f"Heading {level}"], size, _INK, before, after, bold=True)
        styles[f"Heading {level}"].font.italic = False
    for name, base, size, colour, before, after in _OWN:
        style = styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style = styles[base]
        _letters(style, size, colour, before, after)
    styles["Aside"].paragraph_format.keep_with_next = True
    styles["Figure"].paragraph_format.keep_with_next = True
    styles["Figure"].paragraph_format.alignment = 1
    styles["Fact"].font.bold = True
    _letters(styles["Caption"], 9, _QUIET, 0, 12, bold=False)
    styles["Caption"].paragraph_format.alignment = 1
    _letters(styles["Quote"], 10.5, _QUIET, 4, 8)
    styles["Quote"].font.italic = False
    styles["Quote"].paragraph_format.left_indent = Pt(14)
    _letters(styles["Code"], 8.5, _INK, 4, 10, font=CODE_FONT)
    styles["Code"].paragraph_format.line_spacing = 1.1
    put(
        styles["Code"].element.get_or_add_pPr(),
        part_of("shd", val="clear", color="auto", fill="F5F7FA"),
    )
    rule = part_of("pBdr")
    rule.append(part_of("bottom", val="single", sz="4", space="1", color=_LINE))
    put(styles["Rule"].element.get_or_add_pPr(), rule)
    link = styles.add_style("Hyperlink", WD_STYLE_TYPE.CHARACTER)
    link.font.color.rgb, link.font.underline = RGBColor.from_string("1D5BBF"), True
    _table_style(styles)


def _letters(
    style: Any,
    size: float,
    colour: str,
    before: float,
    after: float,
    *,
    bold: bool | None = None,
    font: str = _FONT,
) -> None:
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    style.font.name, style.font.size, style.font.bold = font, Pt(size), bold
    style.font.color.rgb = RGBColor.from_string(colour)
    style.paragraph_format.space_before = Pt(before)
    style.paragraph_format.space_after = Pt(after)
    fonts = style.element.rPr.rFonts
    for key in list(fonts.attrib):  # a theme's font would win over the one that is named
        if key.endswith("Theme"):
            del fonts.attrib[key]
    for script in ("hAnsi", "cs"):
        fonts.set(qn(f"w:{script}"), font)


def _plain_edges(style: Any) -> None:
    for edges in style.element.pPr.findall("{*}pBdr"):
        style.element.pPr.remove(edges)


def _table_style(styles: Any) -> None:
    """Lines between rows and a strong one below the head."""
    from docx.enum.style import WD_STYLE_TYPE

    style = styles.add_style("Dagorch Table", WD_STYLE_TYPE.TABLE)
    style.base_style = styles["Normal Table"]
    properties = part_of("tblPr")
    borders = part_of("tblBorders")
    for side in ("bottom", "insideH"):
        borders.append(part_of(side, val="single", sz="4", space="0", color=_LINE))
    properties.append(borders)
    room = part_of("tblCellMar")
    for side in ("left", "right"):
        room.append(part_of(side, w="60", type="dxa"))
    properties.append(room)
    style.element.append(properties)
    head = part_of("tblStylePr", type="firstRow")
    letters = part_of("rPr")
    letters.append(part_of("b"))
    head.append(letters)
    cells = part_of("tcPr")
    edges = part_of("tcBorders")
    edges.append(part_of("bottom", val="single", sz="8", space="0", color=_QUIET))
    cells.append(edges)
    head.append(cells)
    style.element.append(head)


def _edges(page: Any, content: Content) -> None:
    """Write the header, which the first page does without, and the footer."""
    from docx.enum.text import WD_TAB_ALIGNMENT
    from docx.shared import Pt

    page.different_first_page_header_footer = True
    head = page.header.paragraphs[0]
    head.style = "Aside"
    head.add_run(f"{content.title[:80]}\t{content.kind}")
    for foot in (page.footer.paragraphs[0], page.first_page_footer.paragraphs[0]):
        foot.style = "Aside"
        foot.add_run(f"{content.date}\t")
        _field(foot, "PAGE")
        foot.add_run(" / ")
        _field(foot, "NUMPAGES")
    for line in (head, page.footer.paragraphs[0], page.first_page_footer.paragraphs[0]):
        line.paragraph_format.tab_stops.add_tab_stop(Pt(TEXT_WIDTH_POINTS), WD_TAB_ALIGNMENT.RIGHT)
