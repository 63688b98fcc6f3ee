"""The looks of DOCX documents: page, styles, header and footer. `docx.py` writes the content."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from dagorch.exporters.documents.blocks import Content

__all__ = [
    "CODE_FONT",
    "PROPERTIES",
    "TEXT_WIDTH_POINTS",
    "element_of",
    "insert_property",
    "styled_document",
]

TEXT_WIDTH_POINTS: Final = 453.5
"""An A4 page without its margins of 25 mm."""
CODE_FONT: Final = "Consolas"
_FONT: Final = "Calibri"
_TEXT_COLOR: Final = "1F2933"
_MUTED_COLOR: Final = "52606D"
_LINE_COLOR: Final = "CBD2D9"
# The order of paragraph properties in Word's schema: those used here or by python-docx.
PROPERTIES: Final = (
    "pStyle", "keepNext", "keepLines", "pageBreakBefore", "widowControl", "numPr", "pBdr", "shd",
    "tabs", "bidi", "spacing", "ind", "contextualSpacing", "jc", "outlineLvl", "rPr", "sectPr",
)  # fmt: skip
# By level: size in points, space before and after.
_HEADINGS: Final = {1: (17, 20, 8), 2: (13, 15, 6), 3: (11.5, 12, 4), 4: (11, 10, 4)}
# Name, base style, size, color, space before and after.
_CUSTOM_STYLES: Final = (
    ("Aside", "Normal", 9, _MUTED_COLOR, 0, 6),
    ("Fact", "Normal", 11, _TEXT_COLOR, 0, 8),
    ("Notice", "Normal", 10.5, _TEXT_COLOR, 10, 10),
    ("Code", "Normal", 8.5, _TEXT_COLOR, 4, 10),
    ("Rule", "Normal", 4, _TEXT_COLOR, 0, 10),
    ("Figure", "Normal", 10.5, _TEXT_COLOR, 8, 4),
    ("Table Text", "Normal", 9.5, _TEXT_COLOR, 2, 2),
    ("Table Small", "Normal", 8.5, _TEXT_COLOR, 1, 1),
    ("After Table", "Normal", 4, _TEXT_COLOR, 0, 6),
)


def styled_document(content: Content) -> Any:
    """Create an empty document with all styles, the header and the footer."""
    from docx import Document
    from docx.shared import Mm

    document = Document()
    properties = document.core_properties
    properties.title, properties.author, properties.comments = content.title[:255], "", ""
    properties.created = properties.modified = datetime.now(UTC).replace(tzinfo=None)
    page = document.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = page.top_margin = page.bottom_margin = Mm(25)
    _add_styles(document.styles)
    _add_header_and_footer(page, content)
    return document


def element_of(name: str, /, **attributes: str) -> Any:
    """Make an XML element that python-docx has no method for."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    element = OxmlElement(f"w:{name}")
    for key, value in attributes.items():
        element.set(qn(key if ":" in key else f"w:{key}"), value)
    return element


def insert_property(properties: Any, element: Any) -> None:
    """Insert a paragraph property at its place in the order of Word's schema."""
    name = element.tag.rpartition("}")[2]
    later = PROPERTIES[PROPERTIES.index(name) + 1 :]
    properties.insert_element_before(element, *(f"w:{other}" for other in later))


def _add_field(line: Any, name: str) -> None:
    """Add a field that Word fills in, such as the page number."""
    for kind in ("begin", "", "separate", "end"):
        run = line.add_run()
        if kind:
            run._r.append(element_of("fldChar", fldCharType=kind))
        else:
            text = element_of("instrText")
            text.text = name
            run._r.append(text)
        if kind == "separate":
            line.add_run("1")


