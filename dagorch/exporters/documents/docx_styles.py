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
# Name, size in points, color, space before and after, bold. New styles are based on Normal.
_STYLES: Final = (
    ("Normal", 10.5, _TEXT_COLOR, 0, 7, None),
    ("Title", 22, _TEXT_COLOR, 2, 10, True),
    ("Heading 1", 17, _TEXT_COLOR, 20, 8, True),
    ("Heading 2", 13, _TEXT_COLOR, 15, 6, True),
    ("Heading 3", 11.5, _TEXT_COLOR, 12, 4, True),
    ("Heading 4", 11, _TEXT_COLOR, 10, 4, True),
    ("Heading 5", 11, _TEXT_COLOR, 10, 4, True),
    ("Heading 6", 11, _TEXT_COLOR, 10, 4, True),
    ("Aside", 9, _MUTED_COLOR, 0, 6, None),
    ("Fact", 11, _TEXT_COLOR, 0, 8, True),
    ("Notice", 10.5, _TEXT_COLOR, 10, 10, None),
    ("Code", 8.5, _TEXT_COLOR, 4, 10, None),
    ("Quote", 10.5, _MUTED_COLOR, 4, 8, None),
    ("Rule", 4, _TEXT_COLOR, 0, 10, None),
    ("Figure", 10.5, _TEXT_COLOR, 8, 4, None),
    ("Caption", 9, _MUTED_COLOR, 0, 12, False),
    ("Table Text", 9.5, _TEXT_COLOR, 2, 2, None),
    ("Table Small", 8.5, _TEXT_COLOR, 1, 1, None),
    ("After Table", 4, _TEXT_COLOR, 0, 6, None),
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


def element_of(name: str, /, *children: Any, **attributes: str) -> Any:
    """Make an XML element that python-docx has no method for."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    element = OxmlElement(f"w:{name}")
    for key, value in attributes.items():
        element.set(qn(key if ":" in key else f"w:{key}"), value)
    element.extend(children)
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

    for name, size, color, before, after, bold in _STYLES:
        if name not in styles:
            styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH).base_style = styles["Normal"]
        style = styles[name]
        style.font.size, style.font.bold = Pt(size), bold
        if style.font.italic:
            style.font.italic = False
        style.font.color.rgb = RGBColor.from_string(color)
        style.paragraph_format.space_before = Pt(before)
        style.paragraph_format.space_after = Pt(after)
        _set_font(style, CODE_FONT if name == "Code" else _FONT)
    for name in ("Aside", "Figure"):
        styles[name].paragraph_format.keep_with_next = True
    for name in ("Figure", "Caption"):
        styles[name].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
    styles["Normal"].paragraph_format.line_spacing = 1.15
    styles["Code"].paragraph_format.line_spacing = 1.1
    styles["Quote"].paragraph_format.left_indent = Pt(14)
    for borders in styles["Title"].element.pPr.findall("{*}pBdr"):
        styles["Title"].element.pPr.remove(borders)
    insert_property(
        styles["Code"].element.get_or_add_pPr(),
        element_of("shd", val="clear", color="auto", fill="F5F7FA"),
    )
    line = element_of("bottom", val="single", sz="4", space="1", color=_LINE_COLOR)
    insert_property(styles["Rule"].element.get_or_add_pPr(), element_of("pBdr", line))
    link = styles.add_style("Hyperlink", WD_STYLE_TYPE.CHARACTER)
    link.font.color.rgb, link.font.underline = RGBColor.from_string("1D5BBF"), True
    _add_table_style(styles)


def _set_font(style: Any, font: str) -> None:
    from docx.oxml.ns import qn

    style.font.name = font
    fonts = style.element.rPr.rFonts
    for key in list(fonts.attrib):  # a theme's font would override the font by name
        if key.endswith("Theme"):
            del fonts.attrib[key]
    for script in ("hAnsi", "cs"):
        fonts.set(qn(f"w:{script}"), font)


def _add_table_style(styles: Any) -> None:
    """Add the table style: lines between rows, and a thicker one below the header."""
    from docx.enum.style import WD_STYLE_TYPE

    style = styles.add_style("Dagorch Table", WD_STYLE_TYPE.TABLE)
    style.base_style = styles["Normal Table"]
    lines = (
        element_of(side, val="single", sz="4", space="0", color=_LINE_COLOR)
        for side in ("bottom", "insideH")
    )
    margins = (element_of(side, w="60", type="dxa") for side in ("left", "right"))
    header_line = element_of("bottom", val="single", sz="8", space="0", color=_MUTED_COLOR)
    style.element.extend(
        (
            element_of(
                "tblPr", element_of("tblBorders", *lines), element_of("tblCellMar", *margins)
            ),
            element_of(
                "tblStylePr",
                element_of("rPr", element_of("b")),
                element_of("tcPr", element_of("tcBorders", header_line)),
                type="firstRow",
            ),
        )
    )


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
