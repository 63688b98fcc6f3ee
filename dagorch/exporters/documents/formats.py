"""
A document in one of the formats, as bytes. `write.py` writes files.

PDF and DOCX are made in a child process with limits: their libraries may hang or crash on what a
model wrote. The writers of Markdown and HTML are ours, and their time is linear.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Final

from dagorch.errors import DefinitionError
from dagorch.exporters.documents.blocks import Content
from dagorch.exporters.documents.html import to_html
from dagorch.exporters.documents.markdown import to_markdown
from dagorch.models.document import DocumentFormat, document_format

__all__ = ["CHILD_FORMATS", "ENDINGS", "check_installed", "render_document"]

ENDINGS: Final[dict[DocumentFormat, str]] = {
    "markdown": ".md",
    "html": ".html",
    "pdf": ".pdf",
    "docx": ".docx",
}
CHILD_FORMATS: Final = frozenset[DocumentFormat]({"pdf", "docx"})
"""The formats that are made in a child process, which may take a minute."""
_PACKAGES: Final[dict[DocumentFormat, tuple[str, ...]]] = {
    "pdf": ("typst",),
    "docx": ("docx", "typst"),
}


def check_installed(formats: Iterable[str]) -> None:
    """
    Check that the packages for some formats are installed, without importing them.

    Args:
        formats: As `output_formats` spells them.

    Raises:
        DefinitionError: A package is missing; the message says how to install it.
    """
    for name in formats:
        format = document_format(name)
        packages = _PACKAGES.get(format, ()) if format else ()
        if missing := [package for package in packages if find_spec(package) is None]:
            raise DefinitionError(
                f"a document in {name!r} needs {' and '.join(missing)}, which "
                f"{'is' if len(missing) == 1 else 'are'} not installed; run "
                "pip install 'dagorch[documents]'"
            )


def render_document(content: Content, format: DocumentFormat) -> bytes:
    """
    Write a document in one format.

    Raises:
        DefinitionError: A package is missing, or a document as PDF or DOCX failed or was stopped:
            after a minute, or above 2 GB of memory.

    Cost: 20 ms for Markdown and HTML; about a second for PDF and DOCX, with their child processes.
    """
    check_installed([format])
    if format == "pdf":
        from dagorch.exporters.documents.pdf import to_pdf

        return to_pdf(content)
    if format == "docx":
        from dagorch.exporters.documents.docx import to_docx

        return to_docx(content)
    return (to_html(content) if format == "html" else to_markdown(content)).encode("utf-8")