def _add_styles(styles: Any) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt, RGBColor

    _set_font(styles["Normal"], 10.5, _TEXT_COLOR, 0, 7)
    styles["Normal"].paragraph_format.line_spacing = 1.15
    _set_font(styles["Title"], 22, _TEXT_COLOR, 2, 10, bold=True)
    _remove_borders(styles["Title"])
    for level in range(1, 7):
        size, before, after = _HEADINGS.get(level, _HEADINGS[4])
        _set_font(styles[f"Heading {level}"], size, _TEXT_COLOR, before, after, bold=True)
        styles[f"Heading {level}"].font.italic = False
    for name, base, size, color, before, after in _CUSTOM_STYLES:
        style = styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style = styles[base]
        _set_font(style, size, color, before, after)
    styles["Aside"].paragraph_format.keep_with_next = True
    styles["Figure"].paragraph_format.keep_with_next = True
    styles["Figure"].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
    styles["Fact"].font.bold = True
    _set_font(styles["Caption"], 9, _MUTED_COLOR, 0, 12, bold=False)
    styles["Caption"].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _set_font(styles["Quote"], 10.5, _MUTED_COLOR, 4, 8)
    styles["Quote"].font.italic = False
    styles["Quote"].paragraph_format.left_indent = Pt(14)
    _set_font(styles["Code"], 8.5, _TEXT_COLOR, 4, 10, font=CODE_FONT)
    styles["Code"].paragraph_format.line_spacing = 1.1
    insert_property(
        styles["Code"].element.get_or_add_pPr(),
        element_of("shd", val="clear", color="auto", fill="F5F7FA"),
    )
    rule = element_of("pBdr")
    rule.append(element_of("bottom", val="single", sz="4", space="1", color=_LINE_COLOR))
    insert_property(styles["Rule"].element.get_or_add_pPr(), rule)
    link = styles.add_style("Hyperlink", WD_STYLE_TYPE.CHARACTER)
    link.font.color.rgb, link.font.underline = RGBColor.from_string("1D5BBF"), True
    _add_table_style(styles)


def _set_font(
    style: Any,
    size: float,
    color: str,
    before: float,
    after: float,
    *,
    bold: bool | None = None,
    font: str = _FONT,
) -> None:
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    style.font.name, style.font.size, style.font.bold = font, Pt(size), bold
    style.font.color.rgb = RGBColor.from_string(color)
    style.paragraph_format.space_before = Pt(before)
    style.paragraph_format.space_after = Pt(after)
    fonts = style.element.rPr.rFonts
    for key in list(fonts.attrib):  # a theme's font would override the font by name
        if key.endswith("Theme"):
            del fonts.attrib[key]
    for script in ("hAnsi", "cs"):
        fonts.set(qn(f"w:{script}"), font)


def _remove_borders(style: Any) -> None:
    for borders in style.element.pPr.findall("{*}pBdr"):
        style.element.pPr.remove(borders)


def _add_table_style(styles: Any) -> None:
    """Add the table style: lines between rows, and a thicker one below the header."""
    from docx.enum.style import WD_STYLE_TYPE

    style = styles.add_style("Dagorch Table", WD_STYLE_TYPE.TABLE)
    style.base_style = styles["Normal Table"]
    properties = element_of("tblPr")
    borders = element_of("tblBorders")
    for side in ("bottom", "insideH"):
        borders.append(element_of(side, val="single", sz="4", space="0", color=_LINE_COLOR))
    properties.append(borders)
    margins = element_of("tblCellMar")
    for side in ("left", "right"):
        margins.append(element_of(side, w="60", type="dxa"))
    properties.append(margins)
    style.element.append(properties)
    header = element_of("tblStylePr", type="firstRow")
    font = element_of("rPr")
    font.append(element_of("b"))
    header.append(font)
    cells = element_of("tcPr")
    borders = element_of("tcBorders")
    borders.append(element_of("bottom", val="single", sz="8", space="0", color=_MUTED_COLOR))
    cells.append(borders)
    header.append(cells)
    style.element.append(header)


def _add_header_and_footer(page: Any, content: Content) -> None:
    """Write the header, except on the first page, and the footer."""
    from docx.enum.text import WD_TAB_ALIGNMENT
    from docx.shared import Pt

    page.different_first_page_header_footer = True
    header = page.header.paragraphs[0]
    header.style = "Aside"
    header.add_run(f"{content.title[:80]}\t{content.workflow}")
    for footer in (page.footer.paragraphs[0], page.first_page_footer.paragraphs[0]):
        footer.style = "Aside"
        footer.add_run(f"{content.date}\t")
        _add_field(footer, "PAGE")
        footer.add_run(" / ")
        _add_field(footer, "NUMPAGES")
    for line in (header, page.footer.paragraphs[0], page.first_page_footer.paragraphs[0]):
        line.paragraph_format.tab_stops.add_tab_stop(Pt(TEXT_WIDTH_POINTS), WD_TAB_ALIGNMENT.RIGHT)
